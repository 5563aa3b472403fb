"""What is worth a look in a turn: what changed, what was stirred, what is due, and nothing else."""

from datetime import timedelta

import pytest

from orchestrator.conductor.agenda import Agenda
from orchestrator.engine.failing import Spent
from orchestrator.engine.waves import Go
from orchestrator.model.event import Held
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.run import RunState
from tests.engine.runs import AT, plan, run

TWO = plan({"ids": "ab"}, {"ids": "cd"})
HELD = Held(migration="a", reason="operator", detail="wait", release="`dmsa release`", by="y")


def looked_at(agenda: Agenda, state: RunState, at=AT) -> str:
    return "".join(id_ for id_, _ in agenda.worth_a_look(state, at))


@pytest.fixture
def agenda() -> Agenda:
    return Agenda(TWO, "abcd")


def test_at_first_everything_in_the_order_of_the_plan_then_nothing(agenda):
    assert [looked_at(agenda, RunState("r")) for _ in "12"] == ["abcd", ""]


def test_what_changed_or_was_stirred_is_looked_at_once(agenda):
    state = RunState("r")
    looked_at(agenda, state)
    agenda.stir("d")
    state.apply(HELD, AT)
    assert [looked_at(agenda, state) for _ in "12"] == ["ad", ""]


def test_what_changes_during_a_turn_is_looked_at_in_the_next(agenda):
    state = RunState("r")
    for id_, _ in agenda.worth_a_look(state, AT):
        if id_ == "c":
            state.apply(HELD, AT)
    assert looked_at(agenda, state) == "a"


def test_a_subject_that_waits_is_left_alone_until_it_is_due(agenda):
    state, key, due = RunState("r"), ("b", "directory"), AT + timedelta(hours=1)
    looked_at(agenda, state)
    agenda.wait(key, due)
    assert agenda.waits(key)
    assert agenda.next_due() == due
    assert looked_at(agenda, state) == ""
    assert looked_at(agenda, state, due) == "b"
    assert not agenda.waits(key)
    assert agenda.next_due() is None


def test_a_later_word_on_when_it_is_due_counts(agenda):
    key = ("b", "directory")
    agenda.wait(key, AT)
    agenda.wait(key, AT + timedelta(hours=1))
    assert agenda.next_due() == AT + timedelta(hours=1)
    agenda.wait(key, None)
    assert agenda.next_due() is None
    assert agenda.waits(key)
    agenda.forget("b")
    assert not agenda.waits(key)


def test_what_would_begin_without_room_comes_when_there_is_some_and_the_furthest_first():
    one, state = Agenda(plan({"ids": "abcd"}), "abcd"), run(a=Phase.PLANNED, b=Phase.PLANNED, c=Phase.PREPARED)
    assert [id_ for id_, _ in one.worth_a_look(state, AT, lambda _id: True)] == []
    rooms = iter([False, False, True])
    assert [id_ for id_, _ in one.worth_a_look(state, AT, lambda _id: next(rooms))] == ["c"]
    assert looked_at(one, state) == "abd"
    assert looked_at(one, state) == ""


def test_what_was_put_off_and_may_not_begin_any_more_is_left_out():
    one, state = Agenda(plan({"ids": "ab"}), "ab"), RunState("r")
    list(one.worth_a_look(state, AT, lambda _id: True))
    state.apply(HELD, AT)
    said = dict(one.worth_a_look(state, AT, lambda id_: id_ == "b"))
    assert not isinstance(said["a"], Go)
    assert "b" not in said
    assert looked_at(one, state) == "b"


def test_when_all_is_forgotten_everything_is_looked_at_even_in_another_state(agenda):
    looked_at(agenda, RunState("r"))
    agenda.wait(("a", "directory"), AT)
    agenda.forget()
    assert not agenda.waits(("a", "directory"))
    assert looked_at(agenda, RunState("r")) == "abcd"


def test_a_wave_that_needs_a_later_one_goes_in_the_turn_in_which_that_is_met():
    one = plan({"ids": "a", "needs": ["w2"]}, {"ids": "b", "needs": []})
    answers = dict(Agenda(one, "ab").worth_a_look(run(b=Phase.COMPLETED), AT))
    assert answers["a"] == Go(Trigger.PREPARE)


def test_a_failure_of_this_turn_that_spends_the_budget_counts_in_this_turn():
    state = run(a=Phase.PREPARED, b=Phase.PREPARED)
    said = {}
    for id_, answer in Agenda(TWO, "abcd").worth_a_look(state, AT):
        said[id_] = answer
        if id_ == "a":
            state.apply(HELD.model_copy(update={"reason": "fault", "by": None}), AT)
    assert isinstance(said["a"], Go)
    assert isinstance(said["b"], Spent)
