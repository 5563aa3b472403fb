"""How migrations are marked and counted for people: the same words wherever somebody looks.

Waiting, held and failed are three things: time or others come first; a person is needed; it went wrong.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.state import MigrationState

Mark: TypeAlias = Literal["", "waits", "HELD", "FAILED"]
MARK_WIDTH = 6

STANDINGS = ("planned", "moving", "waiting", "held", "failed", "completed", "rolled_back")
"""What each migration is counted as: exactly one of these."""


def mark(*, held: bool, failed: bool, waits: bool) -> Mark:
    """Return the mark of a migration: nothing where it moves, or would if ``run`` were called."""
    return "FAILED" if failed else "HELD" if held else "waits" if waits else ""


def standing(state: MigrationState, waits: bool) -> str:
    """Return what a migration is counted as. One that has not begun is planned, whatever it waits for.

    What failed and was rolled back is rolled back: nobody has to look at it now.
    """
    if state.held is not None:
        return "failed" if state.failure == "failed" else "held"
    forward = state.intention is Intention.FORWARD
    if state.phase is Phase.COMPLETED and forward:
        return "completed"
    if state.phase is Phase.ROLLED_BACK and not forward:
        return "rolled_back"
    if state.phase is Phase.PLANNED:
        return "planned"
    return "waiting" if waits else "moving"
