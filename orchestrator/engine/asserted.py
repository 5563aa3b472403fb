"""A step that a person says was done by hand: accepted where the read-back agrees, else held with what was seen."""

from __future__ import annotations

from orchestrator.model.action import Perform, Stop
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import DIRECTORY, WayBackAsked
from orchestrator.model.host import ENABLED
from orchestrator.model.lifecycle import MOVES, Intention, Phase, Trigger, Way, next_step
from orchestrator.model.state import MigrationState

_WAYS = {Trigger.UNDO: Way.UNDO, Trigger.RESET: Way.RESET}
ASSERTABLE = frozenset(
    {Trigger.START, Trigger.REGISTRY, Trigger.RESTART, Trigger.COMPLETE, Trigger.CONFIRM, Trigger.RESTORE, *_WAYS}
)
"""Steps that a person can do by hand. The others look, or write down what was before: nobody can do that for them."""


def why_not(state: MigrationState, step: Trigger, rollback_by: Way) -> str | None:
    """Say why a step cannot be asserted where a migration stands; None if it can."""
    if step not in ASSERTABLE:
        return f"{step} only looks and writes down: there is nothing in it that could be done by hand"
    if step in _WAYS:
        back = any(row.trigger is step and row.source is state.phase for row in MOVES)
        resting = state.phase in {Phase.PLANNED, Phase.ROLLED_BACK}
        return f"from {state.phase} there is no {step}" if resting or not back else None
    due = next_step(state.phase, state.intention, state.way, rollback_by)
    if due is step:
        return None
    return f"what is next from {state.phase} is {due or 'up to an operator'}, not {step}"


def contradicted(case: Case, subject: str, needed: Perform, seen: Seen) -> Stop:
    """Return the hold of a word that the read-back does not agree with: something would still have to be done."""
    word, step = case.state.asserted, case.state.asserted.step if case.state.asserted else ""
    by, reason = (word.by, word.reason) if word else ("", "")
    only = f"--only {case.migration.id}"
    return Stop(
        "operator",
        f"{by} said that {step} was done by hand ({reason}), and it is not so. {_shown(case, subject, seen)}. "
        f"{needed.write.statement} at {needed.write.endpoint} would still be needed. Nothing was done.",
        f"do it and say so again (`dmsa assert-done PLAN {only} --step {step} --reason TEXT`), or let the program do "
        f"what is next: `dmsa release PLAN {only} --reason TEXT`",
    )


def turned_back(case: Case) -> tuple[WayBackAsked, ...]:
    """Return the way back that a person has begun by hand, where the migration was going forward; else nothing."""
    word = case.state.asserted
    if word is None or word.step not in _WAYS or case.state.intention is Intention.BACK:
        return ()
    return (WayBackAsked(migration=case.migration.id, way=_WAYS[word.step], by=word.by, reason=word.reason),)


def _shown(case: Case, subject: str, seen: Seen) -> str:
    if subject == DIRECTORY:
        return str(seen.pair(case.endpoint, case.server))
    host = seen.host(subject)
    services = [
        f"{one.name} {one.state}" + (f" since {began.isoformat()}" if (began := host.processes.get(one.pid)) else "")
        for one in host.services.values()
    ]
    return ", ".join((f"{subject}: {ENABLED} is {'absent' if host.value is None else host.value}", *services))
