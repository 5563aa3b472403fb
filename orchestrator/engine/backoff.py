"""When a transient fault is tried again. The policy is tenacity's; the waiting is ours, durable and elsewhere.

tenacity's wait and stop objects can be asked without sleeping. Only deterministic ones are used, so that a replay
gives the same times.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential

from orchestrator.model.plan import Retry


def again_at(policy: Retry, tries: int, at: datetime) -> datetime | None:
    """Return when to try again after *tries* failures in a row; None when the attempts are spent.

    Args:
        policy: ``attempts``, ``first_wait`` and ``longest_wait`` of the plan.
        tries: failures so far, this one included (1 or more).
        at: estate time of the failure.
    """
    state = _after(tries)
    if stop_after_attempt(policy.attempts)(state):
        return None
    return at + _wait(policy, state)


PATIENCE = 60
"""How many times as often as other faults an endpoint may say that it has no room, before a person is asked. With the
defaults of a plan that is a day."""
LONGEST_AFTER = timedelta(hours=1)
"""The longest time for which an endpoint is left alone because it asks for it."""


def later_at(policy: Retry, turned_away: int, at: datetime, after: timedelta = timedelta(0)) -> datetime | None:
    """Return when to ask an endpoint again that had no room; None when that has been so for too long.

    Args:
        policy: ``attempts``, ``first_wait`` and ``longest_wait`` of the plan.
        turned_away: how often in a row, this time included (1 or more).
        at: estate time.
        after: how long the endpoint itself asked to be left alone.
    """
    state = _after(turned_away)
    if stop_after_attempt(policy.attempts * PATIENCE)(state):
        return None
    return at + max(_wait(policy, state), min(after, LONGEST_AFTER))


def _after(tries: int) -> RetryCallState:
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = tries
    return state


def _wait(policy: Retry, state: RetryCallState) -> timedelta:
    wait = wait_exponential(multiplier=policy.first_wait.total_seconds(), max=policy.longest_wait.total_seconds())
    return timedelta(seconds=wait(state))
