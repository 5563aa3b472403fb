"""Logging on as an operator meets it: each method from plan to record, and what is said where it does not work."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.cli.desk import DC, Desk, assert_once_each, hasten, read_plan, record
from tests.cli.test_unreachable import refusals
from tests.kdc import REALM, Kdc
from tests.services import require

CASES = yaml.safe_load(Path(__file__).with_name("logons.yaml").read_text(encoding="utf-8"))
HOSTS = ("dc01.corp.example", "app01.corp.example")
EVERY = (*HOSTS, "dc02.corp.example", "app02.corp.example", "app03.corp.example", "db01.corp.example")
OWN = f"operator@{REALM}"


@pytest.fixture(scope="module")
def kdc(tmp_path_factory):
    """A domain whose users have the passwords of the lab's; the second realm file knows no hosts."""
    require("krb5kdc", "kadmin.local", "kdb5_util", "kinit", "faketime", modules=("gssapi", "krb5"))
    with Kdc(tmp_path_factory.mktemp("kerberos") / "kdc") as running:
        for host in EVERY:
            running.service(host)
        running.user("operator", PASSWORD)
        running.user("revoked", PASSWORD, "-allow_tix")
        running.user("stale", PASSWORD, "-pwexpire", "2020-01-01")
        running.keytab("hosts.keytab", *(f"host/{host}" for host in EVERY))
        yield running


@pytest.fixture(scope="module")
def empty(kdc, tmp_path_factory):
    """A domain that knows the operator, and not one host."""
    with Kdc(tmp_path_factory.mktemp("empty") / "kdc") as running:
        running.user("operator", PASSWORD)
        yield running


PASSWORD = "the operator's own: 4711"
SECRETS = {"operator", "wrong", "late", "stranger"}
"""Files that a secret stands in, because the plan says so."""
CALLERS = [
    {"name": "operator", "password_file": "operator"},
    {"name": "late", "locked": True},
    {"name": "stranger", "remote": False},
]
LABS = {
    "all": (["ntlm", "kerberos", "basic", "certificate"], ""),
    "kerberos": (["kerberos"], ""),
    "an hour ahead": (["kerberos"], "+1h"),
    "half a day ahead": (["kerberos"], "+12h"),
    "an hour behind": (["kerberos"], "-1h"),
}
"""The methods that each takes, and by how much the clock of its machine is off."""


