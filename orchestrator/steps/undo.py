"""undo: one phase back. Undo-ADServiceAccountMigration from 2/2 leads to 1/1, from 1/1 to unlinked.

Sent twice by mistake it goes two phases back; so the pair it is to reach is written down with the intent, and
after an unknown outcome only what is read decides.
"""

from __future__ import annotations

from typing import ClassVar

from orchestrator.model.case import Case
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.steps.unlink import Unlink


class Undo(Unlink):
    """One phase back."""

    trigger: ClassVar = Trigger.UNDO
    verb: ClassVar = "Undo"

    def goal(self, case: Case, pair: Pair) -> Pair | None:
        """Return 1/1 from the completed side (also where somebody undid it already), unlinked from the started."""
        completed_side = case.state.phase in {Phase.SWITCHED, Phase.COMPLETED}
        if pair is Pair.COMPLETED or (pair is Pair.STARTED and completed_side):
            return Pair.STARTED
        return None if completed_side else Pair.UNLINKED
