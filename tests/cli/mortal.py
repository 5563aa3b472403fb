"""The real command in a process that kills itself -9 at the moment it is told.

    python -m tests.cli.mortal --at MOMENT [--told FILE] run plan.yaml ...

MOMENT is a number, or ``WHAT:N``, the Nth whose line begins with WHAT (``after reply:2``): what is done side by side
does not pass in the same order each time. Moments are counted in the order in which they pass: before and after each
append to the journal; and of each write before its thread carries it, after the far side has taken it and before
anything of its reply is read, and after the reply. FILE gets a line for each; with ``--at 0`` nothing dies. Nothing in
the product knows of this.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pypsrp.powershell import PowerShell

from orchestrator.cli import app, compose
from orchestrator.journal import Entry, Lease
from orchestrator.model.call import Call, Ticket, Write
from orchestrator.model.observation import Reply
from orchestrator.remote.transport import Leave

KINDS = ("before append", "after append", "before write", "taken by the far side", "after reply")


class Fate:
    """Counts moments, from any thread, and ends the process at one of them."""

    def __init__(self, at: str, told: Path | None) -> None:
        self._what, _, number = at.rpartition(":")
        self._at, self._told, self._passed, self._alike = int(number), told, 0, 0
        self._lock = threading.Lock()

    def moment(self, what: str) -> None:
        """Pass a moment, or do not."""
        with self._lock:
            self._passed += 1
            self._alike += what.startswith(self._what)
            if self._told is not None:
                with self._told.open("a", encoding="utf-8") as file:
                    file.write(f"{self._passed}\t{what}\n")
            if what.startswith(self._what) and self._alike == self._at:
                os.kill(os.getpid(), signal.SIGKILL)


class MortalJournal:
    """A journal whose holder may die before or after each append."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        """Append, with a moment on each side."""
        kinds = " ".join(dict.fromkeys(entry.kind for entry in entries))
        self._fate.moment(f"before append\t{kinds}")
        head: int = self._inner.append(entries, expected=expected, lease=lease)
        self._fate.moment(f"after append\t{kinds}")
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class MortalTransport:
    """A transport whose process may die around each write."""

    def __init__(self, inner: Any, fate: Fate, writing: threading.local) -> None:
        self._inner, self._fate, self._writing = inner, fate, writing

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry a call; a write has a moment on each side, and one in between (:func:`mortal`)."""
        if not isinstance(call, Write):
            reply: Reply = self._inner.run(call, ticket, leave)
            return reply
        what = call.statement.name
        self._fate.moment(f"before write\t{what}")
        self._writing.what = what
        try:
            reply = self._inner.run(call, ticket, leave)
        finally:
            self._writing.what = None
        self._fate.moment(f"after reply\t{what}")
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def mortal(fate: Fate) -> None:
    """Put a fate between the command and its journal, its transport and its client library."""
    writing = threading.local()
    open_journal: Callable[..., Any] = compose.open_journal
    transport_for: Callable[..., Any] = compose.transport_for
    begin = PowerShell._invoke

    def begun(powershell: PowerShell, *args: Any, **options: Any) -> Any:
        result = begin(powershell, *args, **options)
        if getattr(writing, "what", None):
            fate.moment(f"taken by the far side\t{writing.what}")
        return result

    compose.open_journal = lambda *args, **options: MortalJournal(open_journal(*args, **options), fate)  # type: ignore[assignment, return-value]
    compose.transport_for = lambda *args: MortalTransport(transport_for(*args), fate, writing)  # type: ignore[assignment, return-value]
    PowerShell._invoke = begun


def main() -> None:
    """Read what is ours from the command line, and give the rest to the command."""
    ours, told = sys.argv[1:3], None
    rest = sys.argv[3:]
    if rest[:1] == ["--told"]:
        told, rest = Path(rest[1]), rest[2:]
    assert ours[0] == "--at"
    mortal(Fate(ours[1], told))
    app(rest, prog_name="dmsa")


if __name__ == "__main__":
    main()