def with_clock(off: str) -> dict[str, str]:
    """Return the environment of a process whose machine's clock is off by so much."""
    if not off:
        return {}
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    return {"LD_PRELOAD": str(library), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@contextlib.contextmanager
def served(folder: Path, kdc: Kdc, methods: list[str], off: str = ""):
    """Serve the quick start with these methods; what it says when it is ready."""
    desk = Desk.new(folder)
    shutil.copy(kdc.folder / "hosts.keytab", folder / "estates")
    (folder / "estates" / "operator").write_text(f"{PASSWORD}\n")
    file = folder / "estates" / "quickstart.yaml"
    estate = yaml.safe_load(file.read_text())
    estate["access"] = {"methods": methods, "http": True, "keytab": "hosts.keytab", "callers": CALLERS}
    file.write_text(json.dumps(estate, default=str))
    serve = ("lab", "serve", str(file), "--state", str(folder / "lab"), "--json")
    with desk.running(*serve, forked=True, KRB5_CONFIG=kdc.environment["KRB5_CONFIG"], **with_clock(off)) as lab:
        assert lab.until_line(1)
        yield json.loads(lab.lines[0])


@pytest.fixture(scope="module")
def labs(kdc, tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(served(tmp_path_factory.mktemp(name), kdc, methods))
            for name, (methods, off) in LABS.items()
            if not off
        }


@pytest.fixture
def lab(name, labs, kdc, tmp_path):
    """The lab of a case. One whose clock is off lives as long as the case: under libfaketime it never sleeps."""
    wanted = CASES[name].get("lab", "all")
    if wanted in labs:
        yield labs[wanted]
    else:
        with served(tmp_path / "far", kdc, *LABS[wanted]) as one:
            yield one


@pytest.fixture
def runner(kdc, tmp_path):
    """The environment of a runner that is in the domain, and has neither tickets nor keytab."""
    files = {"KRB5CCNAME": f"FILE:{tmp_path / 'tickets'}", "KRB5_CLIENT_KTNAME": f"FILE:{tmp_path / 'keytab'}"}
    return {**kdc.environment, **files}


def planned(folder: Path, lab, connection, addresses=None, change=None) -> Desk:
    """A desk whose plan reaches the lab by this connection."""
    folder.mkdir(exist_ok=True)
    desk = Desk(folder)
    for name, text in {"operator": PASSWORD, "wrong": "Wr0ng-4242"}.items():
        (folder / name).write_text(text)
    for name in ("late", "stranger"):
        shutil.copy(Path(lab["state"]) / "passwords" / name, folder / name)
    given = {"username": "CORP\\operator", "password": "${file:operator}", "tls": {"ca": lab["ca"]}, **connection}
    plan = read_plan("quickstart.yaml")
    hasten(plan)
    http = connection.get("transport") == "http"
    plan["estate"] = {
        "simulated": True,
        "domain": "corp.example",
        "directory": {"endpoint": DC, "server": DC},
        "addresses": addresses or lab["http_addresses" if http else "addresses"],
        "connections": [{"match": "*", **{key: value for key, value in given.items() if value is not None}}],
    }
    if change is not None:
        change(plan)
    desk.write_plan(plan)
    return desk


def crossed(lab) -> dict[str, str]:
    """Return addresses at which somebody else answers."""
    listed = lab["addresses"]
    return dict(zip(listed, [*list(listed.values())[1:], *list(listed.values())[:1]], strict=True))


def prepare(case, kdc, empty, folder: Path) -> dict[str, str]:
    """Return what the case changes in the runner's environment."""
    changed = {}
    for name in case.get("environment", ()):
        match name:
            case "tickets":
                changed["KRB5CCNAME"] = kdc.tickets(f"{folder.name}.cache", "operator", PASSWORD, "-F")
            case "no-kdc":
                changed["KRB5_CONFIG"] = str(kdc.client_file(f"{folder.name}.conf", port=9))
            case "no-services":
                changed |= empty.environment
            case "strict-clock":
                changed["KRB5_CONFIG"] = str(kdc.client_file(f"{folder.name}.conf", timesync=False))
    return changed


def dmsa(desk: Desk, *args: str, later: str = "", **environment: str):
    """Run the command, with the clock of its machine so much ahead."""
    return desk.dmsa(*args, **environment, **with_clock(later and f"+{later}"))


@pytest.mark.service
@pytest.mark.parametrize("name", CASES)
def test_what_is_said_where_a_log_on_does_not_work(lab, kdc, empty, runner, tmp_path, name):
    case = CASES[name]
    shown = json.dumps(case["connection"]).replace("{late}", str(Path(lab["state"]) / "certificates" / "late"))
    desk = planned(tmp_path / "desk", lab, json.loads(shown), crossed(lab) if case.get("crossed") else None)
    run = dmsa(
        desk, "run", "plan.yaml", "--json", later=case.get("later", ""), **runner | prepare(case, kdc, empty, tmp_path)
    )
    assert (run.returncode, run.stderr) == (4, "")
    assert_says_no_secret(desk, run)
    said = refusals(json.loads(run.stdout), "dmsa-report")
    assert said == [f"{host}: {case['says'].replace('{host}', host)}" for host in HOSTS]


def hops(plan):
    """Let the cmdlets run on a host that asks the domain controller."""
    plan["estate"]["directory"] = {"endpoint": "dc02.corp.example", "server": DC}


WAYS = {
    "ntlm": {"auth": "ntlm"},
    "ntlm without TLS": {"auth": "ntlm", "transport": "http"},
    "certificate": {
        "auth": "certificate", "certificate": "{operator}.pem", "key": "${file:{operator}.key}",
        "username": None, "password": None,
    },
    "password": {"auth": "kerberos", "username": OWN},
    "tickets": {"auth": "negotiate", "username": None, "password": None},
    "keytab, without TLS": {"auth": "kerberos", "username": None, "password": None, "transport": "http"},
    "a second hop": {"auth": "kerberos", "username": OWN, "delegate": True},
}  # fmt: skip


@pytest.mark.service
@pytest.mark.parametrize("way", WAYS)
def test_a_migration_is_prepared_by_each_way_to_log_on(kdc, runner, tmp_path, way):
    """With every word of the program in the log; no password is found in anything that is left."""
    if way == "tickets":
        runner["KRB5CCNAME"] = kdc.tickets(f"{tmp_path.name}.cache", "operator", PASSWORD)
    if way == "keytab, without TLS":
        runner["KRB5_CLIENT_KTNAME"] = str(kdc.keytab(f"{tmp_path.name}.keytab", "operator"))
    with served(tmp_path / "far", kdc, LABS["all"][0]) as lab:
        certificates = str(Path(lab["state"]) / "certificates" / "operator")
        connection = json.loads(json.dumps(WAYS[way]).replace("{operator}", certificates))
        desk = planned(tmp_path / "desk", lab, connection, change=hops if way == "a second hop" else None)
        run = desk.dmsa("run", "plan.yaml", "-v", "--only", "dmsa-report", "--until", "prepared", "--json", **runner)
        assert run.returncode == 0, (run.stdout, run.stderr)
        assert desk.phases()["dmsa-report"] == "prepared"
        rows = record(Path(lab["state"]))
    assert {row["principal"] for row in rows} == {"CORP\\operator"}
    assert {row["delegated"] for row in rows} == {way == "a second hop"}
    assert_says_no_secret(desk, run)
    far = [path for path in (tmp_path / "far" / "lab").rglob("*") if path.is_file() and path.suffix != ".key"]
    assert not [path for path in far if PASSWORD.encode() in path.read_bytes()], "the lab keeps no copy of its own"


def assert_says_no_secret(desk: Desk, run) -> None:
    """Search what was printed, and every file that is not itself where a secret stands."""
    secrets = [(desk.folder / name).read_bytes().strip() for name in SECRETS]
    left = [path for path in desk.folder.rglob("*") if path.is_file() and path.name not in SECRETS]
    assert {"plan.yaml", "journal.db"} <= {path.name for path in left}
    for found in (run.stdout.encode(), run.stderr.encode(), *(path.read_bytes() for path in left)):
        assert not [secret for secret in secrets if secret in found]
        assert b"PRIVATE KEY" not in found


@pytest.mark.service
def test_a_whole_programme_by_tickets(kdc, runner, tmp_path):
    runner["KRB5CCNAME"] = kdc.tickets(f"{tmp_path.name}.cache", "operator", PASSWORD)
    connection = {"auth": "kerberos", "username": None, "password": None, "transport": "http"}
    with served(tmp_path / "far", kdc, ["kerberos"]) as lab:
        desk = planned(tmp_path / "desk", lab, connection)
        run = desk.dmsa("run", "plan.yaml", **runner)
        assert run.returncode == 0, (run.stdout, run.stderr)
        assert set(desk.phases().values()) == {"completed"}
        assert_once_each(Path(lab["state"]))


@pytest.mark.service
def test_a_second_hop_without_a_ticket_is_refused(labs, runner, tmp_path):
    connection = {"auth": "kerberos", "username": OWN}
    desk = planned(tmp_path / "desk", labs["all"], connection, change=hops)
    run = desk.dmsa("run", "plan.yaml", **runner)
    assert (run.returncode, "a second hop without delegation" in run.stderr + run.stdout) == (3, True)


def test_a_name_and_a_password_without_tls_are_refused_before_anything_is_sent(tmp_path):
    desk = Desk(tmp_path)
    plan = read_plan("erp.yaml")
    plan["estate"]["connections"] = [
        {"match": "*", "auth": "basic", "username": "u", "password": "${env:PW}", "transport": "http"}
    ]
    desk.write_plan(plan)
    run = desk.dmsa("check", "plan.yaml")
    assert (run.returncode, "basic does not go over http" in run.stderr + run.stdout) == (3, True)
