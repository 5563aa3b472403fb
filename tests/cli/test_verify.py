"""``verify`` as it is typed, over the wire: exit codes, the document, what arrives, and a runner beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pypsrp.powershell import PowerShell, RunspacePool
from typer.testing import Result

from orchestrator.journal import open_journal
from orchestrator.views.verification_schema import verification_schema
from tests.cli.desk import DC, Desk, record, writes
from tests.cli.inside import DMSA, HOST, Inside, inside


@pytest.fixture(scope="module")
def completed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """An estate on which everything is completed; whoever changes it takes one of their own."""
    with finished(tmp_path_factory.mktemp("completed")) as estate:
        yield estate


@contextlib.contextmanager
def finished(folder: Path) -> Iterator[Inside]:
    with inside(folder) as estate:
        assert estate.dmsa("run").exit_code == 0
        yield estate


def document(ended: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.stdout)
    Draft202012Validator(verification_schema()).validate(found)
    assert found["exit"] == ended.exit_code
    return found


def arrived(estate: Inside) -> int:
    return len(record(estate.lab))


def test_everything_as_the_journal_says_and_only_read(completed: Inside):
    before = arrived(completed)
    journal = (completed.folder / "journal.db").read_bytes()
    ended = completed.dmsa("verify")
    assert ended.exit_code == 0
    assert ended.stdout.splitlines()[-1] == "It is as the journal says."
    came = record(completed.lab)[before:]
    assert came
    assert not [row for row in came if row["write"] or row["script"]]
    assert {row["host"] for row in came} == {DC, "dc02.corp.example", HOST}
    assert completed.sessions() == {}, "every session is closed"
    assert (completed.folder / "journal.db").read_bytes() == journal


def test_before_any_run_nothing_of_ours_is_there(tmp_path: Path):
    with inside(tmp_path) as estate:
        found = document(estate.dmsa("verify", "--json"))
        assert found["counts"] == {"migrations": 1, "as_journaled": 1, "drift": 0, "unknown": 0, "under_way": 0}
        assert not (tmp_path / "journal.db").exists(), "nothing is written"


def by_hand(estate: Inside, *statement: str, **parameters: Any) -> None:
    """Let somebody else send a command to the domain controller."""
    with estate.client(DC, "other") as wsman, RunspacePool(wsman) as pool:
        shell = PowerShell(pool).add_cmdlet(statement[0]).add_parameters(parameters)
        shell.invoke()
        assert not shell.streams.error, shell.streams.error


def test_what_somebody_did_by_hand_is_told_with_what_to_do(tmp_path: Path):
    with finished(tmp_path) as estate:
        pair = {
            "Identity": f"CN={DMSA},OU=Managed,DC=corp,DC=example",
            "SupersededAccount": "CN=svc-batch,OU=Service Accounts,DC=corp,DC=example",
        }
        by_hand(estate, "Undo-ADServiceAccountMigration", **pair, Server=DC)
        ended = estate.dmsa("verify")
        assert ended.exit_code == 5
        assert [line for line in ended.stdout.splitlines() if len(line) > 80 and "`" not in line] == []
        assert f"state-unasked: {pair['Identity']}" in ended.stdout
        assert f"dmsa rollback {tmp_path / 'plan.json'}" in " ".join(ended.stdout.split())
        found = document(estate.dmsa("verify", "--json"))
        findings = {one["id"]: one for one in found["waves"][0]["migrations"][0]["findings"]}
        assert findings["state-unasked"]["should"].startswith("2/2")
        assert findings["state-unasked"]["since"]["how"] == "right-until"
        assert estate.dmsa("rollback", "--only", DMSA).exit_code == 0
        assert estate.dmsa("verify").exit_code == 0, "what it advised leads to a known state"


def test_a_host_that_cannot_be_reached_is_unknown_and_a_person_is_needed(completed: Inside):
    with replaced(completed, HOST, "127.0.0.1:9"):
        ended = completed.dmsa("verify", "--json")
    found = document(ended)
    assert ended.exit_code == 4
    (one,) = found["waves"][0]["migrations"][0]["findings"]
    assert (one["id"], one["verdict"], one["subject"]) == ("unreadable", "unknown", HOST)
    assert "refuse" in one["there"]
    assert one["next"]


def test_a_certificate_that_is_not_trusted_is_said_to_be_so(completed: Inside, tmp_path: Path):
    ca = (completed.folder / "ca.pem").read_bytes()
    with inside(tmp_path) as other:
        (completed.folder / "ca.pem").write_bytes((other.folder / "ca.pem").read_bytes())
        found = document(completed.dmsa("verify", "--json"))
        (completed.folder / "ca.pem").write_bytes(ca)
    assert found["exit"] == 4
    told = found["waves"][0]["migrations"][0]["findings"]
    assert {one["id"] for one in told} == {"unreadable"}
    assert {one["subject"] for one in told} == {DC, "dc02.corp.example", HOST}
    assert all("certificate" in one["there"] for one in told)
    assert found["estate_time"] is None


@contextlib.contextmanager
def replaced(estate: Inside, host: str, address: str) -> Any:
    file = estate.folder / "plan.json"
    text = file.read_text()
    plan = json.loads(text)
    plan["estate"]["addresses"][host] = address
    file.write_text(json.dumps(plan))
    try:
        yield
    finally:
        file.write_text(text)


def test_it_reads_beside_a_runner(completed: Inside):
    with contextlib.closing(open_journal(completed.folder / "journal.db", create=False)) as journal:
        lease = journal.acquire("somebody else")
        assert completed.dmsa("verify").exit_code == 0
        journal.release(lease)


def test_on_a_lab_it_starts_the_lab(completed_desk: Desk):
    before = writes(completed_desk.lab)
    said = completed_desk.done("verify", "plan.yaml", "--only", DMSA)
    assert "as the journal says" in said
    assert writes(completed_desk.lab) == before
    found = json.loads(completed_desk.done("verify", "plan.yaml", "--json"))
    assert found["counts"] == {"migrations": 5, "as_journaled": 5, "drift": 0, "unknown": 0, "under_way": 0}
    assert completed_desk.dmsa("verify", "plan.yaml", "--only", "nobody").returncode == 3


def test_a_changed_plan_is_refused_before_anything_is_asked(completed_desk: Desk):
    before = len(record(completed_desk.lab))
    plan = json.loads((completed_desk.folder / "plan.yaml").read_text())
    completed_desk.write_plan({**plan, "policy": {**plan["policy"], "dwell": "9h"}})
    ended = completed_desk.dmsa("verify", "plan.yaml")
    assert ended.returncode == 3
    assert "dmsa amend" in ended.stderr
    assert len(record(completed_desk.lab)) == before


@pytest.fixture
def completed_desk(stages: Path, tmp_path: Path) -> Desk:
    return Desk(stages / "completed").copy(tmp_path / "completed")
