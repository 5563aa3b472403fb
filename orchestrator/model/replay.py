"""A run from its rows: what a row tells, and what it makes of the run.

Whoever reads a journal (a runner, ``status``, an operator's word) goes through here, so that a row which this version
cannot read ends each of them in the same words, and none of them guesses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from orchestrator.errors import Exit, OrchestratorError
from orchestrator.model.claims import CLAIMING
from orchestrator.model.event import KINDS, VERSION, Event, from_body
from orchestrator.model.lifecycle import IllegalEvent
from orchestrator.model.run import RunState
from orchestrator.model.switches import SPEAKING
from orchestrator.model.upcast import EventUnknown, upcast


class Written(Protocol):
    """What is asked of a journal's row."""

    @property
    def run(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def body(self) -> dict[str, Any]: ...


class RowUnreadable(OrchestratorError):
    """A row is what was written, and says what this version cannot understand. Nothing follows from it here."""

    exit_code = Exit.INVALID

    def __init__(self, row: Written, why: str, remedy: str) -> None:
        self.seq, self.kind, self.version, self.why = row.seq, row.kind, row.version, why
        super().__init__(
            f"row {row.seq} of the journal ({row.kind}, version {row.version}) cannot be read: {why}. "
            f"Nothing was written, and nothing is sent. {remedy}"
        )


def event_of(row: Written) -> Event:
    """Return the event that a row tells.

    Raises:
        RowUnreadable: it is of a later version of the vocabulary, or none of it.
    """
    try:
        return from_body(row.kind, row.body, row.version)
    except EventUnknown as error:
        remedy = (
            "A newer version of dmsa wrote it: upgrade dmsa here, then run the same command again; "
            "`dmsa journal show` shows the row as it is"
        )
        raise RowUnreadable(row, str(error), remedy) from error


def fold_in(state: RunState, row: Written) -> Event | None:
    """Fold a row of the journal into the state of a run; return the event that it tells, if it is that run's.

    A row of another run counts for what it says of a host's switch, or of who has an account. One that cannot be
    understood does not end this run, whose way back may be urgent; whoever would set or put back a switch is held, for
    who needs it is not known.

    Raises:
        RowUnreadable: a row of this run cannot be understood, or cannot have happened after what the state knows.
    """
    if row.run != state.run:
        _overhear(state, row)
        return None
    event = event_of(row)
    try:
        state.apply(event, row.at)
    except IllegalEvent as error:
        remedy = "Keep the file as it is, and report this: a journal never holds what its own rules refuse"
        raise RowUnreadable(row, f"it cannot have happened after the rows before it: {error}", remedy) from error
    return event


def _overhear(state: RunState, row: Written) -> None:
    """Take in a row of another run. What says nothing of switches and accounts is read no further than its kind."""
    try:
        kind, body = upcast(row.kind, row.body, row.version, VERSION)
        if kind in OVERHEARD or kind not in KINDS:
            state.overhear(row.run, from_body(kind, body), row.at)
    except EventUnknown:
        state.overhear(row.run, None, row.at, f"row {row.seq} ({row.kind}, version {row.version}) of the run {row.run}")


OVERHEARD = frozenset(kind for kind, event in KINDS.items() if event in {*SPEAKING, *CLAIMING})
"""The kinds of rows that count for other runs of the journal too."""
