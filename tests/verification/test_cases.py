"""What is found where: a case is one file, ``cases/<what it is about>.yaml``; nothing here changes for a new one.

A case says where a migration stands by the journal and what is read; ``finds`` are the findings, by id, and nothing
else may be found. A file whose name is a phase is a healthy migration in it; each kind of finding has a file of its
own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from orchestrator.engine.merge import merge
from orchestrator.model.before import Compared
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import AttemptStarted
from orchestrator.model.lifecycle import Phase
from orchestrator.model.state import Attempt, Lost, MigrationState
from orchestrator.remote.gate import check
from orchestrator.verification import IDS, Finding, asks, findings
from tests.cases import MIGRATION, Situation, files, load, situation
from tests.reading import FarSide

CASES = files(Path(__file__).parent / "cases")
PHASES = {str(phase) for phase in Phase}
MARK = {"Description": "dmsa run cases"}


def read_to_the_end(case: Case, far: FarSide) -> tuple[Seen, list[Read]]:
    """Return everything that is asked for, round after round."""
    seen, asked = Seen(MIGRATION), []
    while reads := asks(case, seen):
        asked += merge(reads)
        seen = far.seen(MIGRATION, reads, seen)
        assert len(asked) < 60, "it asks for the same again and again"
    return seen, asked


def judged(path: Path) -> tuple[Situation, tuple[Finding, ...], list[Read]]:
    given = load(path)
    for part in ("read", "copies"):
        _mark(given.facts.get(part, {}))
    given = situation({**given.facts, "read": {"dmsa": MARK, **given.facts.get("read", {})}})
    given.case.run.migrations[MIGRATION] = _more(given, given.case.state)
    case = Case.of(given.case.run, given.case.plan, MIGRATION, given.case.at)
    seen, asked = read_to_the_end(case, given.far)
    return given, findings(case, seen), asked


def _mark(facts: dict[str, Any]) -> None:
    """Let the dMSA carry the mark that prepare gave it, unless the case says otherwise."""
    if facts.get("dmsa") is not None:
        facts["dmsa"] = {**MARK, **facts["dmsa"]}


def _more(given: Situation, state: MigrationState) -> MigrationState:
    """Return a state with what only these cases say of it."""
    extra = given.facts.get("journal", {})
    for subject, name in extra.get("open", {}).items():
        where = subject if subject == "directory" else f"{subject}.corp.example"
        state = replace(state, open={**state.open, where: _attempt(where, name)})
    if "dmsa_guid" in extra:
        state = replace(state, dmsa_guid=UUID(int=extra["dmsa_guid"]))
    for host in extra.get("lost", ()):
        state = replace(state, lost={f"{host}.corp.example": Lost("ann", "scrapped", None)})
    if "compared" in extra:
        told = {"migration": MIGRATION, "snapshot": "0", "now": "1", "equal": 1, "differences": extra["compared"]}
        state = replace(state, compared=Compared.model_validate(told))
    return state


def _attempt(subject: str, name: str) -> Attempt:
    said = {"migration": MIGRATION, "step": "start", "subject": subject, "endpoint": "dc01", "cmdlet": name}
    ids = {"parameters": {}, "shell": UUID(int=7), "pipeline": UUID(int=8)}
    return Attempt(AttemptStarted.model_validate(said | ids), None)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_is_found(path: Path):
    given, found, asked = judged(path)
    wanted: dict[str, dict[str, str]] = given.facts.get("finds") or {}
    assert [one.id for one in found] == list(wanted), found
    for one in found:
        for key, fragment in (wanted[one.id] or {}).items():
            assert fragment in getattr(one, key), (one.id, key)
        assert one.next
        assert "None" not in f"{one.there} {one.should} {one.next}"
    for read in asked:
        check(read)


def test_every_kind_of_finding_and_every_phase_has_a_case():
    named = {path.stem for path in CASES}
    assert named >= PHASES
    assert {id_ for path in CASES for id_ in load(path).facts.get("finds") or {}} == set(IDS)
    for path in CASES:
        facts = load(path).facts
        assert facts["why"], path
        assert path.stem not in PHASES or not facts.get("finds"), path
