from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lab.command import Command
from orchestrator.lab.estate.clock import Clock

START = datetime(2026, 3, 2, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


def reading(far, **options):
    request = far.request(far.dc, Command("Get-ADRootDSE", {"Server": far.dc}), **options)
    return far.estate.execute(request).output[0].properties["currentTime"]


def test_a_reading_that_follows_a_reading_jumps(estate_with):
    far = estate_with()
    assert reading(far) == START
    assert reading(far) == START + HOUR
    assert reading(far) == START + 2 * HOUR


def test_an_estate_may_jump_further(estate_with):
    far = estate_with(clock={"start": START, "jump": "6h"})
    assert [reading(far), reading(far)] == [START, START + 6 * HOUR]


def test_a_jump_stops_at_whatever_is_due(far):
    far.pass_time(minutes=5)
    far.migrate("Start")
    written = far.estate.now
    assert reading(far) == written
    assert reading(far) == written + timedelta(seconds=45)
    assert (
        far.user("msDS-SupersededManagedAccountLink", server=far.dc2)["msDS-SupersededManagedAccountLink"] == far.dmsa
    )


def test_anything_in_between_forbids_the_jump(estate_with):
    far = estate_with()
    assert reading(far) == START
    far.user()
    assert reading(far) == START
    pair = [Command("Get-ADRootDSE"), Command("Get-ADRootDSE")]
    far.estate.execute(far.request(far.dc, *pair))
    assert far.estate.now == START


def test_a_reading_beside_another_call_neither_jumps_nor_counts(estate_with):
    far = estate_with()
    assert reading(far) == START
    assert reading(far, alone=False) == START
    assert reading(far) == START
    assert reading(far) == START + HOUR


@given(st.lists(st.integers(0, 5000), max_size=20), st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_one_leap_and_many_steps_do_the_same(due, steps):
    def run(pieces):
        clock, seen = Clock(START), []
        for number in due:
            clock.at(START + timedelta(seconds=number), lambda: seen.append(clock.now))
        for piece in pieces:
            clock.advance_to(clock.now + timedelta(seconds=piece))
        return seen, clock.now

    assert run(steps) == run([sum(steps)])


@given(st.lists(st.integers(0, 10_000), max_size=20))
def test_jumps_meet_every_event_at_its_moment(due):
    clock, seen = Clock(START), []
    for number in due:
        clock.at(START + timedelta(seconds=number), lambda: seen.append(clock.now))
    for _ in range(len(due) + 4):
        before = clock.now
        clock.jump()
        assert before <= clock.now <= before + HOUR
    assert seen == [START + timedelta(seconds=number) for number in sorted(due)]
