"""What is kept of answers costs what has changed, however many migrations there are, and is never somebody else's."""

from __future__ import annotations

import pickle
from copy import copy, deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.engine import standing
from orchestrator.engine.outside import window_of
from orchestrator.engine.waves import Go, NotYet, admissible, asked_anew
from orchestrator.engine.windows import steady_until
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.states import States
from orchestrator.model.words import Approved
from tests.engine.runs import AT, HELD, at, measure, plan, run
from tests.engine.test_standing import STATES

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def wider(small: Plan, migrations: int) -> Plan:
    """Return the plan with so many migrations in its last wave."""
    *before, wave = small.waves
    (one,) = wave.migrations
    names = [one.dmsa.model_copy(update={"name": f"{one.id}{k}"}) for k in range(migrations)]
    many = wave.model_copy(update={"migrations": tuple(one.model_copy(update={"dmsa": name}) for name in names)})
    return Plan.model_construct(**{**dict(small), "waves": (*before, many)})


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


class Asked:
    """How often the rules are asked while this is entered: where migrations stand, and what is said of that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch, self.positions, self.judged = monkeypatch, 0, 0

    def __enter__(self) -> Self:
        position_of, judged = standing.position_of, standing.judged

        def one(*given: Any) -> Any:
            self.positions += 1
            return position_of(*given)

        def other(*given: Any) -> Any:
            self.judged += 1
            return judged(*given)

        self._patch.setattr(standing, "position_of", one)
        self._patch.setattr(standing, "judged", other)
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


def after_one_event(monkeypatch: pytest.MonkeyPatch, migrations: int) -> tuple[int, int]:
    """Return how often the rules are asked after one of so many was moved, and a second has passed."""
    one, state = wide(migrations), RunState("table")
    admissible(state, one, AT)
    with Asked(monkeypatch) as asked:
        state.migrations["w3-1"] = at("prepared", "w3-1")
        answers = admissible(state, one, AT + timedelta(seconds=1))
    assert answers["w3-1"] == Go(Trigger.START, admits=True)
    assert len(answers) == migrations
    return asked.positions, asked.judged


def test_one_event_asks_the_rules_about_one_migration_whether_there_are_forty_or_four_thousand(monkeypatch):
    assert after_one_event(monkeypatch, 40) == after_one_event(monkeypatch, 4_000) == (1, 1)


OPENS = AT.replace(hour=22)
NIGHTLY = {"window": {"days": DAYS, "open": "22:00", "close": "04:00", "zone": "UTC"}}
CHANGES = ["a window opens", "a window closes", "a need is met", "the budget is spent", "people have approved"]


def after(monkeypatch: pytest.MonkeyPatch, change: str, migrations: int) -> int:
    """Return how often the rules are asked about so many, for all of whom something changed."""
    one, waits = plan({"ids": "z"}, NIGHTLY | {"ids": "a", "at_once": 5}, approvals={"start": 1}), OPENS
    one = wider(one, migrations)
    state = RunState("table", digest="this")
    state.migrations |= {f"a{k}": at("prepared" if k % 3 else "planned", f"a{k}") for k in range(migrations)}
    approved = Approved(wave="w2", gate="start", digest="this", by="ann", given=AT)
    if change != "people have approved":
        state.apply(approved, AT)
    if change == "a window opens":
        admissible(state, one, OPENS - timedelta(seconds=1))
    elif change == "a window closes":
        waits += timedelta(hours=6)
        admissible(state, one, waits - timedelta(seconds=1))
    else:
        admissible(state, one, waits)
    with Asked(monkeypatch) as asked:
        if change == "a need is met":
            state.migrations["z"] = at("completed", "z")
        elif change == "the budget is spent":
            state.migrations["a1"] = at("prepared", "a1", held=HELD, failure="failed")
        elif change == "people have approved":
            state.apply(approved, AT)
        answers = admissible(state, one, waits)
    assert asked.positions <= 1
    assert answers == asked_anew(state, one, waits)
    return asked.judged


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_for_a_whole_wave_asks_the_rules_as_often_for_forty_as_for_two_thousand(monkeypatch, change):
    assert 1 <= after(monkeypatch, change, 40) == after(monkeypatch, change, 2_000) <= 8


def test_a_restart_that_was_measured_asks_about_those_for_whom_it_counts(monkeypatch):
    """Its own restarts count for a migration before those of others do."""
    one = wider(plan(NIGHTLY | {"ids": "a", "needs": []}), 200)
    state = RunState("table")
    state.migrations |= {f"a{k}": at("registered", f"a{k}", admitted=Trigger.START) for k in range(200)}
    late = OPENS + timedelta(hours=5, minutes=52)
    admissible(state, one, late)
    for number in range(6):
        with Asked(monkeypatch) as asked:
            measure(state, "a7", timedelta(minutes=9))
            answers = admissible(state, one, late)
        assert asked.positions == 1
        assert answers == asked_anew(state, one, late)
        assert isinstance(answers["a7"], Go if number < 4 else NotYet)
        assert isinstance(answers["a8"], Go)
    measure(state, "z", timedelta(minutes=9), 20)
    with Asked(monkeypatch) as asked:
        answers = admissible(state, one, late)
    assert (asked.positions, asked.judged) == (0, 4)
    assert answers == asked_anew(state, one, late)
    assert isinstance(answers["a8"], NotYet)


# At the edges.

SHUT = [{"from": AT.date() + timedelta(days=2), "to": AT.date() + timedelta(days=2), "reason": "closed"}]
NIGHT = {"days": DAYS, "open": "22:00", "close": "04:00", "zone": "Europe/Berlin"}
NOON = {"days": DAYS, "open": "12:30", "close": "13:30", "zone": "America/New_York"}
EDGED = (
    plan({"ids": "abcdef", "at_once": 2, "window": NIGHT, "blackout": SHUT}, restart_takes="50m"),
    plan({"ids": "abc", "window": NIGHT}, {"ids": "def", "needs": [], "blackout": SHUT}, on_failure="undo"),
    plan(
        {"ids": "abcdef", "at_once": 3, "windows": {"start": NIGHT, "complete": NOON}, "blackout": SHUT},
        approvals={"start": 1, "complete": 1, "valid_for": "10h"},
        reboot="after_registry",
    ),
    plan({"ids": "abcd"}, {"ids": "ef", "needs": []}, approvals={"start": 1, "valid_for": "10h"}),
)


def edges(one: Plan) -> list[datetime]:
    """Return every moment, over four days, at which a window or a blackout begins or ends, or an approval runs out."""
    found = {AT + timedelta(hours=hours) for hours in (0, 10, 16, 21)}
    for wave in one.waves:
        windows = [window for gate in ("start", "complete") if (window := window_of(wave, gate))]
        for window in windows:
            edge = AT
            while edge < AT + timedelta(days=4):
                edge = steady_until(window, wave.blackout, edge)
                found |= {edge, edge - timedelta(minutes=5), edge - timedelta(minutes=50)}
    return sorted(found)


EDGES = {number: edges(one) for number, one in enumerate(EDGED)}
NEAR = [timedelta(microseconds=micro) for micro in (-1, 0, 0, 1)]
SAID = [
    Approved(wave=wave, gate=gate, digest="this", by="ann", given=AT + timedelta(hours=hours))
    for wave in ("w1", "w2")
    for gate in ("start", "complete")
    for hours in (0, 6, 11)
]
STEP = st.tuples(
    st.lists(STATES.filter(lambda state: state.id in "abcdef"), max_size=3),
    st.lists(st.sampled_from(SAID), max_size=2),
    st.none() | st.tuples(st.sampled_from("abz"), st.sampled_from([4, 20, 70]), st.sampled_from([1, 5, 20])),
    st.booleans() | st.none(),
    st.integers(0, 10**6),
    st.sampled_from(NEAR),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(EDGES)), st.lists(STEP, min_size=1, max_size=12))
def test_at_and_beside_every_edge_they_are_as_if_asked_anew_also_where_time_goes_back(number, steps):
    """Mostly edge by edge, as time goes; sometimes to any edge, or where the time cannot be read."""
    one, moments, place = EDGED[number], EDGES[number], 0
    state = RunState("table", digest="this")
    for states, words, measured, jumps, anywhere, beside in steps:
        place = anywhere % len(moments) if jumps else min(place + anywhere % 3, len(moments) - 1)
        now = None if jumps is None and anywhere % 4 == 0 else moments[place] + beside
        for word in words:
            state.apply(word, now)
        if measured is not None:
            id_, minutes, times = measured
            measure(state, id_, timedelta(minutes=minutes), times)
        state.migrations |= {one.id: one for one in states}
        known = admissible(state, one, now)
        anew = asked_anew(state, one, now)
        assert (known, list(known)) == (anew, list(anew))


@pytest.mark.parametrize("number", sorted(EDGES))
def test_from_edge_to_edge_with_everybody_in_every_phase(number):
    one = EDGED[number]
    for phase in Phase:
        state = RunState("table", digest="this")
        state.migrations |= {id_: at(phase, id_) for id_ in "abcdef"}
        for word in SAID[:2]:
            state.apply(word, AT)
        for moment in EDGES[number]:
            for beside in sorted(NEAR):
                assert admissible(state, one, moment + beside) == asked_anew(state, one, moment + beside)


def test_a_clock_that_is_put_back_within_one_window_is_heard():
    one, state = plan(NIGHTLY | {"ids": "a"}, restart_takes="50m"), RunState("table")
    early, late = OPENS + timedelta(hours=3), OPENS + timedelta(hours=5, minutes=30)
    admissible(state, one, early - timedelta(hours=1))
    state.migrations["a"] = at("registered", "a", admitted=Trigger.START)
    assert isinstance(admissible(state, one, late)["a"], NotYet)
    assert admissible(state, one, early) == asked_anew(state, one, early) == {"a": Go(Trigger.RESTART)}


def test_where_the_last_has_left_nobody_is_given_a_place():
    """Complete, which would be too late before the window closes."""
    one, state = plan(NIGHTLY | {"ids": "ab"}, restart_takes="50m"), run(a=Phase.SOAKED)
    assert admissible(state, one, OPENS + timedelta(hours=2))["a"] == Go(Trigger.COMPLETE, admits=True)
    state.migrations["a"] = at("switched", "a", admitted=Trigger.COMPLETE)
    state.migrations["b"] = at("prepared", "b")
    for hours in (3, 4):
        later = OPENS + timedelta(hours=hours)
        assert admissible(state, one, later) == asked_anew(state, one, later)


def test_rules_of_approval_that_name_keys_can_be_told_apart_too():
    one = plan({"ids": "ab"}, approvals={"start": 1, "keys": {"ann": "x"}})
    state = run(a=Phase.PREPARED, b=Phase.PREPARED)
    assert admissible(state, one, AT) == asked_anew(state, one, AT)
    rules = [one.policy_of("a").approvals, plan({"ids": "ab"}, approvals={"start": 1}).policy_of("a").approvals]
    assert len({*rules, *rules}) == 2


# Whose they are.


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
