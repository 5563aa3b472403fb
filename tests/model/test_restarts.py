"""How long restarts take, as the journal's rows tell it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.event import AttemptFinished, AttemptStarted, Held, Moved, Released, SubjectDone, WayBackAsked
from orchestrator.model.lifecycle import Phase, Trigger, Way
from orchestrator.model.observation import Outcome
from orchestrator.model.restarts import KEPT, OWN_KEPT, Restarts, p95

AT = datetime(2026, 3, 2, 22, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def begins(name: str = "Web", host: str = "web01", cmdlet: str = "Restart-Service", id_: str = "a") -> AttemptStarted:
    return AttemptStarted(
        migration=id_,
        step=Trigger.RESTART,
        subject=host,
        endpoint=host,
        cmdlet=cmdlet,
        parameters={"Name": name},
        shell=UUID(int=1),
        pipeline=UUID(int=2),
    )


def ends(outcome: Outcome = Outcome.SUCCEEDED, host: str = "web01", id_: str = "a") -> AttemptFinished:
    return AttemptFinished(migration=id_, subject=host, outcome=outcome)


def done(host: str = "web01", id_: str = "a") -> SubjectDone:
    return SubjectDone(migration=id_, step=Trigger.RESTART, subject=host)


HELD = Held(migration="a", reason="fault", detail="broken", release="mend it")
RELEASED = Released(migration="a", by="bob", reason="mended")
BACK = WayBackAsked(migration="a", way=Way.ROLLBACK, by="bob")
MOVED = Moved(migration="a", trigger=Trigger.RESTART, source=Phase.REGISTERED, dest=Phase.RESTARTED)

FAILS = ends(Outcome.FAILED)
LOST = ends(Outcome.UNKNOWN)
STARTS = begins("X", cmdlet="Start-Service")
STORIES = [
    ("from its intent to its end", [(0, begins()), (40, ends()), (60, done())], [40]),
    ("not before it was found well", [(0, begins()), (40, ends())], []),
    ("a pool too", [(0, begins(cmdlet="Restart-WebAppPool")), (3, ends()), (9, done())], [3]),
    ("one after the other", [(0, begins()), (40, ends()), (50, begins("Db")), (80, ends()), (90, done())], [40, 30]),
    (
        "hosts side by side",
        [(0, begins()), (5, begins(host="b")), (40, ends()), (60, ends(host="b")), (70, done("b")), (80, done())],
        [55, 40],
    ),
    ("with the tries it took", [(0, begins()), (30, FAILS), (60, begins()), (90, ends()), (95, done())], [90]),
    (
        "its call succeeded, and it was down",
        [(0, begins()), (9, ends()), (60, begins()), (70, ends()), (80, done())],
        [70],
    ),
    ("lost, and repeated", [(0, begins()), (9, LOST), (90, begins()), (100, ends()), (110, done())], [100]),
    ("lost, and found well: nobody knows when", [(0, begins()), (9, LOST), (90, done())], []),
    ("lost, and the next", [(0, begins()), (9, LOST), (90, begins("Db")), (95, ends()), (99, done())], [5]),
    ("the start of another says it is well", [(0, begins()), (9, ends()), (20, STARTS), (25, ends())], [9]),
    ("and is none itself", [(20, STARTS), (25, ends()), (30, done())], []),
    ("a reboot is none", [(0, begins(cmdlet="Restart-Computer")), (40, ends()), (50, done())], []),
    ("a task is none", [(0, begins(cmdlet="Start-ScheduledTask")), (40, ends()), (50, done())], []),
    *(
        (
            f"what was mended in between is none: {word.kind}",
            [(0, begins()), (9, ends()), (10, word), (9000, begins()), (9005, ends()), (9010, done())],
            [5],
        )
        for word in (HELD, RELEASED, BACK, MOVED)
    ),
    (
        "a time that nobody knew",
        [(None, begins()), (40, ends()), (41, done()), (50, begins()), (None, ends()), (70, done())],
        [],
    ),
    ("a clock that went back", [(50, begins()), (40, ends()), (41, done())], []),
]


def told(story: list) -> Restarts:
    found = Restarts()
    for second, event in story:
        found.take_in(event, None if second is None else AT + second * SECOND)
    return found


@pytest.mark.parametrize(("why", "story", "seconds"), STORIES, ids=[story[0] for story in STORIES])
def test_what_is_measured(why, story, seconds):
    found = told(story)
    assert [int(one.total_seconds()) for one in found.every] == seconds
    assert found.measured == len(seconds)


def test_a_copy_goes_on_by_itself():
    found = told([(0, begins())])
    other = found.copied()
    other.take_in(ends(), AT + SECOND)
    other.take_in(done(), AT + SECOND)
    assert (found.measured, found.every, found.own) == (0, (), {})
    found.take_in(ends(), AT + 9 * SECOND)
    found.take_in(done(), AT + 9 * SECOND)
    assert (found.own["a"], other.own["a"]) == ((9 * SECOND,), (SECOND,))


def test_only_the_youngest_are_kept():
    found = Restarts()
    for number in range(300):
        found.take_in(begins(), AT)
        found.take_in(ends(), AT + number * SECOND)
        found.take_in(done(), AT + number * SECOND)
    assert (len(found.every), len(found.own["a"]), found.measured) == (KEPT, OWN_KEPT, 300)
    assert found.every[-1] == found.own["a"][-1] == 299 * SECOND


PLANNED = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("seconds", "id_", "takes", "basis"),
    [
        ([], "a", 300, "restart_takes"),
        ([900] * 4, "a", 300, "restart_takes"),
        ([900] * 5, "a", 900, "p95 of its 5 measured restarts"),
        ([90] * 5, "a", 90, "p95 of its 5 measured restarts"),
        ([5] * 5, "a", 60, "p95 of its 5 measured restarts"),
        ([900] * 19, "b", 300, "restart_takes"),
        ([900] * 20, "b", 900, "p95 of 20 measured restarts of this run"),
        ([90] * 20, "b", 300, "restart_takes"),
        ([90] * 19 + [900], "a", 90, "p95 of its 20 measured restarts"),
        ([90] * 18 + [900] * 2, "a", 900, "p95 of its 20 measured restarts"),
    ],
)
def test_what_is_expected(seconds, id_, takes, basis):
    found = Restarts()
    for second in seconds:
        found.take_in(begins(), AT)
        found.take_in(ends(), AT + second * SECOND)
        found.take_in(done(), AT + second * SECOND)
    expected = found.expected(id_, PLANNED)
    assert (expected.takes, expected.basis) == (takes * SECOND, basis)


def test_a_plan_that_says_less_than_a_minute_is_believed():
    found = Restarts()
    for _ in range(5):
        found.take_in(begins(), AT)
        found.take_in(ends(), AT + SECOND)
        found.take_in(done(), AT + SECOND)
    assert found.expected("a", 30 * SECOND).takes == 30 * SECOND


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=60))
def test_at_most_one_in_twenty_took_longer(seconds):
    found = p95([one * SECOND for one in seconds])
    assert sum(one * SECOND > found for one in seconds) * 20 <= len(seconds)
    assert found in [one * SECOND for one in seconds]


def test_parts_of_a_second_are_rounded_up():
    assert p95([timedelta(seconds=1.2)]) == 2 * SECOND
