"""The estate's own time, and what is due when.

Everything that happens by itself (a change arriving at another DC, a task's run, a machine that is up
again) stands in one queue and happens in order as time passes, so that a jump of a month and a month of
single seconds give the same estate.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta

LONGEST_JUMP = timedelta(hours=1)
"""How far a look at the time carries on, unless an estate says otherwise."""


class Clock:
    """Time that passes only when told to, with a queue of things to do on the way."""

    def __init__(self, start: datetime, longest_jump: timedelta = LONGEST_JUMP) -> None:
        self.now = start
        self._longest_jump = longest_jump
        self._queue: list[tuple[datetime, int, Callable[[], None]]] = []
        self._number = 0

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Let *action* happen at *when*, or at the next passing of time if that is over."""
        self._number += 1
        heapq.heappush(self._queue, (when, self._number, action))

    def after(self, delay: timedelta, action: Callable[[], None]) -> None:
        """Let *action* happen *delay* from now."""
        self.at(self.now + delay, action)

    @property
    def next_event(self) -> datetime | None:
        """When the next thing is due."""
        return self._queue[0][0] if self._queue else None

    def advance_to(self, when: datetime) -> None:
        """Let time pass until *when*; everything due on the way happens at its own moment."""
        while self._queue and self._queue[0][0] <= when:
            due, _, action = heapq.heappop(self._queue)
            self.now = max(self.now, due)
            action()
        self.now = max(self.now, when)

    def jump(self) -> None:
        """Pass to the next thing that is due, but no further than one jump."""
        limit = self.now + self._longest_jump
        due = self.next_event
        self.advance_to(limit if due is None else max(self.now, min(due, limit)))
