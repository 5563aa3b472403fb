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
READ_EVERY = timedelta(hours=1)
"""How often it is read during a wait that is longer: the runner's own clock is good enough for that long."""
AFTER_A_REFUSAL = timedelta(minutes=30)
"""How long nobody logs on to read it after the log-on itself was refused: each time could count as a wrong password."""
SELDOMEST = timedelta(minutes=5)
"""How long it is not asked for at most while it cannot be read: each time twice as long."""
PATIENCE_WITH_SILENCE = 4
"""A reading that failed is tried again after so many times what it took: there are other things to do meanwhile."""
SELDOMEST_ON_A_LAB = 64
"""The same on a lab, counted in pauses: time does not pass there while it cannot be read."""


class LogOnRefused(Unreadable):
    """Estate time cannot be read, because the domain controller refuses who asks."""


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
        self._good_for = FRESH_FOR
        self._failures = 0
        self.refused = False
        """Whether it was the log-on that was refused when it was asked for last."""
        self.unread: str | None = None
        """Why it could not be read when it was asked for last; None if it could."""
        self.apart: timedelta | None = None
        """By how much the last reading was ahead of the journal's clock; None if there never was one."""

    def now(self) -> datetime | None:
        """Return estate time: the last reading plus what has passed since; None if there never was one."""
        return self.ask() if self._older_than(self._good_for) else self.reckoned()

    @property
    def silent(self) -> bool:
        """Whether it could not be read when it was asked for last, or was never asked for."""
        return self.unread is not None or self._last is None

    def ask_soon(self) -> None:
        """Let the next :meth:`now` read it: a person has spoken, who may have mended what kept it from being read."""
        if self.unread is not None:
            self._asked_at = None

    def ask(self) -> datetime | None:
        """Read estate time anew; where that fails, return what :meth:`now` would."""
        began, self.refused = self._monotonic(), False
        try:
            reading, self.unread = self._read_quickly(), None
        except Unreadable as trouble:
            reading, self.unread = None, str(trouble)
            self.refused = isinstance(trouble, LogOnRefused)
        self._asked_at = self._monotonic()
        self._failures = 0 if reading else self._failures + 1
        self._good_for = FRESH_FOR if reading else self._pause_after(self._asked_at - began)
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

    def wait_until(self, due: datetime | None, interrupted: Callable[[], bool]) -> None:
        """Wait until estate time is *due* (None: for ever), something interrupts, or it can be read again."""
        pauses = 0
        while not interrupted():
            silent = self.unread is not None
            if silent and self._is_lab and pauses < min(2**self._failures, SELDOMEST_ON_A_LAB):
                at = self.reckoned()
            else:
                at, pauses = self._while_waiting(due), 0
            if (silent and self.unread is None) or (due is not None and at is not None and at >= due):
                return
            if self.unread is not None or due is None or not self._is_lab:
                left = due - at if due is not None and at is not None else LISTEN_EVERY
                self._pause(min(LISTEN_EVERY, left).total_seconds())
                pauses += 1

    def _while_waiting(self, due: datetime | None) -> datetime | None:
        """Read estate time where this ends the wait, or where it was not read for long; else reckon it."""
        if self._is_lab:  # reading would let time pass, and what has no time waits for a person, who takes his own
            return self.ask() if due is not None or self.unread is not None else self.reckoned()
        at = self.reckoned()
        if self.unread is not None or at is None or (due is not None and at >= due) or self._older_than(READ_EVERY):
            return self.now()
        return at

    def _older_than(self, age: timedelta) -> bool:
        return self._asked_at is None or self._monotonic() - self._asked_at > age.total_seconds()

    def _pause_after(self, took: float) -> timedelta:
        if self.refused:
            return AFTER_A_REFUSAL
        seldom = min(SELDOMEST, FRESH_FOR * (1 << min(self._failures - 1, 8)))
        return max(seldom, timedelta(seconds=PATIENCE_WITH_SILENCE * took))
