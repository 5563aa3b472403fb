"""Who gets a place: whatever hangs, hosts that answer get their turn, and there is a limit to it all."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.remote.places import LATE, Places

HOSTS = [f"h{number}" for number in range(60)]


def begin(places: Places, hosts: list[str], now: float) -> list[str]:
    """Let a call to each host begin that may; return those that did."""
    begun = []
    for host in hosts:
        if places.free(host, now):
            places.take((host, now), host, now)
            begun.append(host)
    return begun


def test_healthy_hosts_get_all_places_and_no_more():
    places = Places(32)
    assert begin(places, HOSTS, 0.0) == HOSTS[:32]
    places.leave((HOSTS[0], 0.0), 0.1)
    assert begin(places, HOSTS[32:], 0.1) == [HOSTS[32]]


def test_hosts_that_hang_give_their_places_up_after_a_while():
    places = Places(32)
    begin(places, HOSTS[:32], 0.0)
    assert not places.free("good", LATE - 0.1)
    assert places.free("good", LATE)


def test_where_everything_hangs_hosts_that_answered_before_have_places_of_their_own():
    places = Places(32)
    places.take("once", "good", 0.0)
    places.leave("once", 0.1)
    now, hanging = 1.0, itertools.cycle(HOSTS)
    for _ in range(10):
        begin(places, [next(hanging) for _ in range(40)], now)
        now += LATE
        assert places.free("good", now)
        assert not places.free("good", now) or begin(places, ["good"], now) == ["good"]
        places.leave(("good", now), now + 0.1)
    assert len(places._taken) <= 64


def test_a_host_that_hung_shares_few_places_with_its_like_until_it_answers():
    places = Places(32)
    begin(places, HOSTS[:32], 0.0)
    for host in HOSTS[:32]:
        places.leave((host, 0.0), 30.0, answered=False)
    assert begin(places, HOSTS[:32], 31.0) == HOSTS[:8]
    assert begin(places, HOSTS[32:], 31.0) == HOSTS[32:56], "the others have the rest"
    places.leave((HOSTS[0], 31.0), 31.5)
    assert places.free(HOSTS[0], 31.6)


def test_what_ends_soon_is_no_hanging_whatever_its_end():
    places = Places(32)
    places.take("refused", "h", 0.0)
    places.leave("refused", 0.1, answered=False)
    assert not places.hangs("h", 0.2)


def test_a_host_hangs_from_its_first_late_call_on_until_it_answers():
    places = Places(32)
    places.take("a", "h", 0.0)
    assert (places.hangs("h", LATE - 0.1), places.hangs("h", LATE)) == (False, True)
    places.leave("a", 30.0, answered=False)
    assert places.hangs("h", 31.0)
    places.take("b", "h", 31.0)
    places.leave("b", 31.1)
    assert not places.hangs("h", 31.2)
    places.take("c", "h", 40.0)
    assert not places.hangs("h", 140.0), "a restart may take long"


def test_a_call_that_was_never_made_teaches_nothing():
    places = Places(1)
    places.take("a", "h", 0.0)
    places.cancel("a")
    assert places.free("h", 0.0)
    places.leave("a", 60.0, answered=False)
    assert not places.hangs("h", 60.0)


steps = st.lists(
    st.tuples(st.sampled_from(["begin", "end", "hang"]), st.integers(0, 40), st.floats(0, 8, allow_nan=False)),
    max_size=150,
)


@given(st.integers(1, 12), steps)
def test_there_are_never_more_than_twice_as_many_calls_as_places(number, steps):
    places, now, calls = Places(number), 0.0, itertools.count()
    under_way: dict[int, str] = {}
    for what, which, passed in steps:
        now += passed
        host = f"h{which}"
        if what == "begin" and places.free(host, now):
            call = next(calls)
            places.take(call, host, now)
            under_way[call] = host
        elif what != "begin" and under_way:
            call = sorted(under_way)[which % len(under_way)]
            del under_way[call]
            places.leave(call, now, answered=what == "end")
        assert len(under_way) <= 2 * number
        young = sum(now - one.since < LATE for one in places._taken.values())
        assert young <= number


@given(st.integers(2, 12), steps)
def test_with_room_to_spare_a_host_that_answered_is_never_refused(number, steps):
    """However the others behave: at the latest when all of them are late, and while few are with it."""
    places, now, calls = Places(number), 0.0, itertools.count()
    places.take("first", "good", 0.0)
    places.leave("first", 0.0)
    for what, which, passed in steps:
        now += passed
        if what == "begin" and places.free(f"h{which}", now):
            places.take(next(calls), f"h{which}", now)
    assert places.free("good", now + LATE)
