"""What ``run`` shows while it runs: on a terminal a calm table that changes, elsewhere plain lines.

It is shown where things stand at the beginning, then listens to the events that the conductor has committed; it reads
nothing else.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from orchestrator.model.event import Event, Held, Moved, Released, WaitBegan
from orchestrator.model.lifecycle import FINAL, PATH
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.views.output import say
from orchestrator.views.sentence import STANDS_OUT, sentence
from orchestrator.views.status import iso

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

SHORT = ("plan", "prep", "start", "link", "reg", "rest", "soak", "switch", "done")
"""The forward phases, short enough that a row of them fits beside a name at 80 columns."""

_FINAL = frozenset(phase.value for phase in FINAL)
_MARGIN = 39
"""Where sentences begin in a plain line; what continues one begins there too."""


class Progress(Protocol):
    """Whatever shows events as they are committed."""

    def begin(self, state: RunState) -> None:
        """Take in where everything stands before the first event."""

    def notice(self, event: Event, at: datetime | None) -> None:
        """Take in one event."""

    def rest(self, line: str, at: datetime | None) -> None:
        """Take in what a runner that stays waits for."""


@contextlib.contextmanager
def watching(plan: Plan, *, quiet: bool) -> Iterator[Progress]:
    """Give the progress view that fits standard output; with *quiet* none (the machine's document follows)."""
    if quiet:
        yield Lines(lambda _line: None)
    elif sys.stdout.isatty():
        from rich.live import Live

        table = Table(plan)
        with Live(table, refresh_per_second=8, transient=True):
            yield table
    else:
        yield Lines(say)


def show_cursor() -> None:
    """Give a terminal its cursor back, for a process that ends without leaving :func:`watching`."""
    terminal = sys.__stdout__
    if terminal is not None and terminal.isatty():
        terminal.write("\x1b[?25h\n")
        terminal.flush()


class Lines:
    """One line per event that stands out, and per wait."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def begin(self, state: RunState) -> None:
        """Write nothing: what was is in the journal."""

    def notice(self, event: Event, at: datetime | None) -> None:
        """Write the event, if somebody who reads along wants to see it."""
        if isinstance(event, (*STANDS_OUT, WaitBegan)):
            said = sentence(event).replace("\n", "\n" + " " * _MARGIN)
            self._write(f"{iso(at) or '-':<20}  {getattr(event, 'migration', ''):<15}  {said}".rstrip())

    def rest(self, line: str, at: datetime | None) -> None:
        """Write it."""
        self._write(f"{iso(at) or '-':<20}  {'':<15}  {line}")


class Table:
    """Waves and migrations as rows of phases, and what each is doing or waiting for; what rich calls a renderable.

    Where a terminal is too low for every migration, those that have not begun or have ended are counted instead.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._phase = {migration.id: PATH[0].value for migration in plan.migrations()}
        self._doing: dict[str, str] = {}
        self._at: datetime | None = None
        self._rests = ""

    def begin(self, state: RunState) -> None:
        """Show where everything stands."""
        self._at = state.last_at
        for id_ in self._phase:
            self._phase[id_] = state[id_].phase.value
            held = state[id_].held
            if held is not None:
                self._doing[id_] = f"HELD ({held.reason}): {held.detail}"

    def notice(self, event: Event, at: datetime | None) -> None:
        """Take an event in; the next refresh shows it."""
        self._at, self._rests = at or self._at, ""
        id_ = getattr(event, "migration", None)
        if id_ not in self._phase:
            return
        if isinstance(event, Moved):
            self._phase[id_] = event.dest.value
            self._doing[id_] = ""
        elif isinstance(event, Released):
            self._doing[id_] = ""
        elif isinstance(event, Held):
            self._doing[id_] = f"HELD ({event.reason}): {event.detail}"
        elif isinstance(event, (*STANDS_OUT, WaitBegan)):
            self._doing[id_] = sentence(event)

    def rest(self, line: str, at: datetime | None) -> None:
        """Show it below the name of the plan, until something happens."""
        self._at, self._rests = at or self._at, line

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Give rich the lines, as many as the terminal has room for."""
        whole = self._lines(everything=True)
        yield from whole if len(whole) < options.size.height else self._lines(everything=False)

    def _lines(self, *, everything: bool) -> list[Text]:
        time = iso(self._at) or "not read yet"
        lines = [_line(f"{self._plan.name}   estate time {time}", "bold")]
        if self._rests:
            lines.append(_line(self._rests))
        for wave in self._plan.waves:
            lines.append(_line(f"wave {wave.name}" + ("" if everything else self._counted(wave))))
            for migration in wave.migrations:
                if everything or self._moves(migration.id):
                    lines += self._row(migration.id)
        return lines

    def _row(self, id_: str) -> Iterator[Text]:
        yield _line(f"  {id_:<15} {bar(self._phase[id_])}")
        doing = self._doing.get(id_)
        if doing:
            yield _line(f"      {' '.join(doing.split())}", "dim")

    def _moves(self, id_: str) -> bool:
        return bool(self._doing.get(id_)) or self._phase[id_] not in {PATH[0].value, *_FINAL}

    def _counted(self, wave: Wave) -> str:
        ended = sum(self._phase[migration.id] in _FINAL for migration in wave.migrations)
        return f": {ended} of {len(wave.migrations)} ended"


def _line(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def bar(phase: str) -> str:
    """Return the forward phases as a row, up to the one that is reached; a phase of a way back by its name."""
    names = [one.value for one in PATH]
    if phase not in names:
        return f"<- {phase}"
    done = names.index(phase)
    return " ".join(short if index == done else "*" if index < done else "." for index, short in enumerate(SHORT))
