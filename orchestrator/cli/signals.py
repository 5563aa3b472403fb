"""SIGINT, SIGTERM and SIGHUP: the first ends a run in good order, a second one at once.

In good order means: nothing new begins, what is in the air ends or is written down as unknown, and the lease is given
back. At once is what ``kill -9`` is; the journal is made for that too. SIGHUP comes when the terminal goes, and whoever
ignores it (``nohup``) goes on ignoring it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

from orchestrator.views.progress import show_cursor


class Signals:
    """Listens while its context lasts. ``number`` is the signal that ended the run, 0 if none did."""

    def __init__(self) -> None:
        self.number = 0
        self._stop: Callable[[], None] | None = None

    @contextlib.contextmanager
    def heard(self) -> Iterator[Signals]:
        """Listen. A signal before :meth:`stopping` ends the command with its cleaning up, for nothing began yet."""
        before = {number: signal.signal(number, self._hear) for number in _heard()}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Let the first signal call *stop* while the context lasts."""
        self._stop = stop
        try:
            yield
        finally:
            self._stop = None

    def _hear(self, number: int, _frame: object) -> None:
        if self.number:
            show_cursor()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        self.number = number
        if number not in (signal.SIGINT, signal.SIGTERM):
            _leave_the_terminal()
        name = signal.Signals(number).name
        if self._stop is None:
            _tell(f"dmsa: ended by {name}; nothing is under way\n")
            sys.exit(128 + number)
        _tell(f"{name}: nothing new begins; what is under way ends, or is recorded as unknown\n")
        self._stop()


def _heard() -> Iterator[int]:
    yield from (signal.SIGINT, signal.SIGTERM)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        yield signal.SIGHUP


def _leave_the_terminal() -> None:
    """Let what is written to the terminal that has gone be written nowhere, so that nothing fails by it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        if os.isatty(number):
            os.dup2(nowhere, number)
    os.close(nowhere)


def _tell(text: str) -> None:
    """Write on standard error, from a handler that may have come in the middle of a write to it (a log line, say)."""
    try:
        sys.stderr.write(text)
    except RuntimeError:  # a buffer is not entered twice (Python documentation, io, "Reentrancy")
        os.write(sys.stderr.fileno(), text.encode())
