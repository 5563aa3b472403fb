"""``discover`` as it is typed: inputs, files, exit codes, what arrives, and a run of what it drafted."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.cli.discover_input import hosts_of, moved
from orchestrator.planfile import load_plan
from orchestrator.views.discovery_schema import discovery_schema
from tests.cli.desk import DC, ROOT, Desk, read_plan, record
from tests.cli.inside import inside
from tests.endpoints import RUNNER, nobody

ACCOUNTS = [
    f"CN={name},OU=Service Accounts,DC=corp,DC=example" for name in ("svc-batch", "svc-erp", "svc-web", "svc-sync")
]
HOSTS = ["app01.corp.example", "app02.corp.example", "app03.corp.example", "db01.corp.example"]
DISCOVERY = ROOT / "tests" / "discovery" / "estate.yaml"
WEB = "CN=svc-web,OU=Svc,DC=corp,DC=example"


def dmsa(*args: str | Path) -> Result:
    ended = CliRunner().invoke(app, list(map(str, args)))
    assert (
        ended.exception is None or isinstance(ended.exception, SystemExit) or hasattr(ended.exception, "exit_code")
    ), repr(ended.exception)
    return ended


def code(ended: Result) -> int:
    return int(getattr(ended.exception, "exit_code", ended.exit_code))


def named(accounts: list[str]) -> list[str]:
    return [word for dn in accounts for word in ("--account", dn)]


def cells(table: Path) -> list[list[str]]:
    return list(csv.reader(table.read_text(encoding="utf-8-sig").splitlines()))


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    file = tmp_path / "hosts.txt"
    file.write_text("\n".join(["# ours", *HOSTS, "APP01.corp.example", ""]))
    return file


def test_a_draft_is_accepted_rehearsed_and_run_to_its_end(tmp_path: Path, hosts: Path):
    shutil.copytree(ROOT / "plans" / "estates", tmp_path / "estates")
    desk = Desk(tmp_path)
    place = "OU=Managed,DC=corp,DC=example"
    estate = ("--lab", "estates/quickstart.yaml", "--hosts", "hosts.txt")
    printed = desk.done("discover", *named(ACCOUNTS), *estate, "-o", "plan.yaml", "--path", place, "--json")
    Draft202012Validator(discovery_schema()).validate(json.loads(printed))
    desk.done("check", "plan.yaml")
    plan = load_plan(tmp_path / "plan.yaml").plan
    by_hand = read_plan("quickstart.yaml")
    meant = {
        m["account"]: {h["name"]: set(h["services"]) for h in m["hosts"]}
        for w in by_hand["waves"]
        for m in w["migrations"]
    }
    meant[ACCOUNTS[3]]["db01.corp.example"].add("SyncLegacy")
    drafted = {m.account: {h.name: set(h.services) for h in m.hosts} for m in plan.migrations()}
    assert drafted == {dn: meant[dn] for dn in ACCOUNTS}
    desk.done("run", "plan.yaml")
    assert set(desk.phases().values()) == {"completed"}


def test_only_reads_arrive_and_every_session_is_closed(tmp_path: Path, hosts: Path):
    out = tmp_path / "draft.yaml"
    with inside(tmp_path) as estate:
        ended = dmsa(
            "discover", "--estate", tmp_path / "plan.json", *named(ACCOUNTS), "--hosts", hosts, "-o", out, "--json"
        )
        assert code(ended) == 0, ended.output
        came = record(estate.lab)
        assert estate.sessions() == {}
    assert {row["host"] for row in came} == {DC, *HOSTS}
    assert not [row for row in came if row["write"] or row["script"]]
    assert load_plan(out).plan.estate == load_plan(tmp_path / "plan.json").plan.estate
    pipelines = Counter(host for host, _ in {(row["host"], row["pipeline"]) for row in came})
    assert all(pipelines[host] <= 2 for host in HOSTS), "services, tasks and pools in one, the tasks' texts in another"


def test_hosts_of_a_unit_are_read_from_the_directory_and_a_host_that_is_down_is_named(tmp_path: Path):
    out, table = tmp_path / "plan.yaml", tmp_path / "found.csv"
    ended = dmsa(
        *("discover", "--lab", DISCOVERY, "--account", WEB, "--under", "CN=Computers,DC=corp,DC=example"),
        *("-o", out, "--csv", table),
    )
    assert code(ended) == 4
    assert "d.corp.example" in ended.stderr
    assert "5 of 5 hosts asked" in ended.stderr
    assert "5 hosts (1 did not answer)" in ended.stdout
    assert "# DECIDE: d.corp.example was not read" in out.read_text()
    assert [host.name for one in load_plan(out).plan.migrations() for host in one.hosts] == ["a.corp.example"]
    head, *rest = cells(table)
    rows = [dict(zip(head, one, strict=True)) for one in rest]
    assert {row["host"] for row in rows} == {f"{letter}.corp.example" for letter in "abcde"}
    assert [row["unread"] != "" for row in rows if row["host"] == "d.corp.example"] == [True]
    (bare,) = [row for row in rows if row["domain_named"] == "no"]
    assert (bare["name"], bare["log_on"], bare["state"]) == (r"\Bare", "svc-web", "Ready")


def test_a_cell_is_never_a_formula(tmp_path: Path):
    estate = yaml.safe_load(DISCOVERY.read_text())
    names = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "plain"]
    estate["hosts"] = [{"name": "a.corp.example", "services": [{"name": n, "log_on": "CORP\\svc-web"} for n in names]}]
    (tmp_path / "estate.yaml").write_text(yaml.safe_dump(estate))
    (tmp_path / "hosts.txt").write_text("a.corp.example")
    table = tmp_path / "found.csv"
    given = ("--lab", tmp_path / "estate.yaml", "--account", WEB, "--hosts", tmp_path / "hosts.txt")
    assert code(dmsa("discover", *given, "--csv", table)) == 0
    rows = cells(table)[1:]
    assert len(rows) == len(names)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_accounts_by_name_and_hosts_by_two_names_are_found_once_and_told(tmp_path: Path):
    hosts = tmp_path / "hosts.csv"
    hosts.write_bytes("Host;Site\r\napp02;x\r\napp02.corp.example;x\r\nAPP03.corp.example;y\r\n".encode("utf-8-sig"))
    accounts = tmp_path / "accounts.csv"
    accounts.write_bytes("SamAccountName,Owner\r\nCORP\\svc-erp,x\r\nsvc-web@corp.example,y\r\n".encode("utf-16"))
    out = tmp_path / "plans" / "plan.yaml"
    shutil.copytree(ROOT / "plans", tmp_path / "plans")
    twice = ("--account", ACCOUNTS[1].upper(), "--account", "svc-nobody")
    lab = ("--lab", tmp_path / "plans" / "estates" / "quickstart.yaml")
    ended = dmsa("discover", *lab, "--accounts", accounts, *twice, "--hosts", hosts, "-o", out)
    assert code(ended) == 4, "one account is not there"
    planned = list(load_plan(out).plan.migrations())
    assert {one.account.lower() for one in planned} == {ACCOUNTS[1].lower(), ACCOUNTS[2].lower()}
    assert {host.name for one in planned for host in one.hosts} == {"APP03.corp.example", HOSTS[1]}
    assert "app02 and app02.corp.example are one host, which is asked once" in ended.stderr
    assert "# DECIDE: nobody in corp.example is called svc-nobody" in out.read_text()


def test_where_nothing_is_found_nothing_is_drafted(tmp_path: Path):
    (tmp_path / "hosts.txt").write_text("b.corp.example")
    out = tmp_path / "plan.yaml"
    ended = dmsa("discover", "--lab", DISCOVERY, "--account", WEB, "--hosts", tmp_path / "hosts.txt", "-o", out)
    assert code(ended) == 4
    assert "runs nothing on the 1 host asked" in ended.stdout
    assert "was not written" in ended.stderr
    assert not out.exists()


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path, hosts: Path):
    out = tmp_path / "plan.yaml"
    out.write_text("mine")
    given = ("--lab", ROOT / "plans/estates/quickstart.yaml", *named(ACCOUNTS[:1]), "--hosts", hosts, "-o", out)
    ended = dmsa("discover", *given)
    assert code(ended) == 3
    assert str(out) in str(ended.exception)
    assert out.read_text() == "mine"
    assert code(dmsa("discover", *given, "--force")) == 0
    assert load_plan(out).plan.name == "plan"


def test_through_jea_endpoints_of_a_plan_that_discovers_the_same_is_found(tmp_path: Path):
    hosts = [f"{letter}.corp.example" for letter in "abc"]
    migration = {
        "account": WEB,
        "dmsa": {"name": "x", "dns_host_name": "x.corp.example"},
        "hosts": [{"name": host, "workloads": "discover"} for host in hosts],
    }
    waves = [{"name": "w", "migrations": [migration]}]
    plan = {"version": 1, "name": "ask", "estate": {"lab": "estate.yaml"}, "waves": waves}
    estate = yaml.safe_load(DISCOVERY.read_text())
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    (tmp_path / "hosts.txt").write_text("\n".join(hosts))
    (tmp_path / "estate.yaml").write_text(yaml.safe_dump(estate))
    given = (
        "discover",
        "--account",
        WEB,
        "--hosts",
        tmp_path / "hosts.txt",
        "--lab",
        tmp_path / "estate.yaml",
        "--json",
    )
    plain = dmsa(*given)
    assert code(dmsa("jea", tmp_path / "plan.yaml", "-o", tmp_path / "jea", "--runners", RUNNER)) == 0
    nobody(estate)
    (tmp_path / "estate.yaml").write_text(yaml.safe_dump({**estate, "jea": "jea"}))
    restricted = dmsa(*given)
    assert json.loads(restricted.stdout) == {
        **json.loads(plain.stdout),
        "estate_time": json.loads(restricted.stdout)["estate_time"],
    }


@pytest.mark.parametrize(
    "missing",
    [
        ["--hosts", "h", "--lab", "e"],
        ["--account", "CN=a,DC=x", "--lab", "e"],
        ["--account", "CN=a,DC=x", "--hosts", "h"],
        ["--account", "CN=a,DC=x", "--hosts", "h", "--lab", "e", "--estate", "p"],
        ["--account", "CN=a,DC=x", "--hosts", "h", "--lab", "e", "-o", "p", "--csv", "p"],
    ],
)
def test_what_is_left_out_is_a_matter_of_usage(missing: list[str]):
    assert code(dmsa("discover", *missing)) == 2


HEAD = "estate:\n  domain: corp.example\n"
REST = "  directory: {endpoint: dc01.corp.example, server: dc01.corp.example}\n  connections: [{match: '*'}]\n"


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("hosts.txt", "app01\n\nnot a host\nb*\n", ["hosts.txt:3: ", "hosts.txt:4: ", "expected the exact name"]),
        ("hosts.txt", "# nothing\n", ["names no host"]),
        ("hosts.txt", "serial,where\n1,2\n", ["hosts.txt:1: it looks like CSV"]),
        ("hosts.txt", "host,where\napp01,x\n,y\n", ["hosts.txt:3: "]),
        ("accounts.txt", "CN=a,DC=corp,DC=example\nCN=erp,\n", ["accounts.txt:2: expected a distinguished name"]),
        ("accounts.txt", "svc-erp\nsvc*\na\\b\\c\n", ["accounts.txt:2: ", "accounts.txt:3: ", "names no account"]),
        ("accounts.txt", "CN=a,DC=other,DC=example\n", ["lies outside of the domain corp.example"]),
        ("estate.yaml", "estate:\n\tx", ["estate.yaml:2: it is not YAML"]),
        ("estate.yaml", "name: x\n", ["has no `estate:`"]),
        ("estate.yaml", HEAD + REST + "  conections: []\n", ["estate.yaml:5:3: estate.conections"]),
        ("estate.yaml", HEAD, ["estate.yaml:2:3: estate.directory: ", "the key directory is missing"]),
        ("estate.yaml", HEAD + REST.replace("'*'", "'db*'"), ["no connection matches"]),
    ],
)
def test_an_input_that_cannot_be_used_is_named_with_its_line(tmp_path: Path, file: str, text: str, said: list[str]):
    files = {
        "hosts.txt": "app01.corp.example\n",
        "accounts.txt": "CN=a,DC=corp,DC=example\n",
        "estate.yaml": HEAD + REST,
    }
    for name, content in (files | {file: text}).items():
        (tmp_path / name).write_text(content)
    options = ("--accounts", "accounts.txt", "--hosts", "hosts.txt", "--estate", "estate.yaml")
    ended = dmsa("discover", *(one if one.startswith("--") else tmp_path / one for one in options))
    assert code(ended) == 3
    for one in said:
        assert one in str(ended.exception)
    assert "Nothing was asked." in str(ended.exception)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b"app01\r\n# no\r\n  app02  \r\nAPP01\r\n", ("app01", "app02")),
        (b'Name,Site\napp01,Berlin\n"app02",x\n', ("app01", "app02")),
        (b"Site;DNSHostName\nBerlin;app01.corp.example\n", ("app01.corp.example",)),
        ("app01\r\napp02\r\n".encode("utf-16"), ("app01", "app02")),
        (b"\xef\xbb\xbfhost\napp01\n", ("app01",)),
    ],
)
def test_hosts_come_as_text_or_csv(tmp_path: Path, text: bytes, names: tuple[str, ...]):
    (tmp_path / "hosts").write_bytes(text)
    assert hosts_of(tmp_path / "hosts") == names


def test_paths_of_an_estate_go_along_when_the_draft_lies_elsewhere(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    secret = {
        "password": "${file:pw}",
        "key": "${env:KEY}",
        "username": "u",
        "tls": {"ca": "ca.pem"},
        "certificate": "/c",
    }
    estate: dict[str, Any] = {"lab": "x.yaml", "connections": [{"match": "*", **secret}]}
    assert moved(estate, tmp_path / "a", tmp_path / "a") is estate
    there = moved(estate, tmp_path / "a", tmp_path / "b")
    assert there["lab"] == "../a/x.yaml"
    (connection,) = there["connections"]
    assert connection == {
        "match": "*",
        "password": "${file:../a/pw}",
        "key": "${env:KEY}",
        "username": "u",
        "tls": {"ca": "../a/ca.pem"},
        "certificate": "/c",
    }


def test_a_directory_that_does_not_answer_is_told_and_nothing_is_written(tmp_path: Path, hosts: Path):
    connection = {"match": "*", "auth": "basic", "username": "u", "password": "${file:pw}", "tls": {"verify": False}}
    estate = {"domain": "corp.example", "directory": {"endpoint": DC, "server": DC}, "connections": [connection]}
    estate["addresses"] = {DC: "127.0.0.1:1"}
    (tmp_path / "pw").write_text("x")
    (tmp_path / "estate.yaml").write_text(json.dumps({"estate": estate}))
    out = tmp_path / "plan.yaml"
    ended = dmsa("discover", "--estate", tmp_path / "estate.yaml", *named(ACCOUNTS[:1]), "--hosts", hosts, "-o", out)
    assert code(ended) == 4
    assert DC in str(ended.exception)
    assert not out.exists()
