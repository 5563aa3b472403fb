"""What follows a transient fault: the same once more, later; or a person is asked.

Two things are counted apart. A *try* that failed may have failed for a reason that stays, so there are few of them. An
endpoint that had *no room* (a quota of WinRM is spent, a service says that it is overloaded) has said nothing about the
call, which did not run: one comes back later, :data:`~orchestrator.engine.backoff.PATIENCE` times as often, and what
waits like that is never shown as failed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.engine.backoff import again_at, later_at
from orchestrator.engine.holding import hold
from orchestrator.engine.waves import step_of
from orchestrator.model.action import Record, Stop, Wait
from orchestrator.model.case import Case
from orchestrator.model.event import FaultSeen, RetryDue
from orchestrator.model.observation import Fault
from orchestrator.model.state import TURNED_AWAY
from orchestrator.steps import Step, step_for


def current_step(case: Case) -> Step | None:
    """Return the step the migration is in, or None where only a person moves it."""
    trigger = step_of(case.state, case.plan)
    return step_for(trigger, case.state.phase) if trigger else None


def retry(case: Case, subject: str, of: str, fault: Fault | FaultSeen, down: tuple[str, ...] = ()) -> Record | Wait:
    """Return the retry of a transient fault, or the hold when the attempts are spent; ``down`` is said of the hold.

    While nobody knows the time no retry can be due: it waits, uncounted, until the time is known. Nor are attempts
    spent while the pinned domain controller is silent, for it may well be the runner that is cut off: it waits until
    that answers again. A way back that leaves something down is held all the same; somebody must look after that. That
    an endpoint had no room is counted apart, and with far more patience.
    """
    if fault.busy:
        return _later(case, subject, of, fault, down)
    spent = case.state.tries.get((subject, of), 0) + 1 >= case.policy.retry.attempts
    if (case.silent and spent and not down) or (case.at is None and not spent):
        return Wait("retry", None, None, fault.message)
    return again_or_hold(case, subject, of, fault, down)


def _later(case: Case, subject: str, of: str, fault: Fault | FaultSeen, down: tuple[str, ...] = ()) -> Record | Wait:
    """Return when an endpoint is asked again that had no room: it is no failed try."""
    if case.at is None:
        return Wait("retry", None, None, fault.message)
    times = case.state.tries.get((subject, TURNED_AWAY), 0) + 1
    until = later_at(case.policy.retry, times, case.at, timedelta(seconds=fault.after))
    if until is None:
        stop = Stop("retries-spent", f"{fault.message} (turned away {times} times)", fault.remedy, down)
        return hold(case, current_step(case), subject, stop)
    return again(case, subject, of, fault, case.state.tries.get((subject, of), 0), until, times)


def again_or_hold(case: Case, subject: str, of: str, fault: Fault | FaultSeen, down: tuple[str, ...] = ()) -> Record:
    """Return the retry of a fault that is counted, or the hold when the attempts are spent."""
    tries = case.state.tries.get((subject, of), 0) + 1
    until = again_at(case.policy.retry, tries, case.at) if case.at else None
    if until is None:
        tried = "once" if tries == 1 else f"{tries} times"
        stop = Stop("retries-spent", f"{fault.message} (tried {tried})", fault.remedy, down)
        return hold(case, current_step(case), subject, stop)
    return again(case, subject, of, fault, tries, until)


def again(
    case: Case, subject: str, of: str, fault: Fault | FaultSeen, tries: int, until: datetime, turned_away: int = 0
) -> Record:
    """Return the retry that is due at *until*."""
    event = {"migration": case.migration.id, "subject": subject, "of": of, "tries": tries, "until": until}
    event["turned_away"] = turned_away
    return Record((RetryDue.model_validate(event | {"fault": FaultSeen.of(fault)}),))
