"""How migrations are marked, drawn and counted for people: the same words and signs wherever somebody looks.

Waiting, held and failed are three things: time or others come first; a person is needed; it went wrong.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from orchestrator.model.lifecycle import PATH, Intention, Phase
from orchestrator.model.state import MigrationState

Mark: TypeAlias = Literal["", "waits", "HELD", "FAILED"]
MARK_WIDTH = 6
BAR_WIDTH = len(PATH)

STANDINGS = ("planned", "moving", "waiting", "held", "failed", "completed", "rolled_back")
"""What each migration is counted as: exactly one of these."""

_BACK = (Phase.REOPENED, Phase.UNLINKED, Phase.RESTORED, Phase.ROLLED_BACK)
"""The phases of a way back in their order."""


class Signs(NamedTuple):
    """The signs that a row of phases is drawn with, and how a text that is cut ends."""

    done: str
    here: str
    ahead: str
    back: str
    cut: str


PLAIN = Signs("*", "o", ".", "<", "~")
DRAWN = Signs("●", "◉", "·", "◂", "…")


def signs_for(encoding: str | None) -> Signs:
    """Return the signs that an encoding has."""
    try:
        "".join(DRAWN).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return DRAWN


def bar(phase: Phase, signs: Signs = PLAIN, *, back: bool = False) -> str:
    """Return the phases as a row of signs: those that were passed, the one that is proved, those ahead.

    On a way back the sign of the phase points back; its own phases are counted from the left.
    """
    if phase in _BACK:
        return (signs.back * (_BACK.index(phase) + 1)).ljust(BAR_WIDTH, signs.ahead)
    place = PATH.index(phase)
    here = signs.back if back else signs.done if place == len(PATH) - 1 else signs.here
    return (signs.done * place + here).ljust(BAR_WIDTH, signs.ahead)


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
