"""Estate time: what the pinned domain controller says it is.

Dwell, settling, retries and windows count in it, for it is the time that tickets and replication live by. Between
readings it runs on with the runner's own clock; a reading is never older than :data:`FRESH_FOR` when it is used
to end a wait. On a lab, waiting is reading: a reading that directly follows another jumps ahead there, so weeks pass
in seconds, in the process and behind TCP alike.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from orchestrator.model.observation import Unreadable

FRESH_FOR = timedelta(seconds=30)
LISTEN_EVERY = timedelta(seconds=0.5)
"""How often a wait looks whether something interrupts it."""


def lasting() -> float:
    """Return seconds from anywhere that run on while the machine sleeps (``time.monotonic`` stands still on Linux and
    macOS then, and a laptop that wakes up would take an old reading for a fresh one).

    CLOCK_BOOTTIME: clock_gettime(2), Linux. CLOCK_MONOTONIC: clock_gettime(3), macOS. Windows: GetTickCount64 counts
    time in sleep (Microsoft Learn, "GetTickCount64 function"), and is what ``time.monotonic`` reads.
    """
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()


class EstateClock:
    """Estate time, and the only place that waits for it."""

    def __init__(
        self,
        read: Callable[[], datetime],
        *,
        is_lab: bool,
        monotonic: Callable[[], float] = lasting,
        pause: Callable[[float], object] = time.sleep,
        here: Callable[[], datetime] | None = None,
    ) -> None:
        """Make a clock.

        Args:
            read: asks the pinned domain controller; raises Unreadable where it cannot be read now.
            is_lab: whether waiting is reading, without sleeping.
            monotonic: seconds that pass here, also while the machine sleeps.
            pause: sleeps for so many seconds.
            here: the journal's clock, the runner's own; None where that is estate time itself, as on a lab.
        """
        self._read, self._is_lab, self._monotonic, self._pause, self._here = read, is_lab, monotonic, pause, here
        self._last: datetime | None = None
        self._last_at = 0.0
        self._asked_at: float | None = None
        self.unread: str | None = None
        """Why it could not be read when it was asked for last; None if it could."""
        self.apart: timedelta | None = None
        """By how much the last reading was ahead of the journal's clock; None if there never was one."""

    def now(self) -> datetime | None:
        """Return estate time: the last reading plus what has passed since; None if there never was one."""
        if self._asked_at is None or self._monotonic() - self._asked_at > FRESH_FOR.total_seconds():
            return self.ask()
        return self.reckoned()

    def ask(self) -> datetime | None:
        """Read estate time anew; where that fails, return what :meth:`now` would."""
        try:
            reading, self.unread = self._read_quickly(), None
        except Unreadable as trouble:
            reading, self.unread = None, str(trouble)
        self._asked_at = self._monotonic()
        if reading is not None:
            self._last, self._last_at = reading, self._asked_at
            self.apart = reading - self._here() if self._here else timedelta(0)
        return self.reckoned()

    def _read_quickly(self) -> datetime:
        """Read once more what took long: the machine may have slept after the answer came, and that is old then."""
        began = self._monotonic()
        reading = self._read()
        took = self._monotonic() - began
        return self._read() if took > FRESH_FOR.total_seconds() else reading

    def reckoned(self) -> datetime | None:
        """Return what :meth:`now` would if nothing could be read: nothing is asked."""
        if self._last is None:
            return None
        return self._last + timedelta(seconds=self._monotonic() - self._last_at)

    def wait_until(self, due: datetime, interrupted: Callable[[], bool]) -> None:
        """Wait until estate time is *due*, or until something interrupts."""
        while not interrupted():
            at = self.ask() if self._is_lab else self.now()
            if at is None or at >= due:
                return
            if self.unread or not self._is_lab:
                self._pause(min(LISTEN_EVERY, due - at).total_seconds())
