"""What ``run`` shows while it runs: on a terminal a calm table that changes, elsewhere plain lines.

It listens to the events that the conductor has committed, and reads nothing else.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from orchestrator.model.event import Event, Held, Moved, WaitBegan
from orchestrator.model.lifecycle import PATH
from orchestrator.model.plan import Plan
from orchestrator.views.sentence import STANDS_OUT, sentence
from orchestrator.views.status import iso

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

SHORT = ("plan", "prep", "start", "link", "reg", "rest", "soak", "switch", "done")
"""The forward phases, short enough that a row of them fits beside a name at 80 columns."""


class Progress(Protocol):
    """Whatever shows events as they are committed."""

    def notice(self, event: Event, at: datetime | None) -> None:
        """Take in one event."""


@contextlib.contextmanager
def watching(plan: Plan, *, quiet: bool) -> Iterator[Progress]:
    """Give the progress view that fits standard output; with *quiet* none (the machine's document follows)."""
    if quiet:
        yield Lines(lambda _line: None)
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.live import Live

        console = Console()
        table = Table(plan)
        with Live(table.render(), console=console, refresh_per_second=8, transient=True) as live:
            table.live = live
            yield table
    else:
        yield Lines(print_line)


def print_line(line: str) -> None:
    """Write one line at once, so that a pipe sees it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Lines:
    """One line per event that stands out, and per wait."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def notice(self, event: Event, at: datetime | None) -> None:
        """Write the event, if somebody who reads along wants to see it."""
        if isinstance(event, (*STANDS_OUT, WaitBegan)):
            said = sentence(event).replace("\n", "\n" + " " * 39)
            self._write(f"{iso(at) or '-':<20}  {getattr(event, 'migration', ''):<15}  {said}".rstrip())


class Table:
    """Waves and migrations as rows of phases, and what each is doing or waiting for."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._phase = {migration.id: PATH[0].value for migration in plan.migrations()}
        self._back: set[str] = set()
        self._doing: dict[str, str] = {}
        self._at: datetime | None = None
        self.live: Live | None = None

    def notice(self, event: Event, at: datetime | None) -> None:
        """Take an event in and show the table anew."""
        self._at = at or self._at
        id_ = getattr(event, "migration", None)
        if id_ in self._phase:
            if isinstance(event, Moved):
                self._phase[id_] = event.dest.value
                self._doing[id_] = ""
            elif isinstance(event, (*STANDS_OUT, WaitBegan)):
                self._doing[id_] = "HELD: " + event.detail if isinstance(event, Held) else sentence(event)
        if self.live is not None:
            self.live.update(self.render())

    def render(self) -> Group:
        """Return the table as rich shows it."""
        from rich.console import Group
        from rich.text import Text

        rows: list[Text] = [Text(f"{self._plan.name}   estate time {iso(self._at) or 'not read yet'}", style="bold")]
        for wave in self._plan.waves:
            rows.append(Text(f"wave {wave.name}"))
            for migration in wave.migrations:
                phase, doing = self._phase[migration.id], self._doing.get(migration.id, "")
                rows.append(Text(f"  {migration.id:<15} {bar(phase)}", no_wrap=True, overflow="ellipsis"))
                if doing:
                    rows.append(Text(f"      {doing}", style="dim", no_wrap=True, overflow="ellipsis"))
        return Group(*rows)


def bar(phase: str) -> str:
    """Return the forward phases as a row, up to the one that is reached; a phase of a way back by its name."""
    names = [one.value for one in PATH]
    if phase not in names:
        return f"<- {phase}"
    done = names.index(phase)
    return " ".join(short if index == done else "*" if index < done else "." for index, short in enumerate(SHORT))
