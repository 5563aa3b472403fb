"""So many log-ons a second, and no more: whoever wants to begin one waits for his turn.

The rule is :func:`begins_at`, a pure function of when the latest ones began. Around it :class:`Budget` keeps those
times and a queue: first come, first served, so that nobody starves, and nobody sleeps while he holds a lock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

SECOND = 1.0


def begins_at(begun: Sequence[float], now: float, most: int) -> float:
    """Return when the next one may begin: now, or as soon as no span of a second would hold more than *most*.

    Args:
        begun: when the latest *most* of them began, or all if there were fewer; the earliest first.
        now: seconds from anywhere, not before the last of them.
        most: how many may begin in any second.
    """
    return now if len(begun) < most else max(now, begun[-most] + SECOND)


class Budget:
    """What is left of a second's log-ons, for any number of threads.

    Args:
        most: how many may begin in any second.
        clock: seconds from anywhere.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._begun: deque[float] = deque(maxlen=most)
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    def wait(self) -> None:
        """Return when it is the caller's turn; his log-on counts from then on."""
        turn = object()
        with self._changed:  # which is let go of while it waits
            self._queue.append(turn)
            while (left := self._left(turn)) is None or left > 0:
                self._changed.wait(left)
            self._queue.popleft()
            self._begun.append(self._clock())
            self._changed.notify_all()

    def _left(self, turn: object) -> float | None:
        """Return how many seconds a turn still has to wait; None while others are before it."""
        if self._queue[0] is not turn:
            return None
        now = self._clock()
        return begins_at(self._begun, now, self._most) - now
