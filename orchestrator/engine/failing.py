"""What a runner does by itself about a migration that failed, or is in flight when its wave's failure budget is spent.

``on_failure: hold`` lets it stand for a person. ``on_failure: undo`` takes it all the way back, unless that could do
harm or nothing is known; then it is held all the same. It stays a failure either way. What goes wrong on a way back
is held: it is never answered with another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from orchestrator.model.event import Held, WayBackAsked
from orchestrator.model.lifecycle import Intention, Phase, Way
from orchestrator.model.plan import Plan
from orchestrator.model.state import MigrationState

OnSpent: TypeAlias = Literal["hold", "undo"]
"""What becomes of a migration whose wave's failure budget is spent, in the words of ``on_failure``."""

BY = "policy on_failure"
_BEGUN, _COMPLETED = "Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration"

LEFT_TO_A_PERSON: Mapping[str, str] = {
    "operator": "a person stopped it, and a person says where it goes",
    "undone": "it is where a person wanted it",
    "budget-spent": "nothing is wrong with it",
    "unknown-outcome": "a call may still take effect, and nothing may follow it before its session is ended",
    "original-missing": "the account is gone, and every further change makes it harder to bring back",
    "witness-disagrees": "two readings of the pair contradict each other: what there is to undo is not known",
    "not-converged": "the copies disagree, and a second change on top of one that has not arrived makes two truths",
    "restored-by-hand": "what is left is what only a person can write",
    "clock": "time is not to be trusted, and a way back waits by it",
    "guard:pair-matches": "somebody else changed the pair: two who change it at once make it worse",
    "guard:original-present": "as original-missing",
    "guard:run-is-ours": "it is another's work",
    "guard:replication-healthy": "as not-converged",
    "guard:dc-writable-2025": "the domain controller that would be written to is not what it should be",
    "guard:clock-agrees": "as clock",
}
"""Reasons of a hold that are never answered with a way back, and why not."""


@dataclass(frozen=True)
class TurnBack:
    """The policy takes the migration all the way back."""

    why: str

    def event(self, id_: str) -> WayBackAsked:
        """Return the word that the runner writes."""
        return WayBackAsked(migration=id_, way=Way.ROLLBACK, by=BY, reason=self.why, automatic=True)


@dataclass(frozen=True)
class Spent:
    """The wave's failure budget is spent: what would begin, or is in flight, is held."""

    detail: str

    def event(self, id_: str) -> Held:
        """Return the hold of one migration."""
        release = "mend the failed migrations of the wave and release them, then release this one"
        return Held(migration=id_, reason="budget-spent", detail=self.detail, release=release)


def failed(state: MigrationState, plan: Plan) -> TurnBack | None:
    """Return the way back of a migration that is held because it failed going forward; None where it stays held."""
    held = state.held
    if held is None or state.failure != "failed" or held.reason in LEFT_TO_A_PERSON or not _may_turn(state, plan):
        return None
    return TurnBack(f"{held.reason}: {held.detail}")


def if_spent(state: MigrationState, plan: Plan, begins: bool) -> OnSpent | None:
    """Return what becomes of a migration that goes forward once the failure budget of its wave is spent.

    None: it goes on, because Complete was sent and the rest belongs to it, or because it is not in flight: it soaks.

    Args:
        state: where it stands.
        plan: the plan of the run.
        begins: whether its next step would begin something.
    """
    if _COMPLETED in state.sent:
        return None
    in_flight = state.admitted is not None
    if in_flight and _BEGUN in state.sent and _may_turn(state, plan):
        return "undo"
    return "hold" if begins or in_flight else None


def spent_budget(on_spent: OnSpent | None, spent: str) -> TurnBack | Spent | None:
    """Return what is done where the budget *is* spent; *spent* says so in words."""
    if on_spent == "undo":
        return TurnBack(f"budget-spent: {spent}")
    return Spent(spent) if on_spent == "hold" else None


def _may_turn(state: MigrationState, plan: Plan) -> bool:
    """Whether the policy may take a migration back: there is something to go back from, and a snapshot to go by.

    How one that was adopted was before nobody knows: its late snapshot may hold an account that is disabled.
    """
    return (
        plan.policy_of(state.id).on_failure == "undo"
        and state.intention is Intention.FORWARD
        and state.phase not in {Phase.PLANNED, Phase.ROLLED_BACK}
        and not state.adopted
    )
