"""reset: straight to unlinked, from wherever the pair is linked. Reset-ADServiceAccountMigration."""

from __future__ import annotations

from typing import ClassVar

from orchestrator.model.case import Case
from orchestrator.model.lifecycle import Pair, Trigger
from orchestrator.steps.unlink import Unlink


class Reset(Unlink):
    """Unlink at once."""

    trigger: ClassVar = Trigger.RESET
    verb: ClassVar = "Reset"

    def goal(self, _case: Case, _pair: Pair) -> Pair | None:
        """Return unlinked."""
        return Pair.UNLINKED
