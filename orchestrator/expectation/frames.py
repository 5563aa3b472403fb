"""When a change may be seen: in the span of its attempt, in the wave's window, or at any time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal

from orchestrator.engine.windows import openings
from orchestrator.expectation.history import SKEW, Attempt
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.plan import Blackout, Plan, Window

_IN_START_WINDOW = frozenset({Trigger.START, Trigger.REGISTRY})
_IN_COMPLETE_WINDOW = frozenset({Trigger.COMPLETE, Trigger.CONFIRM})


@dataclass(frozen=True)
class Frame:
    """A frame of time. ``attempt``: by the journal; ``window``: by the plan; neither: any time."""

    attempt: Attempt | None = None
    window: Window | None = None
    blackout: tuple[Blackout, ...] = ()
    overrun: timedelta = timedelta(0)
    """How long after a window has closed a step that began in it may still write."""

    @property
    def basis(self) -> Literal["journal", "window", "any-time"]:
        """What it was taken from."""
        return "journal" if self.attempt else "window" if self.window else "any-time"

    def holds(self, at: datetime, *, elsewhere: bool = False) -> bool:
        """Whether a time lies in it; *elsewhere*: at another domain controller than the one that was written to."""
        if self.attempt is not None:
            return self.attempt.covers(at, elsewhere=elsewhere)
        if self.window is None:
            return True
        begun = next(openings(self.window, self.blackout, at - self.overrun - SKEW), None)
        return begun is not None and begun[0] - SKEW <= at <= begun[1] + self.overrun + SKEW

    def spans(self, at: datetime | None) -> Iterator[tuple[datetime | None, datetime | None]]:
        """Yield from when until when, the next three where there are many; nothing where that is not known."""
        if self.attempt is not None:
            yield self.attempt.began, self.attempt.ended
        elif self.window is not None and at is not None:
            yield from islice(openings(self.window, self.blackout, at), 3)


def frame_of(plan: Plan, id_: str, step: Trigger, phase: Phase) -> Frame:
    """Return the frame of a step that lies ahead."""
    wave = plan.wave_of(id_)
    starting = step in _IN_START_WINDOW or (step is Trigger.RESTART and phase is Phase.REGISTERED)
    window = wave.window
    if wave.windows is not None:
        window = wave.windows.start if starting else wave.windows.complete
    if not starting and step not in _IN_COMPLETE_WINDOW:
        window = None
    return Frame(window=window, blackout=wave.blackout, overrun=plan.policy_of(id_).restart_takes)
