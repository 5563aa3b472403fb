"""How many sessions one endpoint gets: fewer as soon as it has no room, more again when it has."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.remote.endpoint import GROWS_AFTER, SESSIONS, Endpoint


def test_half_as_many_each_time_it_has_no_room_and_one_at_least():
    known = Endpoint()
    found = []
    for at in range(4):
        known.has_no_room(float(at))
        found.append(known.allowed(float(at)))
    assert found == [2, 1, 1, 1]


def test_one_more_for_each_minute_without_a_word_of_it():
    known = Endpoint()
    known.has_no_room(0.0)
    known.has_no_room(0.0)
    assert [known.allowed(at) for at in (0.0, 59.0, 60.0, 119.0, 125.0, 180.0, 9000.0)] == [1, 1, 2, 2, 3, 4, 4]
    assert known.fewer is None
    known.has_no_room(9000.0)
    assert known.allowed(9000.0) == 2


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 200, allow_nan=False)), max_size=60))
def test_never_none_and_never_more_than_at_the_best_of_times(steps):
    known, at = Endpoint(), 0.0
    for refused, passed in steps:
        before, at = known.allowed(at), at + passed
        if refused:
            known.has_no_room(at)
            assert known.allowed(at) <= max(1, (before + int(passed // GROWS_AFTER) + 1) // 2)
        assert 1 <= known.allowed(at) <= SESSIONS
