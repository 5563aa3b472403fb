"""A migration over the wire under every injury of every operation: completed, or held with what a person needs.

Either way each write arrived as often as it must, and no more: the far side's record is the witness.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypsrp.powershell import RunspacePool
from typer.testing import Result

from orchestrator.errors import Exit
from orchestrator.remote import session
from tests.cli.desk import DC, counted
from tests.cli.inside import DMSA, HOST, WRITES, Inside, inside

START = "Start-ADServiceAccountMigration"
READ = "Get-CimInstance"
DISTURBED = (READ, START, "Restart-Service", "Complete-ADServiceAccountMigration")
"""Whose Command and Receive are befallen: a read, the two writes that must not come twice, and one that disturbs."""
SLOW = frozenset({"hang", "hang, and never arrived", "slow", "slower than the operation may be"})
"""Injuries that cost seconds: they befall the first two of those only."""

INJURIES: dict[str, dict[str, Any]] = {
    "request lost": {"kind": "lost-request"},
    "reply lost": {"kind": "lost-reply"},
    "reset in the reply": {"kind": "reset"},
    "hang": {"kind": "hang"},
    "hang, and never arrived": {"kind": "hang", "arrives": False},
    "HTTP 503": {"kind": "unavailable"},
    "quota": {"kind": "busy"},
    "session died": {"kind": "session-died"},
    "session disconnected": {"kind": "session-disconnected"},
    "slow": {"kind": "slow", "takes": "1s"},
    "slower than the operation may be": {"kind": "slow", "takes": "3s"},
}

PLACES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    # what happens before, so that there is such an operation, and when the injury comes
    "Command": ([], [{"operation": "Command", "cmdlet": cmdlet} for cmdlet in DISTURBED]),
    "Receive": ([], [{"operation": "Receive", "cmdlet": cmdlet} for cmdlet in DISTURBED]),
    "Create": (
        [{"kind": "session-died", "when": {"operation": "Receive", "cmdlet": READ}}],
        [{"operation": "Create", "host": HOST, "nth": 2}],
    ),
    "Delete": ([{"kind": "lost-reply", "when": {"operation": "Command", "cmdlet": START}}], [{"operation": "Delete"}]),
}


def rules(place: str, injury: str) -> Iterator[dict[str, Any]]:
    before, whens = PLACES[place]
    yield from before
    for when in whens[: 2 if injury in SLOW else None]:
        yield {**INJURIES[injury], "when": when}


def met(far: Inside) -> list[str]:
    """Return which weather has befallen a message, in order."""
    lines = (far.lab / "marks.jsonl").read_text(encoding="utf-8").splitlines()
    return [row["mark"] for row in map(json.loads, lines) if "operation" in row]


def assert_completed(far: Inside, run: Result) -> None:
    assert run.exit_code == Exit.DONE, run.output
    assert counted(far.lab) == WRITES
    assert far.sessions() == {}


def held(far: Inside, run: Result) -> str:
    """Return why the migration is held, which a person reads, and what to do about it."""
    assert run.exit_code == Exit.HELD, run.output
    document = json.loads(far.dmsa("status", "--json").output)
    (migration,) = document["waves"][0]["migrations"]
    assert "dmsa release" in run.output
    return f"{migration['held']['reason']}: {migration['held']['detail']}"


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a host one second, not five, to answer a Delete that it never will."""
    monkeypatch.setattr(session, "DELETE_TAKES", 1)


@pytest.mark.parametrize("injury", INJURIES)
@pytest.mark.parametrize("place", PLACES)
def test_whatever_befalls_an_operation_the_migration_completes(tmp_path: Path, place: str, injury: str) -> None:
    weather = list(rules(place, injury))
    with inside(tmp_path, *weather) as far:
        run = far.dmsa("run")
        assert_completed(far, run)
        assert len(met(far)) == len(weather)


