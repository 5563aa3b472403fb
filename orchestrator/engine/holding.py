"""How a migration is held: every hold says what lets it go on, as a command where there is one."""

from __future__ import annotations

from orchestrator.model.action import Record, Stop
from orchestrator.model.case import Case
from orchestrator.model.event import Held
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.observation import Fault
from orchestrator.steps import Step


def hold(case: Case, step: Step | None, subject: str, stop: Stop) -> Record:
    """Return the hold that a stop asks for, with what is written down before it."""
    release = stop.release or "mend the cause"
    if "dmsa release" not in release and "dmsa r" not in release:
        release += f", then `dmsa release PLAN --only {case.migration.id} --reason TEXT`"
    return Record(
        (
            *stop.before,
            Held(
                migration=case.migration.id,
                reason=stop.reason,
                detail=stop.detail,
                release=release,
                subject=subject,
                step=step.trigger if step else None,
                down=stop.down,
            ),
        )
    )


def unreadable(endpoint: str, fault: Fault) -> Stop:
    """Return the stop where an endpoint cannot be read and trying again will not help; it is named."""
    return Stop("fault", fault.message if endpoint in fault.message else f"{endpoint}: {fault.message}", fault.remedy)


def undone(case: Case, dest: Phase, way: Way | None) -> Held:
    """Return the hold of a way back that has reached what was asked for."""
    only = f"--only {case.migration.id}"
    forward = (
        f"`dmsa release PLAN {only} --forward --reason TEXT` goes forward again, " if dest is Phase.REOPENED else ""
    )
    return Held(
        migration=case.migration.id,
        reason="undone",
        detail=f"{way} reached {dest}, as asked.",
        release=f"{forward}`dmsa rollback PLAN {only}` goes all the way back",
    )
