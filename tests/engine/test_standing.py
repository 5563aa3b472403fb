"""The wave rules from turn to turn say what the wave rules say when they are asked anew."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.engine.standing import Standing
from orchestrator.engine.waves import Go, NotYet, admissible, asked_anew, crowded, is_met
from orchestrator.model.driven import RunnerTook
from orchestrator.model.lifecycle import Intention, Phase, Trigger, Way
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState, Waiting
from orchestrator.model.words import Amended, ApprovalWithdrawn, Approved
from tests.engine.runs import AT, HELD, attempt, held, measure, plan

NIGHT = {"days": ["mon", "tue"], "open": "22:00", "close": "04:00", "zone": "UTC"}
TEN_HOURS = {"valid_for": "10h"}
MORNING = {"days": ["sun", "mon", "tue"], "open": "01:30", "close": "03:00", "zone": "Europe/Berlin"}
SHORT = {"days": ["mon", "tue", "wed"], "open": "23:10", "close": "00:20", "zone": "America/New_York"}
CLOSED = [{"from": AT.date() + timedelta(days=1), "to": AT.date() + timedelta(days=1), "reason": "closed"}]
PLANS = (
    plan({"ids": "abcd", "at_once": 2}, {"ids": "efg", "at_once": 1}),
    plan({"ids": "ab", "failures": {"allow": 1}}, {"ids": "cdefg", "at_once": 2, "needs": []}, on_failure="undo"),
    plan({"ids": "abc", "needs": ["w2"]}, {"ids": "defg", "needs": []}),
    plan({"ids": "abc", "at_once": 1, "window": NIGHT}, {"ids": "defg", "at_once": 3}, approvals={"complete": 1}),
    plan({"ids": "abc", "window": NIGHT}, {"ids": "defg", "needs": []}, approvals={"start": 1, "complete": 1}),
    plan({"ids": "abcd", "at_once": 3}, {"ids": "efg", "needs": []}, approvals={"start": 1, "complete": 2} | TEN_HOURS),
    plan({"ids": "abcde", "at_once": 4, "windows": {"start": NIGHT, "complete": MORNING}, "blackout": CLOSED}),
    plan({"ids": "abcde", "at_once": 4, "windows": {"start": SHORT}, "blackout": CLOSED}, restart_takes="50m"),
)
STATES = st.builds(
    MigrationState,
    id=st.sampled_from("abcdefg"),
    phase=st.sampled_from(Phase),
    intention=st.sampled_from([Intention.FORWARD, Intention.FORWARD, Intention.BACK]),
    way=st.sampled_from(Way),
    held=st.sampled_from([None, None, HELD, held("fault"), held("not-converged")]),
    failure=st.sampled_from([None, None, "failed", "refused"]),
    admitted=st.sampled_from([None, Trigger.START, Trigger.COMPLETE]),
    sent=st.sampled_from([frozenset(), frozenset({"Start-ADServiceAccountMigration"})]),
    adopted=st.sampled_from([False, False, True]),
    waits=st.sampled_from([{}, {"h": Waiting("task-run", None)}, {"h": Waiting("retry", None)}]),
    open=st.sampled_from([{}, {"directory": attempt()}]),
)
PEOPLE = st.sampled_from(["ann", "ANN", "ben", "cleo"])
WORDS = st.one_of(
    st.builds(
        Approved,
        wave=st.sampled_from(["w1", "w2"]),
        gate=st.sampled_from(["start", "complete"]),
        digest=st.sampled_from(["this", "this", "other"]),
        by=PEOPLE,
        given=st.sampled_from([0, 6, 11]).map(lambda hours: AT + timedelta(hours=hours)),
    ),
    st.builds(ApprovalWithdrawn, wave=st.just("w1"), gate=st.just("complete"), by=PEOPLE),
    st.builds(RunnerTook, by=PEOPLE, host=st.just("h"), pid=st.just(1), tool=st.just("1")),
    st.builds(Amended, digest=st.sampled_from(["this", "other"]), plan=st.just({}), by=PEOPLE, reason=st.just("x")),
)
TURNS = st.lists(
    st.tuples(
        st.lists(STATES, max_size=4),
        st.lists(WORDS, max_size=4),
        st.sampled_from([0, 0, 0.01, 0.2, 0.8, 6, 10, 11, 24, 5.9]),
        st.none() | st.tuples(st.sampled_from("abz"), st.integers(1, 8), st.sampled_from([5, 20])),
    ),
    min_size=1,
    max_size=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PLANS), TURNS, st.sampled_from([None, "abde"]))
def test_asked_from_turn_to_turn_or_anew_the_answers_are_the_same(one, turns, chosen):
    run, at = RunState("table", digest="this"), AT
    waves = {wave.name: Standing(one, wave, chosen) for wave in one.waves}
    for states, words, hours, measured in turns:
        at += timedelta(hours=hours)
        for word in words:
            run.apply(word, at)
        if measured is not None:
            id_, minutes, times = measured
            measure(run, id_, timedelta(minutes=minutes), times)
        run.migrations |= {state.id: state for state in states}
        answers = {}
        for wave in one.waves:
            waves[wave.name].take_in(run, [state.id for state in states if state.id in waves[wave.name].places])
        for wave in one.waves:
            standing = waves[wave.name]
            before = dict(standing.answers)
            unmet = [name for name in one.needs_of(wave) if not waves[name].met]
            changed = standing.ask(unmet, at, run)
            assert standing.met == is_met(run, wave)
            others = {id_ for id_ in standing.places if before.get(id_) != standing.answers[id_]}
            assert others <= changed <= others | {state.id for state in states}
            answers |= {id_: standing.answers[id_] for id_ in standing.places}
        anew = asked_anew(run, one, at, chosen)
        assert answers == anew
        known = admissible(run, one, at, chosen)
        assert (known, list(known)) == (anew, list(anew))


def test_a_state_that_changed_is_named_even_where_its_answer_did_not():
    one = plan({"ids": "ab"})
    run = RunState("table")
    standing = Standing(one, one.waves[0])
    standing.take_in(run, ())
    assert standing.ask([], AT, run) == {"a", "b"}
    standing.take_in(run, ["a"])
    assert standing.ask([], AT, run) == set()
    run.migrations["a"] = MigrationState(id="a", attempt=2)
    standing.take_in(run, ["a"])
    assert standing.ask([], AT, run) == {"a"}
    standing.forget()
    standing.take_in(run, ())
    assert standing.ask([], AT, run) == {"a", "b"}


def test_an_approval_that_expires_is_missed_without_any_event():
    """A migration that waited for a place may find, when there is one, that people must approve again."""
    one = plan({"ids": "ab", "at_once": 1}, approvals={"start": 1} | TEN_HOURS)
    run = RunState("table", digest="this")
    run.migrations |= {id_: MigrationState(id=id_, phase=Phase.PREPARED) for id_ in "ab"}
    run.apply(Approved(wave="w1", gate="start", digest="this", by="ann", given=AT), AT)
    standing = Standing(one, one.waves[0])
    standing.take_in(run, ())
    standing.ask([], AT, run)
    assert standing.answers == {"a": Go(Trigger.START, admits=True), "b": crowded(one.waves[0])}
    assert standing.ask([], AT + timedelta(hours=9), run) == set()
    assert standing.ask([], AT + timedelta(hours=10), run) == {"a", "b"}
    assert standing.answers == asked_anew(run, one, AT + timedelta(hours=10))
    assert {answer.waiting_for for answer in standing.answers.values()} == {"approval:start"}


def test_a_restart_that_was_measured_in_another_wave_is_heard_of():
    one = plan({"ids": "a", "window": NIGHT, "needs": []}, {"ids": "b", "needs": []})
    run = RunState("table")
    run.migrations["a"] = MigrationState(id="a", phase=Phase.REGISTERED, admitted=Trigger.START)
    standing, soon = Standing(one, one.waves[0]), AT + timedelta(hours=15, minutes=53)
    standing.take_in(run, ())
    standing.ask([], soon, run)
    assert isinstance(standing.answers["a"], Go)
    measure(run, "a", timedelta(minutes=1))
    assert standing.ask([], soon, run) == set(), "it is looked at, and its answer is the same"
    measure(run, "b", timedelta(minutes=8), 20)
    assert standing.ask([], soon, run) == {"a"}
    assert isinstance(standing.answers["a"], NotYet)


@pytest.mark.parametrize("one", [one for one in PLANS if one.waves[0].blackout], ids=["two", "one"])
def test_while_the_clock_goes_on_and_nothing_else_happens_they_are_the_same(one):
    """Over the weekend on which both zones change to summer time, or one has."""
    run, wave = RunState("table"), one.waves[0]
    standing = Standing(one, wave)
    phases = (Phase.PREPARED, Phase.LINKED, Phase.REGISTERED, Phase.SOAKED, Phase.COMPLETED)
    run.migrations = {id_: MigrationState(id=id_, phase=phase) for id_, phase in zip("abcde", phases, strict=True)}
    standing.take_in(run, ())
    for first in (
        datetime(2026, 3, 2, tzinfo=UTC),
        datetime(2026, 3, 7, 20, tzinfo=UTC),
        datetime(2026, 3, 28, 20, tzinfo=UTC),
    ):
        for step in range(600):
            at = first + timedelta(minutes=5 * step)
            standing.ask([], at, run)
            assert standing.answers == asked_anew(run, one, at), at