FIRST = {
    "request lost": "the connection was lost",
    "reply lost": "the connection was lost",
    "reset in the reply": "the connection was lost",
    "hang": "it did not answer in time",
    "HTTP 503": "it answered HTTP 503",
}


@pytest.mark.parametrize("injury", FIRST)
def test_a_host_that_was_never_reached_is_for_a_person_who_reads_why(tmp_path: Path, injury: str) -> None:
    with inside(tmp_path, {**INJURIES[injury], "when": {"operation": "Create", "host": HOST}}) as far:
        assert held(far, far.dmsa("run")).startswith(f"guard:host-reachable: {HOST}: {FIRST[injury]} (")
        assert counted(far.lab) == {}
        far.later += 15 * 60 + 1  # whatever session was opened unseen is deleted by its host
        far.dmsa("release", "--only", DMSA, "--reason", "mended")
        assert_completed(far, far.dmsa("run"))


def test_an_endpoint_that_denies_a_write_is_for_a_person(tmp_path: Path) -> None:
    denied = {"kind": "access-denied", "when": {"operation": "Command", "cmdlet": START}}
    with inside(tmp_path, denied) as far:
        assert held(far, far.dmsa("run")) == f"fault: {DC}: it denies access to this session configuration"
        assert (START, DC) not in counted(far.lab)
        far.dmsa("release", "--only", DMSA, "--reason", "the group has it now")
        assert_completed(far, far.dmsa("run"))


@pytest.mark.parametrize("operation", ["Command", "Receive"])
def test_a_dead_session_that_nobody_can_end_leaves_the_outcome_open_until_its_host_has_ended_it(
    tmp_path: Path, operation: str
) -> None:
    died = {"kind": "session-died", "when": {"operation": operation, "cmdlet": START}}
    with inside(tmp_path, died, dead_to_everyone=True) as far:
        why = held(far, far.dmsa("run"))
        assert why.startswith(f"unknown-outcome: {DC} did not confirm that the shell of {START} is gone")
        assert counted(far.lab).get((START, DC), 0) == (operation == "Receive")
        far.later += 15 * 60 + 1
        far.dmsa("release", "--only", DMSA, "--reason", "it is gone by now")
        assert_completed(far, far.dmsa("run"))


@pytest.mark.parametrize(
    "sessions",
    [{"shells_per_user": 1}, {"commands_per_shell": 1}, {"users": 1}, {"envelope_kb": 32}, {"redeliver": False}],
    ids=str,
)
def test_narrow_quotas_are_lived_with(tmp_path: Path, sessions: dict[str, Any]) -> None:
    with inside(tmp_path, **sessions) as far:
        assert_completed(far, far.dmsa("run"))


def test_a_quota_that_others_use_up_is_named_and_waited_for(tmp_path: Path) -> None:
    """Sixty times as often as a fault is tried again; then a person is asked."""
    with inside(tmp_path, users=1) as far:
        file = tmp_path / "plan.json"
        plan = json.loads(file.read_text(encoding="utf-8"))
        plan["policy"]["retry"] = {"attempts": 1}
        file.write_text(json.dumps(plan), encoding="utf-8")
        with far.client(HOST, "other") as wsman, RunspacePool(wsman):
            why = held(far, far.dmsa("run"))
        assert f"{HOST}: a quota of WinRM is exhausted (MaxConcurrentUsers, fault 2150859179) (turned away 60 t" in why
        assert why.startswith("retries-spent")
        assert counted(far.lab) == {}
        far.dmsa("release", "--only", DMSA, "--reason", "they have logged off")
        assert_completed(far, far.dmsa("run"))


def test_a_quota_that_is_spent_for_a_while_means_later(tmp_path: Path) -> None:
    with inside(tmp_path, {"kind": "busy", "when": {"operation": "Create", "host": HOST, "times": 3}}) as far:
        run = far.dmsa("run")
        assert "MaxConcurrentOperationsPerUser" in run.output
        assert_completed(far, run)
