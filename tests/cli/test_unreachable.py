"""Estates that cannot be reached: one line that names host, cause and remedy; exit 4; nothing written."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.cli.desk import Desk, read_plan, writes

FIRST_WAVE = ("dc01.corp.example", "dc02.corp.example", "app01.corp.example")
BASIC = {"auth": "basic", "username": "CORP\\operator", "password": "${env:DMSA_TEST_PASSWORD}"}
NOWHERE = dict.fromkeys(FIRST_WAVE, "127.0.0.1:9")  # discard: nothing listens there
UNRESOLVED = "its name does not resolve (check the name, the DNS of the runner, or add it to estate.addresses)"
REFUSED = "it refuses connections on port 9 (check that WinRM listens on HTTPS there, and the port of its connection)"
UNAUTHORIZED = (
    "it refuses the credentials (HTTP 401) "
    "(check username and password of its connection, and whether the account is locked, disabled or not in Remote "
    "Management Users; repeating could lock it out)"
)
KERBEROS = (
    "auth: {} needs Kerberos, and its library is not installed "
    "(pip install 'dmsa-orchestrator[kerberos]', or choose another auth)"
)
MISSING = "{0} is to come from the environment variable {1}, which is not set (set {1} for the runner)"
NOT_SET = MISSING.format("password", "NOT_SET")


def without_kerberos(auth: str, otherwise: str) -> str:
    """The line where the library is missing; where it is installed, something else is missing."""
    return otherwise if find_spec("krb5") and find_spec("gssapi") else KERBEROS.format(auth)


def refusals(document: dict[str, Any], dmsa: str) -> list[str]:
    migrations = (one for wave in document["waves"] for one in wave["migrations"])
    held = next(one for one in migrations if one["dmsa"] == dmsa)["held"]
    assert held["reason"] == "guard:host-reachable"
    lines: list[str] = held["detail"].splitlines()
    return lines


def erp(folder: Path, change: Callable[[dict[str, Any]], None]) -> Desk:
    desk, plan = Desk(folder), read_plan("erp.yaml")
    change(plan["estate"])
    desk.write_plan(plan)
    return desk


def connect(**connection: Any) -> Callable[[dict[str, Any]], None]:
    return lambda estate: estate.update(connections=[{"match": "*", **connection}])


CASES = {
    "as it ships": (dict, {}, without_kerberos("kerberos", MISSING.format("username", "DMSA_USER"))),
    "negotiate": (connect(auth="negotiate"), {}, without_kerberos("negotiate", UNRESOLVED)),
    "secret not set": (connect(**{**BASIC, "password": "${env:NOT_SET}"}), {}, NOT_SET),
    "secret's file missing": (
        connect(**{**BASIC, "password": "${file:secret}"}),
        {},
        "password is to be {folder}/secret, which is not a file (put it there, or correct password)",
    ),
    "certificate missing": (
        connect(auth="certificate", certificate="me.pem", key="${file:me.key}"),
        {},
        "certificate is to be {folder}/me.pem, which is not a file (put it there, or correct certificate)",
    ),
    "authority missing": (
        connect(**BASIC, tls={"ca": "ca.pem"}),
        {"DMSA_TEST_PASSWORD": "x"},
        "tls.ca is to be {folder}/ca.pem, which is not a file (put it there, or correct tls.ca)",
    ),
    "name unresolved": (connect(**BASIC), {"DMSA_TEST_PASSWORD": "x"}, UNRESOLVED),
    "refused": (
        lambda estate: estate.update(connections=[{"match": "*", **BASIC}], addresses=NOWHERE),
        {"DMSA_TEST_PASSWORD": "x"},
        REFUSED,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_endpoint_of_the_first_wave_has_its_line(case, tmp_path):
    change, environment, line = CASES[case]
    desk = erp(tmp_path, change)
    run = desk.dmsa("run", "plan.yaml", "--json", **environment)
    assert (run.returncode, run.stderr) == (4, "")
    said = line.replace("{folder}", str(tmp_path))
    assert refusals(json.loads(run.stdout), "dmsa-report") == [f"{host}: {said}" for host in FIRST_WAVE]


def test_what_erp_prints_and_leaves_behind(tmp_path):
    desk = erp(tmp_path, connect(**{**BASIC, "password": "${env:NOT_SET}"}))
    assert "valid; 2 waves, 2 migrations, 4 hosts" in desk.done("check", "plan.yaml")
    run = desk.dmsa("run", "plan.yaml")
    assert (run.returncode, run.stderr) == (4, "")
    assert "Traceback" not in run.stdout
    printed = run.stdout.splitlines()
    for host in FIRST_WAVE:
        assert f"      {host}: {NOT_SET}" in printed
    assert "wave main: pending, for needs" in printed
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        "plan.yaml", "journal.db", "journal.db.head", "journal.db.lock",
    }  # fmt: skip
    history = desk.done("journal", "show")
    assert all(f"{host}: {NOT_SET}" in history for host in FIRST_WAVE)
    assert "attempt-started" not in history, "nothing was written"

    again = desk.dmsa("run", "plan.yaml")
    assert again.returncode == 4
    assert "HELD" in again.stdout


def test_who_can_be_reached_goes_on(served, tmp_path):
    """app01's certificate is not trusted, app03 gets a wrong password, db01 is not there; app02 is well."""
    desk = Desk(tmp_path)
    (tmp_path / "wrong").write_text("not the password")
    good = {"auth": "basic", "username": served["username"], "password": f"${{file:{served['state']}/password}}"}
    trusted = {"tls": {"ca": served["ca"]}}
    plan = read_plan("quickstart.yaml")
    plan["estate"] = {
        "simulated": True,
        "domain": "corp.example",
        "directory": {"endpoint": "dc01.corp.example", "server": "dc01.corp.example"},
        "addresses": {**served["addresses"], "db01.corp.example": "127.0.0.1:9"},
        "connections": [
            {"match": "app01.*", **good},
            {"match": "app03.*", **good, **trusted, "password": "${file:wrong}"},
            {"match": "*", **good, **trusted},
        ],
    }
    plan["waves"][1]["needs"] = []
    desk.write_plan(plan)

    run = desk.dmsa("run", "plan.yaml", "--until", "prepared", "--json")
    assert (run.returncode, run.stderr) == (4, "")
    document = json.loads(run.stdout)
    assert refusals(document, "dmsa-web") == [f"app03.corp.example: {UNAUTHORIZED}"]
    assert refusals(document, "dmsa-sync") == [f"db01.corp.example: {REFUSED}"]
    (untrusted,) = refusals(document, "dmsa-report")
    assert untrusted.startswith("app01.corp.example: its TLS certificate is not trusted: ")
    assert untrusted.endswith(
        "(set tls.ca of its connection to the authority that issued the certificate, or renew the certificate)"
    )
    phases = desk.phases()
    assert (phases["dmsa-batch"], phases["dmsa-erp"]) == ("prepared", "prepared")
    written = {row["parameters"].get("Name") or row["parameters"]["Identity"] for row in writes(Path(served["state"]))}
    assert not {"dmsa-report", "dmsa-web", "dmsa-sync"} & written
