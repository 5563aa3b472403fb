"""Rows of a run, put aside migration by migration while the journal is read, and told again when its turn comes.

So a report holds the rows of one migration at a time, whatever lies between them in the journal.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from orchestrator.journal import Row
from orchestrator.model.event import Event, from_body
from orchestrator.report.shelf import Shelf, packed


class Aside(NamedTuple):
    """A row that was put aside, with what no row of its own migration tells."""

    event: Event
    seq: int
    at: datetime | None
    known_at: datetime | None
    """The last estate time that was known with it, by rows of the whole run."""
    attempt: int
    """To which attempt of its migration it belongs."""
    answers: list[int]
    """The numbers of what guards said with it."""


class Rows:
    """The rows of each migration, in their order; the migrations in the order in which they were first heard of."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._places: dict[str, array[int]] = {}

    def heard_of(self, migration: str) -> None:
        """Take in that something was said of a migration."""
        self._places.setdefault(migration, array("Q"))

    def put(
        self, migration: str, row: Row, *, known_at: datetime | None, attempt: int, answers: Sequence[int] = ()
    ) -> None:
        """Put a row aside; see :class:`Aside`."""
        said = (row.kind, row.body, row.version, row.seq, _written(row.at), _written(known_at), attempt, answers)
        self._places[migration].append(self._shelf.put(packed(said)))

    def __iter__(self) -> Iterator[str]:
        """Yield every migration that was heard of."""
        return iter(self._places)

    def of(self, migration: str) -> Iterator[Aside]:
        """Yield the rows of a migration."""
        for place in self._places.get(migration, ()):
            kind, body, version, seq, at, known_at, attempt, answers = json.loads(self._shelf.get(place))
            yield Aside(from_body(kind, body, version), seq, _read(at), _read(known_at), attempt, answers)


def _written(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _read(at: str | None) -> datetime | None:
    return datetime.fromisoformat(at) if at else None
