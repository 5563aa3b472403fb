"""Every step against what may be read: a case is one file, ``cases/<step>/<what happens>.yaml``; nothing here changes.

The harness does what the engine does with an answer that asks for more or only writes something down, and compares the
first answer that is neither.
"""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.action import Answer, Done, Observe, Perform, Record, Stop, Wait
from orchestrator.model.before import Compared
from orchestrator.model.case import Case
from orchestrator.model.event import Event, Moved
from orchestrator.model.lifecycle import Pair, Trigger
from orchestrator.model.observation import Unreadable
from orchestrator.model.run import RunState
from orchestrator.remote.gate import check
from orchestrator.steps import STEPS, Step
from orchestrator.steps.restart_back import RestartBack
from tests.cases import MIGRATION, Situation, files, ident, load

FOLDER = Path(__file__).parent / "cases"
CASES = files(FOLDER)
ANSWERS = {"perform": Perform, "wait": Wait, "stop": Stop, "done": Done, "unreadable": Unreadable, "moves": Record}


def step_of(name: str) -> Step:
    return RestartBack() if name == "restart-back" else STEPS[Trigger(name)]


def follow(step: Step, given: Situation) -> tuple[Answer | Unreadable, list[str], list[str]]:
    """Return the first answer that is more than a question or a note, the notes, and what was asked on the way."""
    _, case, far, subject = given
    rest = step.rests(case, subject)
    if rest is not None:
        return rest, [], []
    seen = far.seen(MIGRATION, step.reads(case, subject))
    notes: list[str] = []
    asked: list[str] = []
    for _ in range(9):
        try:
            answer = step.judge(case, subject, seen)
        except Unreadable as unreadable:
            return unreadable, notes, asked
        if isinstance(answer, Observe):
            assert answer.more
            asked += [statement.name for read in answer.reads for statement in read.statements]
            seen = far.seen(MIGRATION, answer.reads, seen)
        elif isinstance(answer, Record) and not any(isinstance(event, Moved) for event in answer.events):
            for event in answer.events:
                case.run.apply(event, case.at)
                notes.append(event.kind)
            case = Case.of(case.run, case.plan, MIGRATION, case.at, case.apart)
        else:
            return answer, notes, asked
    raise AssertionError(f"no end to it: {notes}, {asked}")


@pytest.mark.parametrize("path", CASES, ids=ident)
def test_answer(path: Path):
    given = load(path)
    answer, notes, asked = follow(step_of(path.parent.name), given)
    wanted: dict[str, Any] = given.facts["answer"]
    kind = next(word for word in ANSWERS if word in wanted)
    assert isinstance(answer, ANSWERS[kind]), answer
    assert notes == wanted.get("notes", [])
    assert asked == wanted.get("asks", asked)
    _COMPARE[kind](answer, wanted)
    _written_down(getattr(answer, "before", ()), wanted)


def _written_down(events: tuple[Event, ...], wanted: dict[str, Any]) -> None:
    assert [event.kind for event in events] == wanted.get("before", ["compared"] if "compared" in wanted else [])
    for event in events:
        if isinstance(event, Compared):
            found: dict[str, list[str]] = {}
            for one in event.differences:
                found.setdefault(one.verdict, []).append(f"{one.object} {one.name}")
            assert found == {"declared": ["account ProtectedFromAccidentalDeletion", "dmsa dn"], **wanted["compared"]}


def _perform(answer: Perform, wanted: dict[str, Any]) -> None:
    statement = answer.write.statement
    assert statement.name == wanted["perform"]
    assert answer.write.endpoint == wanted.get("to", "dc01") + ".corp.example"
    assert _plain(statement.parameters) | wanted.get("with", {}) == _plain(statement.parameters)
    assert not set(wanted.get("without", ())) & statement.parameters.keys()
    assert answer.wish == (Pair(wanted["wish"]) if "wish" in wanted else answer.wish)
    assert answer.disruptive is wanted.get("disruptive", answer.disruptive)
    check(answer.write)


def _wait(answer: Wait, wanted: dict[str, Any]) -> None:
    assert answer.waiting_for == wanted["wait"]
    for name in ("until", "again"):
        if name in wanted:
            assert getattr(answer, name) == wanted[name], name
    _says(answer.detail, wanted)


def _stop(answer: Stop, wanted: dict[str, Any]) -> None:
    assert answer.reason == wanted["stop"]
    assert answer.release
    _says(answer.detail, wanted)
    _says(answer.release, {"says": wanted.get("release", [])})


def _done(answer: Done, wanted: dict[str, Any]) -> None:
    shown = {
        "pair": answer.pair.value if answer.pair else None,
        "registry": answer.registry,
        "rebooted": answer.rebooted,
        "needed_by": answer.evidence.get("needed_by"),
        "workloads": {one.name: one.state for one in answer.workloads or ()},
    }
    wants = wanted["done"] or {}
    assert {name: shown[name] for name in wants} == wants


def _says(text: str, wanted: dict[str, Any]) -> None:
    for fragment in [wanted["says"]] if isinstance(wanted.get("says"), str) else wanted.get("says", []):
        assert fragment in text


def _plain(parameters: Any) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in _flat(parameters).items()}


def _flat(parameters: Any) -> dict[str, Any]:
    """Return parameters with a hashtable's entries beside them: ``ServicePrincipalNames.Add``."""
    flat = {}
    for name, value in parameters.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _moves(answer: Record, wanted: dict[str, Any]) -> None:
    run = RunState("cases")
    for event in (e.model_copy(update={"migration": MIGRATION}) for e in answer.events if isinstance(e, Moved)):
        run.apply(event, None)  # the law must have such a move
    assert run[MIGRATION].phase.value == wanted["moves"]


_COMPARE = {
    "moves": _moves,
    "perform": _perform,
    "wait": _wait,
    "stop": _stop,
    "done": _done,
    "unreadable": lambda answer, wanted: _says(str(answer), {"says": wanted["unreadable"]}),
}


def test_every_step_has_cases():
    assert {path.parent.name for path in CASES} == {*map(str, STEPS), "restart-back"}


def test_every_case_says_why():
    for path in CASES:
        assert load(path).facts["why"], path


@pytest.mark.parametrize("name", ["adopt/a-fresh-dmsa", "prepare/first-the-snapshot"])
def test_a_host_that_was_read_before_its_switch_was_put_back_is_not_written_down(name):
    """What was read is what another migration had set; what was there before it is only known to who read later."""
    step = step_of(name.partition("/")[0])
    _, case, far, subject = load(FOLDER / f"{name}.yaml")
    case.run.switches.restored_at["app01.corp.example"] = case.at
    seen = replace(far.seen(MIGRATION, step.reads(case, subject)), since=case.at - timedelta(seconds=1))
    again = step.judge(case, subject, seen)
    assert isinstance(again, Observe), again
    assert (again.more, again.reads) == (False, step.reads(case, subject))
