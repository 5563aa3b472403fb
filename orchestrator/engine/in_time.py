"""Whether a restart in the midst of a step may begin now: each one only if it can end in the window.

What was taken down and has not come back is no matter of windows: it is brought up at once.
"""

from __future__ import annotations

from orchestrator.engine.outside import outside_window
from orchestrator.engine.stretch import one_restart, stretch_of
from orchestrator.model.action import Perform, Wait
from orchestrator.model.case import Case
from orchestrator.model.lifecycle import Intention, Trigger
from orchestrator.model.state import thing


def too_late(case: Case, step: Trigger, subject: str, perform: Perform) -> Wait | None:
    """Return what a write waits for that would interrupt something outside its window; None if it may be sent."""
    if not perform.disruptive or case.state.intention is Intention.BACK or _brings_up(case, subject, perform):
        return None
    restarts = case.run.restarts
    if step is Trigger.REGISTRY:
        stretch = stretch_of(case.state, case.plan, step, restarts)
    else:
        stretch = one_restart(case.state, case.plan, restarts)
    late = outside_window(case.plan.wave_of(case.migration.id), step, case.at, stretch)
    return Wait(late.waiting_for, late.until, late.until, late.detail) if late else None


def _brings_up(case: Case, subject: str, perform: Perform) -> bool:
    """Whether a write starts what is down at a host where this attempt has restarted something."""
    down = {name.lower() for name in perform.down}
    touched = any(host == subject for host, _, _ in case.state.touched)
    return touched and thing(perform.write.statement.parameters).lower() in down
