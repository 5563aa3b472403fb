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
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = tries
    if stop_after_attempt(policy.attempts)(state):
        return None
    wait = wait_exponential(multiplier=policy.first_wait.total_seconds(), max=policy.longest_wait.total_seconds())
    return at + timedelta(seconds=wait(state))
