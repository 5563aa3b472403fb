"""Which migrations a drill may begin with, by which rules it goes, how far it goes by itself, and how far each came."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.model.drilled import Turned
from orchestrator.model.lifecycle import PATH, Intention, Phase
from orchestrator.model.plan import Approvals, Plan
from orchestrator.model.state import MigrationState, Waiting

ENDS = frozenset({Phase.PLANNED, Phase.ROLLED_BACK})
"""Where nothing of a migration is under way: a drill begins and ends there."""


def not_free(state: MigrationState) -> str | None:
    """Say why no drill may begin with a migration, None if one may: it must be untouched, or all the way back."""
    if state.phase not in ENDS:
        return f"is {state.phase}: it is in a run, which a drill must not disturb"
    if state.adopting is not None:
        return "is about to be adopted"
    return f"is held ({state.held.reason}): {state.held.detail}" if state.held else None


def furthest(plan: Plan, ids: Sequence[str], *, patient: bool) -> Phase:
    """Return the furthest phase to which all of them go without people, and (unless *patient*, as on a lab, where weeks
    pass in seconds) without the hold time.
    """
    return min((_furthest(plan, id_, patient) for id_ in ids), key=PATH.index)


def _furthest(plan: Plan, id_: str, patient: bool) -> Phase:
    approvals = plan.policy_of(id_).approvals
    if approvals.start:
        return Phase.PREPARED
    if not patient:
        return Phase.RESTARTED
    return Phase.SOAKED if approvals.complete else Phase.COMPLETED


def rules_of(plan: Plan, *, unattended: bool = False) -> Plan:
    """Return the plan by whose rules a drill goes: no wave waits for another, for none is ever done in a drill.

    Args:
        plan: the plan, its estate resolved.
        unattended: whether there are no people who could approve: on a lab that stands in for a real estate.
    """
    waves = [wave.model_copy(update={"needs": ()}) for wave in plan.waves]
    if unattended:
        alone = {"approvals": Approvals(start=0, complete=0)}
        waves = [
            wave.model_copy(update={"migrations": tuple(one.model_copy(update=alone) for one in wave.migrations)})
            for wave in waves
        ]
    changed = plan.model_copy(update={"waves": tuple(waves)})
    for cached in ("_index", "_needs"):
        changed.__dict__.pop(cached, None)
    return changed


def turned(state: MigrationState, to: Phase, waiting: Waiting | None) -> Turned:
    """Return how far a migration came on the way to a phase, and why no further.

    Args:
        state: where it stands.
        to: where the drill was to go.
        waiting: what it waits for, if it does.
    """
    if state.intention is Intention.FORWARD and state.phase in PATH and PATH.index(state.phase) >= PATH.index(to):
        return Turned(phase=state.phase)
    if state.held is not None:
        return Turned(phase=state.phase, why=f"held ({state.held.reason}): {state.held.detail}")
    if state.intention is Intention.BACK:
        return Turned(phase=state.phase, why="it went back before the drill turned")
    if waiting is not None:
        return Turned(phase=state.phase, why=f"waits for {waiting.waiting_for}: {waiting.detail}".rstrip(": "))
    return Turned(phase=state.phase, why="it was not moved any further")


def is_over(state: MigrationState) -> bool:
    """Whether nothing more comes of a migration's way back by itself: it is there, or a person is needed."""
    return state.phase in ENDS or state.held is not None
