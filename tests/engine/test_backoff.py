"""When a transient fault is tried again: the law of the waits, whatever the policy."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.backoff import LONGEST_AFTER, PATIENCE, again_at, later_at
from orchestrator.model.plan import Retry

AT = datetime(2026, 3, 2, tzinfo=UTC)
seconds = st.integers(1, 86_400).map(lambda number: timedelta(seconds=number))
policies = st.builds(
    lambda attempts, one, other: Retry(attempts=attempts, first_wait=min(one, other), longest_wait=max(one, other)),
    st.integers(1, 300),
    seconds,
    seconds,
)


@given(policies)
def test_each_wait_is_at_least_the_last_and_never_longer_than_the_longest(policy):
    waits = []
    for tries in range(1, policy.attempts):
        again = again_at(policy, tries, AT)
        assert again is not None
        waits.append(again - AT)
    assert waits == sorted(waits)
    assert all(policy.first_wait <= wait <= policy.longest_wait for wait in waits)
    assert waits[:1] == [policy.first_wait][: len(waits)]


@given(policies, st.integers(0, 1000))
def test_after_so_many_attempts_it_is_over(policy, more):
    assert again_at(policy, policy.attempts + more, AT) is None


@given(policies, st.integers(1, 300))
def test_the_same_question_has_the_same_answer(policy, tries):
    assert again_at(policy, tries, AT) == again_at(policy, tries, AT)


def test_the_default_policy():
    waits = [(again_at(Retry(), tries, AT) or AT) - AT for tries in range(1, 6)]
    assert [wait.total_seconds() for wait in waits] == [5, 10, 20, 40, 0]


@given(policies, st.integers(1, 500))
def test_an_endpoint_without_room_is_asked_at_the_same_pace_and_far_more_often(policy, times):
    later = later_at(policy, times, AT)
    assert (later is None) == (times >= policy.attempts * PATIENCE)
    if later is not None:
        assert policy.first_wait <= later - AT <= policy.longest_wait
    if times < policy.attempts:
        assert later == again_at(policy, times, AT)


@given(policies, seconds)
def test_an_endpoint_that_asks_for_time_gets_it_up_to_an_hour(policy, after):
    later = later_at(policy, 1, AT, after)
    assert policy.attempts * PATIENCE == 1 or later - AT == max(policy.first_wait, min(after, LONGEST_AFTER))


def test_with_the_defaults_a_person_is_asked_after_a_day():
    at, times = AT, 1
    while (later := later_at(Retry(), times, at)) is not None:
        at, times = later, times + 1
    assert timedelta(hours=23) < at - AT < timedelta(hours=25)
