"""What a runner that stays says of its rest: when it changes, and else once a day."""

from datetime import timedelta

import pytest

from orchestrator.model.event import Held, WaitBegan
from orchestrator.model.lifecycle import Phase
from orchestrator.model.run import RunState
from orchestrator.views.resting import Resting
from tests.engine.runs import AT, plan, run

TWO = plan({"ids": "ab"}, {"ids": "c", "needs": ["w1"]})
DUE = AT + timedelta(days=14)


@pytest.fixture
def state() -> RunState:
    """One that waits for its dwell, one that is held, and a wave that needs theirs."""
    found = run(a=Phase.RESTARTED, b=Phase.RESTARTED, c=Phase.PLANNED)
    wait = {"subject": "directory", "waiting_for": "dwell", "detail": "Complete is not legal before"}
    found.apply(WaitBegan(migration="a", until=DUE, **wait), AT)
    found.apply(Held(migration="b", reason="operator", detail="x", release="y", by="ann"), AT)
    return found


def test_all_of_it_in_a_line(state):
    assert Resting(TWO, "abc").line(state, AT, DUE, None) == (
        "at rest: 1 waits for dwell until 2026-03-16T12:00:00Z; 1 waits for needs; 1 HELD for a person (1 operator); "
        "0 of 3 at an end (looks again 2026-03-16T12:00:00Z)"
    )


def test_a_failure_is_not_called_held(state):
    state.apply(Held(migration="a", reason="fault", detail="x", release="y"), AT)
    line = Resting(TWO, "ab").line(state, AT, None, None)
    assert line == "at rest: 1 FAILED (1 fault); 1 HELD for a person (1 operator); 0 of 2 at an end"


def test_said_when_it_changes_and_once_a_day(state):
    resting = Resting(TWO, "abc")
    hour = timedelta(hours=1)
    assert resting.line(state, AT, AT + hour, None)
    assert resting.line(state, AT + hour, AT + 2 * hour, None) is None
    assert resting.line(state, AT + 24 * hour, AT + 25 * hour, None)
    away = "dc01 refuses connections"
    told = resting.line(state, AT + 25 * hour, None, away)
    assert told is not None
    assert told.startswith("at rest: NO ESTATE TIME: dc01 refuses connections; 1 waits for dwell")
    assert resting.line(state, AT + 26 * hour, None, away) is None
    assert resting.line(state, AT + 27 * hour, None, None)


def test_where_nobody_knows_the_time_it_is_said_once():
    resting = Resting(TWO, "abc")
    assert resting.line(RunState("r"), None, None, "nobody answers")
    assert resting.line(RunState("r"), None, None, "nobody answers") is None


def test_what_has_ended_is_counted():
    done = run(a=Phase.COMPLETED, b=Phase.COMPLETED, c=Phase.LINKED)
    line = Resting(TWO, "abc", until=Phase.LINKED).line(done, AT, None, None)
    assert line == "at rest: 3 of 3 at an end"
