"""What is kept of answers costs what has changed, however many migrations there are, and is never somebody else's."""

from __future__ import annotations

import pickle
from copy import copy, deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.engine import standing
from orchestrator.engine.waves import Go, admissible, asked_anew
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.states import States
from tests.engine.runs import AT, at, plan, run


def wide(migrations: int) -> Plan:
    """Return a plan of ten waves that do not need each other."""
    small = plan(*({"ids": "a", "needs": [], "at_once": 5} for _ in range(10)))
    waves = []
    for number, wave in enumerate(small.waves):
        (one,) = wave.migrations
        ids = [f"w{number}-{k}" for k in range(migrations // 10)]
        many = tuple(one.model_copy(update={"dmsa": one.dmsa.model_copy(update={"name": id_})}) for id_ in ids)
        waves.append(wave.model_copy(update={"migrations": many}))
    return Plan.model_construct(**{**dict(small), "waves": tuple(waves)})


def asked(monkeypatch: pytest.MonkeyPatch, migrations: int) -> int:
    """Return how many migrations the rules are asked about after one of so many was moved, and a second has passed."""
    one, state = wide(migrations), RunState("table")
    admissible(state, one, AT)
    count, alone = 0, standing.alone

    def counted(*given: Any) -> Any:
        nonlocal count
        count += 1
        return alone(*given)

    monkeypatch.setattr(standing, "alone", counted)
    state.migrations["w3-1"] = at("prepared", "w3-1")
    answers = admissible(state, one, AT + timedelta(seconds=1))
    monkeypatch.undo()
    assert answers["w3-1"] == Go(Trigger.START, admits=True)
    assert len(answers) == migrations
    return count


def test_one_event_asks_the_rules_about_one_migration_whether_there_are_forty_or_four_thousand(monkeypatch):
    assert asked(monkeypatch, 40) == asked(monkeypatch, 4_000) == 1


def test_what_is_returned_is_the_callers_own():
    one, state = plan({"ids": "ab"}), run(a=Phase.PREPARED)
    admissible(state, one, AT).clear()
    assert list(admissible(state, one, AT)) == ["a", "b"]


def test_a_copy_of_a_run_has_answers_of_its_own():
    one, first = plan({"ids": "ab", "at_once": 1}), run(a=Phase.PREPARED)
    admissible(first, one, AT)
    second = first.copied()
    second.migrations["a"] = at("started", "a", admitted=Trigger.START)
    assert admissible(second, one, AT)["a"] == Go(Trigger.LINK)
    assert admissible(first, one, AT)["a"] == Go(Trigger.START, admits=True)


@pytest.mark.parametrize("how", ["set", "or", "update", "another", "pop", "del", "clear", "setdefault", "popitem"])
def test_a_state_is_missed_in_no_way_in_which_it_can_be_put_there(how: str):
    one, state = plan({"ids": "ab", "at_once": 1}), run(a=Phase.PREPARED)
    admissible(state, one, AT)
    new = at("linked", "b")
    match how:
        case "set":
            state.migrations["b"] = new
        case "or":
            state.migrations |= {"b": new}
        case "update":
            state.migrations.update(b=new)
        case "another":
            state.migrations = {"b": new}
        case "pop":
            state.migrations.pop("a")
        case "del":
            del state.migrations["a"]
        case "clear":
            state.migrations.clear()
        case "setdefault":
            state.migrations.setdefault("b", new)
        case "popitem":
            state.migrations.popitem()
    assert admissible(state, one, AT) == asked_anew(state, one, AT)


@pytest.mark.parametrize("again", [copy, deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_one_that_was_copied_or_sent_to_another_process_is_another(again: Any):
    one, first = plan({"ids": "ab", "at_once": 1}), run(a=Phase.PREPARED)
    admissible(first, one, AT)
    second = again(first)
    assert second == first
    for state, phase in ((second, Phase.STARTED), (first, Phase.LINKED), (second, Phase.PREPARED)):
        state.migrations["a"] = at(phase, "a")
        for each in (first, second):
            assert admissible(each, one, AT) == asked_anew(each, one, AT)


def test_another_plan_or_another_choice_is_asked_about_anew():
    one, other, state = plan({"ids": "ab"}), plan({"ids": "ab", "at_once": 1}), run(a=Phase.PREPARED, b=Phase.PREPARED)
    for chosen in (None, ["a"], ["b"]):
        for which in (one, other, one):
            assert admissible(state, which, AT, chosen) == asked_anew(state, which, AT, chosen)


def test_whoever_watches_last_is_told():
    states = States(a=MigrationState(id="a"))
    first = states.watch()
    states["a"] = replace(states["a"], attempt=2)
    second = states.watch()
    states["b"] = MigrationState(id="b")
    assert (first, second) == ({"a"}, {"b"})
    assert states.is_watched_by(second)
    assert not states.is_watched_by(first)
