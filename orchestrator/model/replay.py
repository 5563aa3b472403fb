"""A run from its rows: what a row tells, and what it makes of the run.

Whoever reads a journal (a runner, ``status``, an operator's word) goes through here, so that a row which this version
cannot read ends each of them in the same words, and none of them guesses.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

from orchestrator.errors import Exit, OrchestratorError
from orchestrator.model.event import Event, from_body
from orchestrator.model.lifecycle import IllegalEvent
from orchestrator.model.run import RunState
from orchestrator.model.upcast import EventUnknown


class Written(Protocol):
    """What is asked of a journal's row."""

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


def fold_in(state: RunState, row: Written) -> Event:
    """Fold a row of the run into its state; return the event that it tells.

    Raises:
        RowUnreadable: it cannot be understood, or cannot have happened after what the state knows.
    """
    event = event_of(row)
    try:
        state.apply(event, row.at)
    except IllegalEvent as error:
        remedy = "Keep the file as it is, and report this: a journal never holds what its own rules refuse"
        raise RowUnreadable(row, f"it cannot have happened after the rows before it: {error}", remedy) from error
    return event
