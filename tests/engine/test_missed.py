"""Windows that closed on migrations that were ready for them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.missed import Missed, missed
from orchestrator.engine.waves import Go, admissible
from orchestrator.model.lifecycle import PATH, Phase, Trigger
from orchestrator.model.state import MigrationState
from tests.engine.runs import HELD, at, attempt, back, failed, flying, held, plan, refused, run, waits

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NIGHT = {"days": DAYS, "open": "22:00", "close": "04:00", "zone": "UTC"}


def on(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{text}+00:00")


EVENING, CLOSED, MORNING = on("02T21:00"), on("03T04:00"), on("03T08:00")


COMPLETED = frozenset({"Complete-ADServiceAccountMigration"})


def halfway(**more: Any) -> MigrationState:
    return flying("registered", performed={("h", "Restart-Service App"): 1}, **more)


def steps(state: Any, **keys: Any) -> list[Trigger]:
    one = plan({"ids": "ab", "window": NIGHT, **keys})
    return [miss.step for miss in missed(run(a=state), one, EVENING, MORNING)]


@pytest.mark.parametrize(
    ("why", "state", "wanted"),
    [
        ("ready to start", at("prepared"), ["start"]),
        ("admitted, and had sent nothing", flying("prepared"), ["start"]),
        ("ready to set the switches", flying("linked"), ["registry"]),
        ("ready to restart", flying("registered"), ["restart"]),
        ("ready to complete", at("soaked"), ["complete"]),
        ("ready since long ago", at("prepared", since=on("01T12:00")), ["start"]),
        ("ready since the window was open", at("prepared", since=on("03T03:59")), ["start"]),
        ("ready only after it had closed", at("prepared", since=CLOSED), []),
        (
            "a restart in the midst waits for it",
            flying("registered", performed={("h", "X"): 1}, waits=waits("window")),
            ["restart"],
        ),
        ("it is under way", halfway(), []),
        ("it was released in its midst", at("soaked", sent=COMPLETED), []),
        ("a call is under way", flying("prepared", open={"directory": attempt()}), []),
        ("not prepared yet", at("planned"), []),
        ("it links, at any time", flying("started"), []),
        ("it soaks", at("restarted"), []),
        ("it confirms, at any time", flying("switched", Trigger.COMPLETE), []),
        ("done", at("completed"), []),
        ("on the way back", back("linked"), []),
        ("held", at("prepared", held=HELD), []),
        ("refused", refused("prepared"), []),
        ("failed", failed("linked"), []),
        (
            "held in the midst",
            flying("registered", performed={("h", "X"): 1}, waits=waits("window"), held=held("fault")),
            [],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_misses_a_window(why, state, wanted):
    assert steps(state) == wanted


def test_whoever_found_every_place_taken_missed_it_too():
    one = plan({"ids": "ab", "window": NIGHT, "at_once": 1})
    found = missed(run(a=flying("started"), b=Phase.PREPARED), one, EVENING, MORNING)
    assert [miss.migration for miss in found] == ["b"]


def test_what_waits_for_people_for_its_wave_or_for_the_budget_does_not_miss_a_window():
    assert steps(at("prepared"), approvals={"start": 1}) == []
    two = plan({"ids": "a", "needs": []}, {"ids": "b", "window": NIGHT})
    assert missed(run(b=Phase.ROLLED_BACK), two, EVENING, MORNING) == ()
    one = plan({"ids": "ab", "window": NIGHT})
    assert missed(run(a=failed("linked"), b=Phase.PREPARED), one, EVENING, MORNING) == ()


def test_what_is_told():
    one = plan({"ids": "ab", "windows": {"start": NIGHT, "complete": {**NIGHT, "days": ["sat"]}}})
    assert missed(run(a=Phase.PREPARED, b=Phase.SOAKED), one, EVENING, MORNING) == (
        Missed("a", "w1", "start", Trigger.START, on("02T22:00"), CLOSED, 1, on("03T22:00")),
    )
    assert missed(run(b=Phase.SOAKED), one, EVENING, on("09T08:00"))[0] == Missed(
        "b", "w1", "complete", Trigger.COMPLETE, on("07T22:00"), on("08T04:00"), 1, on("14T22:00")
    )


def test_many_windows_are_told_as_one():
    (found,) = missed(run(a=Phase.PREPARED), plan({"ids": "a", "window": NIGHT}), EVENING, on("09T08:00"))
    assert (found.times, found.closed, found.opens) == (7, on("09T04:00"), on("09T22:00"))


def test_a_blackout_closes_a_window_and_none_is_missed_while_it_lasts():
    dark = [{"from": "2026-03-03", "to": "2026-03-05", "reason": "audit"}]
    one = plan({"ids": "a", "window": NIGHT, "blackout": dark})
    (found,) = missed(run(a=Phase.PREPARED), one, EVENING, on("06T12:00"))
    assert (found.times, found.closed, found.opens) == (1, on("03T00:00"), on("06T22:00"))


def test_without_windows_nothing_is_missed():
    assert missed(run(a=Phase.PREPARED), plan({"ids": "a"}), EVENING, MORNING) == ()
    always = {**NIGHT, "close": "22:00"}
    assert missed(run(a=Phase.PREPARED), plan({"ids": "a", "window": always}), EVENING, MORNING) == ()


def test_only_what_is_chosen():
    one = plan({"ids": "ab", "window": NIGHT})
    states = run(a=Phase.PREPARED, b=Phase.PREPARED)
    assert [miss.migration for miss in missed(states, one, EVENING, MORNING, ["b"])] == ["b"]


hours = st.integers(0, 24 * 21)


@given(hours, hours, hours)
def test_spans_that_follow_each_other_tell_each_window_once(one, other, third):
    first, middle, last = (EVENING + timedelta(hours=hour) for hour in sorted((one, other, third)))
    weekend = plan({"ids": "a", "window": {**NIGHT, "days": ["fri", "sat", "tue"]}})
    states = run(a=Phase.PREPARED)
    times = [sum(miss.times for miss in missed(states, weekend, *span)) for span in ((first, middle), (middle, last))]
    assert sum(times) == sum(miss.times for miss in missed(states, weekend, first, last))


@given(st.sampled_from(PATH))
def test_whoever_missed_it_would_have_gone_in_the_middle_of_it(phase):
    one = plan({"ids": "a", "window": NIGHT})
    found = missed(run(a=phase), one, EVENING, MORNING)
    for miss in found:
        answer = admissible(run(a=phase), one, miss.opened)[miss.migration]
        assert isinstance(answer, Go)
        assert answer.step is miss.step
