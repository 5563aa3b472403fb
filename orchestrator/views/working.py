"""A bar on standard error for whatever takes longer than a moment: reading hundreds of hosts, checking a long journal.

On a terminal it appears after a second and is gone at the end. Elsewhere a line is written every half minute, so that
whoever reads a log knows that it goes on, and what is done in less writes nothing. Standard output is never written to;
where it is a machine's document (``--json``), standard error stays silent, too.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

APPEARS_AFTER = 1.0
"""Seconds after which a bar appears."""
LINE_EVERY, LOOKS_EVERY = 30.0, 1.0
"""Seconds between two lines where there is no terminal, and between two looks at the clock."""

T = TypeVar("T")


class Work:
    """Something that takes its time, and how far it is. Here nobody is told; safe to call from any thread."""

    def at(self, done: int, total: int | None = None) -> None:
        """Tell how much is done, of how much; None where nobody knows."""

    def now(self, what: str) -> None:
        """Tell that something else is done now, and nobody knows how much of it."""

    def over(self, things: Iterable[T], total: int | None = None) -> Iterator[T]:
        """Yield things, and tell of each that it is done when the next is asked for."""
        self.at(0, total)
        for number, thing in enumerate(things, 1):
            yield thing
            self.at(number, total)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Make room for something else on the terminal."""
        yield


@contextlib.contextmanager
def working(what: str, *, quiet: bool = False) -> Iterator[Work]:
    """Tell a person how far something is, for as long as the context lasts.

    Args:
        what: what is done, in a word or two: ``reading``.
        quiet: tell nobody (the machine's document follows).
    """
    if quiet:
        yield Work()
    elif on_terminal():
        bar = Bar(what)
        try:
            yield bar
        finally:
            bar.end()
    else:
        lines = Lines(what, _line)
        with lines.ticking():
            yield lines


def on_terminal() -> bool:
    """Whether standard error is a terminal on which a bar can be drawn."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


def counted(done: int, total: int | None) -> str:
    """Return how far something is, in words."""
    return f"{done}" if total is None else f"{done} of {total}"


def _line(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # what is done does not hang on whether somebody reads along
        sys.stderr.write(f"dmsa: {text}\n")
        sys.stderr.flush()


class Lines(Work):
    """A line now and then, also while nothing is told."""

    def __init__(self, what: str, write: Callable[[str], None], seconds: Callable[[], float] = time.monotonic) -> None:
        self._what, self._write, self._seconds = what, write, seconds
        self._began = self._told = seconds()
        self._far = ""

    def at(self, done: int, total: int | None = None) -> None:
        """Keep how far it is, for the next line."""
        self._far = f" {counted(done, total)},"

    def now(self, what: str) -> None:
        """Call it that from the next line on."""
        self._what, self._far = what, ""

    def tick(self) -> None:
        """Write a line, if the last one is old."""
        now = self._seconds()
        if now - self._told >= LINE_EVERY:
            self._told = now
            self._write(f"{self._what}:{self._far} {now - self._began:.0f} s")

    @contextlib.contextmanager
    def ticking(self) -> Iterator[None]:
        """Look at the clock for as long as the context lasts."""
        ended = threading.Event()

        def look() -> None:
            while not ended.wait(LOOKS_EVERY):
                self.tick()

        threading.Thread(target=look, name="working", daemon=True).start()
        try:
            yield
        finally:
            ended.set()


class Bar(Work):
    """A bar on a terminal."""

    def __init__(self, what: str, after: float = APPEARS_AFTER) -> None:
        self._what, self._done, self._total = what, 0, None  # type: tuple[str, int, int | None]
        self._lock = threading.RLock()
        self._shown: tuple[Progress, TaskID] | None = None
        self._ended = False
        self._timer = threading.Timer(after, self._appear)
        self._timer.daemon = True
        self._timer.start()

    def at(self, done: int, total: int | None = None) -> None:
        """Move the bar; one without a total goes to and fro."""
        with self._lock:
            self._done, self._total = done, total
            if self._shown is not None:
                progress, task = self._shown
                progress.update(task, completed=done, total=total, count=counted(done, total))

    def now(self, what: str) -> None:
        """Begin another bar in the place of this one."""
        with self._lock:
            self._what, self._done, self._total = what, 0, None
            if self._shown is not None:
                progress, task = self._shown
                progress.remove_task(task)
                self._shown = progress, progress.add_task(what, total=None, count="")

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the bar away for as long as the context lasts."""
        with self._lock:
            shown, self._shown = self._shown, None
            if shown is not None:
                shown[0].stop()
            try:
                yield
            finally:
                if shown is not None:
                    shown[0].start()
                    self._shown = shown

    def end(self) -> None:
        """Take the bar away."""
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._shown is not None:
                self._shown[0].stop()
                self._shown = None

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        with self._lock:
            if self._ended:
                return
            progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[count]}", markup=False),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,
                refresh_per_second=4,
            )
            task = progress.add_task(
                self._what, completed=self._done, total=self._total, count=counted(self._done, self._total)
            )
            progress.start()
            self._shown = progress, task
