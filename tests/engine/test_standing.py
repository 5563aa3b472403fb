"""The wave rules from turn to turn say what the wave rules say when they are asked anew."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.standing import Standing
from orchestrator.engine.waves import Go, NotYet, admissible, is_met
from orchestrator.model.lifecycle import Intention, Phase, Trigger, Way
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState, Waiting
from tests.engine.runs import AT, HELD, attempt, held, measure, plan

NIGHT = {"days": ["mon", "tue"], "open": "22:00", "close": "04:00", "zone": "UTC"}
PLANS = (
    plan({"ids": "abcd", "at_once": 2}, {"ids": "efg", "at_once": 1}),
    plan({"ids": "ab", "failures": {"allow": 1}}, {"ids": "cdefg", "at_once": 2, "needs": []}, on_failure="undo"),
    plan({"ids": "abc", "needs": ["w2"]}, {"ids": "defg", "needs": []}),
    plan({"ids": "abc", "at_once": 1, "window": NIGHT}, {"ids": "defg", "at_once": 3}, approvals={"complete": 1}),
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
TURNS = st.lists(
    st.tuples(
        st.lists(STATES, max_size=4),
        st.sampled_from([0, 0, 6, 10, 11, 5.9]),
        st.none() | st.tuples(st.sampled_from("abz"), st.integers(1, 8), st.sampled_from([5, 20])),
    ),
    min_size=1,
    max_size=6,
)


@given(st.sampled_from(PLANS), TURNS, st.sampled_from([None, "abde"]))
def test_asked_from_turn_to_turn_or_anew_the_answers_are_the_same(one, turns, chosen):
    run, at = RunState("table"), AT
    waves = {wave.name: Standing(one, wave, chosen) for wave in one.waves}
    for states, hours, measured in turns:
        at += timedelta(hours=hours)
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
            changed = standing.ask(unmet, at, run.restarts)
            assert standing.met == is_met(run, wave)
            assert {id_ for id_ in standing.places if before.get(id_) != standing.answers[id_]} <= changed
            answers |= {id_: standing.answers[id_] for id_ in standing.places}
        assert answers == admissible(run, one, at, chosen)


def test_a_state_that_changed_is_named_even_where_its_answer_did_not():
    one = plan({"ids": "ab"})
    run = RunState("table")
    standing = Standing(one, one.waves[0])
    standing.take_in(run, ())
    assert standing.ask([], AT, run.restarts) == {"a", "b"}
    standing.take_in(run, ["a"])
    assert standing.ask([], AT, run.restarts) == set()
    run.migrations["a"] = MigrationState(id="a", attempt=2)
    standing.take_in(run, ["a"])
    assert standing.ask([], AT, run.restarts) == {"a"}
    standing.forget()
    standing.take_in(run, ())
    assert standing.ask([], AT, run.restarts) == {"a", "b"}


def test_a_restart_that_was_measured_in_another_wave_is_heard_of():
    one = plan({"ids": "a", "window": NIGHT, "needs": []}, {"ids": "b", "needs": []})
    run = RunState("table")
    run.migrations["a"] = MigrationState(id="a", phase=Phase.REGISTERED, admitted=Trigger.START)
    standing, soon = Standing(one, one.waves[0]), AT + timedelta(hours=15, minutes=53)
    standing.take_in(run, ())
    standing.ask([], soon, run.restarts)
    assert isinstance(standing.answers["a"], Go)
    measure(run, "b", timedelta(minutes=8), 20)
    assert standing.ask([], soon, run.restarts) == {"a"}
    assert isinstance(standing.answers["a"], NotYet)
