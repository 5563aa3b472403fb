"""Every guard against what may be read: a case is one file, ``cases/<guard-id>/<what is so>.yaml``.

``stage`` is when it is asked; ``verdict`` (or ``verdicts`` by subject) what it must say, ``says`` a part of its
evidence, and ``remedy`` a part of its remedy. Nothing here changes for a new case, nor for a new guard: one without
cases fails.
"""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.guards import Answer, all_guards, ask
from orchestrator.model.case import Seen
from orchestrator.model.found_there import with_found
from orchestrator.model.guard_ids import GUARDS, Stage
from orchestrator.model.observation import Unreadable
from tests.cases import MIGRATION, Situation, files, ident, load

FOLDER = Path(__file__).parent / "cases"
CASES = files(FOLDER)
BY_ID = {guard.id: guard for guard in all_guards()}


def asked(guard: str, given: Situation) -> tuple[Answer, ...]:
    """Let one guard probe until it asks nothing new, then judge."""
    _, case, far, _ = given
    stage, seen = Stage(given.facts["stage"]), Seen(MIGRATION, guarded=True)
    for _ in range(6):
        try:
            reads = BY_ID[guard].probe(with_found(case, seen), stage, seen)
        except Unreadable:
            break
        new = tuple(read for read in reads if any(seen.reply_to(one, read.endpoint) is None for one in read.statements))
        before, seen = seen, far.seen(MIGRATION, new, seen)
        if len(seen.replies) == len(before.replies):
            break
    else:
        raise AssertionError(f"{guard} asks for ever")
    return tuple(answer for answer in ask(case, stage, seen) if answer.guard == guard)


@pytest.mark.parametrize("path", CASES, ids=ident)
def test_verdict(path: Path):
    given = load(path)
    wanted: dict[str, Any] = given.facts
    answers = asked(path.parent.name, given)
    assert answers
    if "verdicts" in wanted:
        assert {one.verdict.subject.partition(".")[0]: one.verdict.word for one in answers} == wanted["verdicts"]
    else:
        assert [one.verdict.word for one in answers] == [wanted["verdict"]], answers[0].verdict.evidence
    said = " ".join(one.verdict.evidence for one in answers)
    for fragment in [wanted["says"]] if isinstance(wanted.get("says"), str) else wanted.get("says", []):
        assert fragment in said
    against = [one for one in answers if one.verdict.passed is not True]
    assert all(one.verdict.remedy or one.verdict.waits for one in against), "a refusal says what to do"
    assert all(wanted.get("remedy", "") in one.verdict.remedy for one in against)
    assert all(one.waived is wanted.get("waived", False) for one in against)
    assert [one.verdict.waits[0] for one in answers if one.verdict.waits] == wanted.get("waits", [])


def test_every_guard_has_a_case_for_every_answer():
    """``may: [pass, refuse]`` in a case tells of a guard that cannot be unable to answer, for it reads nothing."""
    shown: dict[str, set[str]] = {}
    may: dict[str, set[str]] = {}
    for path in CASES:
        facts = load(path).facts
        words = facts["verdicts"].values() if "verdicts" in facts else [facts["verdict"]]
        shown.setdefault(path.parent.name, set()).update(words)
        may.setdefault(path.parent.name, {"pass", "refuse", "unknown"}).intersection_update(
            facts.get("may", ["pass", "refuse", "unknown"])
        )
    assert set(shown) == set(BY_ID)
    assert {id_: may[id_] - words for id_, words in shown.items() if may[id_] - words} == {}


def test_every_case_asks_at_a_stage_of_its_guard():
    for path in CASES:
        assert Stage(str(load(path).facts["stage"])) in GUARDS[path.parent.name].stages, path
