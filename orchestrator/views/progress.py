"""What ``run`` shows while it runs: on a terminal a calm picture that changes, elsewhere plain lines.

It is shown where things stand at the beginning, then listens to the events that the conductor has committed; it reads
nothing else. What is drawn is decided in :mod:`orchestrator.views.frame`, which is pure; here it meets the terminal.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from orchestrator.model.event import Event, WaitBegan
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.views.along import Along
from orchestrator.views.frame import Frame, frame
from orchestrator.views.marks import signs_for
from orchestrator.views.output import say
from orchestrator.views.rows import Look
from orchestrator.views.sentence import STANDS_OUT, sentence
from orchestrator.views.status import iso

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

_MARGIN = 39
"""Where sentences begin in a plain line; what continues one begins there too."""
PICTURES_A_SECOND = 4
AT_MOST = 0.05
"""The share of the time that drawing may take: a plan of thousands is drawn less often, and nothing waits for it."""
STYLES = {"": "", "bold": "bold", "dim": "dim", "waits": "cyan", "held": "bold yellow", "failed": "bold red"}
STYLES |= {"done": "green"}
"""What the names of styles look like; a terminal without colours shows the words alone."""


class Progress(Protocol):
    """Whatever shows events as they are committed."""

    def begin(self, state: RunState) -> None:
        """Take in where everything stands before the first event."""

    def notice(self, event: Event, at: datetime | None) -> None:
        """Take in one event."""

    def rest(self, line: str, at: datetime | None) -> None:
        """Take in what a runner that stays waits for."""


@contextlib.contextmanager
def watching(
    plan: Plan,
    *,
    quiet: bool,
    chosen: Collection[str] | None = None,
    until: Phase | None = None,
    command: str = "PLAN",
) -> Iterator[Progress]:
    """Give the progress view that fits standard output; with *quiet* none (the machine's document follows).

    Args:
        plan: the plan of the run.
        quiet: whether nothing is shown.
        chosen: the migrations that are driven; None for all.
        until: the phase at which they stop, if not at the end.
        command: the plan (and journal) as a person would give them to the next command.
    """
    if quiet:
        yield Silence()
    elif animates():
        from rich.live import Live

        picture = Picture(Along(plan, chosen, until), command, ticks=not plan.is_lab)
        with Live(picture, auto_refresh=False, vertical_overflow="crop") as live, _redrawn(live, picture):
            yield picture
            live.transient = True  # the summary says the same; after a fault the last picture stays
    else:
        yield Lines(say, Along(plan, chosen, until))


@contextlib.contextmanager
def _redrawn(live: Live, picture: Picture) -> Iterator[None]:
    """Draw the picture anew a few times a second, and only where it has changed: what stands still does not flicker."""
    ended = threading.Event()

    def redraw() -> None:
        took = 0.0
        while not ended.wait(max(1 / PICTURES_A_SECOND, took / AT_MOST)):
            began = time.monotonic()
            if picture.is_another(live.console.options):
                live.refresh()
            took = time.monotonic() - began

    thread = threading.Thread(target=redraw, name="picture", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def animates() -> bool:
    """Whether standard output is a terminal on which lines can be drawn again."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}


def show_cursor() -> None:
    """Give a terminal its cursor back, for a process that ends without leaving :func:`watching`."""
    terminal = sys.__stdout__
    if terminal is not None and terminal.isatty() and os.environ.get("TERM", "").lower() != "dumb":
        terminal.write("\x1b[?25h\n")
        terminal.flush()


class Silence:
    """Shows nothing."""

    def begin(self, state: RunState) -> None:
        """Show nothing."""

    def notice(self, event: Event, at: datetime | None) -> None:
        """Show nothing."""

    def rest(self, line: str, at: datetime | None) -> None:
        """Show nothing."""


class Lines:
    """One line per event that stands out, per wait, and for what a wave begins to wait for before it admits anybody."""

    def __init__(self, write: Callable[[str], None], along: Along) -> None:
        self._write, self._along = write, along
        self._told: dict[str, set[tuple[str, str]]] = {}

    def begin(self, state: RunState) -> None:
        """Write nothing: what was is in the journal."""
        self._along.begin(state)
        self._told.clear()

    def notice(self, event: Event, at: datetime | None) -> None:
        """Write the event, if somebody who reads along wants to see it, and what waves wait for since."""
        self._along.take_in(event, at)
        if isinstance(event, (*STANDS_OUT, WaitBegan)):
            said = sentence(event).replace("\n", "\n" + " " * _MARGIN)
            self._line(at, getattr(event, "migration", ""), said)
        if at is not None:
            self._admissions(at)

    def rest(self, line: str, at: datetime | None) -> None:
        """Write it."""
        self._line(at, "", line)

    def _line(self, at: datetime | None, who: str, said: str) -> None:
        self._write(f"{iso(at) or '-':<20}  {who:<15}  {said}".rstrip())

    def _admissions(self, at: datetime) -> None:
        """Say what a wave waits for where that was not said yet: once for all its migrations, and not for places."""
        for id_ in sorted(self._along.ask(at)):
            wait, wave = self._along.admission_wait(id_), self._along.wave_of(id_)
            if wait is None or wait.waiting_for == "at-once":
                continue
            told = self._told.setdefault(wave, set())
            if (wait.waiting_for, wait.detail) in told:
                continue
            told.add((wait.waiting_for, wait.detail))
            until = f" until {iso(wait.until)}" if wait.until else ""
            self._line(at, "", f"wave {wave} waits for {wait.waiting_for}{until}: {wait.detail}")


class Picture:
    """The picture of a run, drawn anew a few times a second; what rich calls a renderable.

    Events come from the runner's thread, and it is drawn on another: one at a time.
    """

    def __init__(
        self, along: Along, command: str, *, ticks: bool, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self.along, self._command, self._ticks, self._seconds = along, command, ticks, seconds
        self._lock = threading.Lock()
        self._since, self._latest = seconds(), "reading the journal, and reaching the estate"
        self._slots: tuple[str | None, ...] = ()
        self._shown: tuple[Look, Frame] | None = None

    def begin(self, state: RunState) -> None:
        """Show where everything stands."""
        with self._lock:
            self.along.begin(state)
            self._since, self._latest = self._seconds(), ""

    def notice(self, event: Event, at: datetime | None) -> None:
        """Take an event in; the next picture shows it."""
        with self._lock:
            self.along.take_in(event, at)
            if at is not None:
                self._since = self._seconds()
            if isinstance(event, (*STANDS_OUT, WaitBegan)):
                who = getattr(event, "migration", "")
                self._latest = f"{who}: {sentence(event)}" if who else sentence(event)

    def rest(self, line: str, at: datetime | None) -> None:
        """Show it below the name of the plan, until something happens."""
        with self._lock:
            self._latest = line
            if at is not None:
                self.along.at, self._since = at, self._seconds()

    def now(self) -> datetime | None:
        """Return estate time: as it was last told, and what has passed here since, where that is the same time."""
        if self.along.at is None or not self._ticks:
            return self.along.at
        return self.along.at + timedelta(seconds=int(self._seconds() - self._since))

    def drawn(self, look: Look) -> Frame:
        """Return the picture as it is now."""
        with self._lock:
            now = self.now()
            self.along.ask(now)
            found = frame(self.along, look, now, self._latest, self._slots)
            self._slots = found.slots
            return found

    def is_another(self, options: ConsoleOptions) -> bool:
        """Whether the picture is not what was shown last, or the terminal is not as it was."""
        look = self._look(options)
        return self._shown != (look, self.drawn(look))

    def _look(self, options: ConsoleOptions) -> Look:
        width, height = options.max_width, options.size.height
        return Look(width, height, signs_for(options.encoding), options.encoding, self._command)

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Give rich the lines, as many as the terminal has room for."""
        from rich.text import Text

        look = self._look(options)
        self._shown = look, self.drawn(look)
        for line in self._shown[1].lines:
            pieces = ((one.text, STYLES[one.style]) for one in line)
            yield Text.assemble(*pieces, no_wrap=True, overflow="crop")
