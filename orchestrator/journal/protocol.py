"""What a journal is: the append-only history of runs, their only truth, and the right to write it.

A journal keeps entries and knows nothing of what they mean (:mod:`orchestrator.model.event` does). Rows are
numbered from 1 without a gap and chained by hash (:mod:`orchestrator.journal.chain`).

Two things keep writers apart. *The expected sequence*: who appends says up to which row he has read; if the
journal went on since, nothing is written and he reads again. *The lease*: one runner at a time holds it, each
holding has its own number, the epoch, and rows that come with an older epoch are refused, however late. What
operators say (hold, approve, …) comes without a lease, under the expected sequence alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True)
class Entry:
    """What is appended: one event of *run*, which happened at *at* in estate time.

    ``body`` is JSON data: text, numbers, booleans, None, lists and dicts with text keys. Integers beyond 2⁵³ do
    not survive JSON (RFC 8785, section 3.2.2.3) and are refused by ``append``: write those as text.

    Raises:
        ValueError: *at* has no time zone.
    """

    run: str
    at: datetime | None
    kind: str
    version: int
    body: dict[str, Any] = field(hash=False)

    def __post_init__(self) -> None:
        if self.at is not None and self.at.tzinfo is None:
            raise ValueError(f"the time of an entry needs a zone, found {self.at.isoformat()}")


@dataclass(frozen=True)
class Row(Entry):
    """An entry as the journal keeps it. ``epoch`` is None for what was said without a lease."""

    seq: int
    epoch: int | None
    hash: str


@dataclass(frozen=True)
class Lease:
    """The right to drive, held by *holder* since *since* (the store's clock) under the number *epoch*."""

    epoch: int
    holder: str
    since: datetime


@dataclass(frozen=True)
class Verdict:
    """What was found when everything was checked, and found good.

    ``hash`` is that of row ``rows``, the last one. ``witnessed`` is the row up to which something kept apart from
    the rows confirms that none was cut off at the end; None if there is no such witness.
    """

    rows: int
    hash: str
    witnessed: int | None


@runtime_checkable
class Journal(Protocol):
    """The contract; ``tests/journal/test_contract.py`` is its test. A journal may be used from several threads."""

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        """Append all entries, or none, and return the number of the last row.

        When it returns, the rows survive the loss of the process and of power. With no entries nothing is
        written, but head and lease are checked all the same.

        Raises:
            JournalConflict: the last row is not *expected*.
            LeaseLost: *lease* was released, or another was taken since.
            JournalUnusable: the store failed. Whether the rows are there must be read.
            ValueError: an entry's body is not JSON data.
        """
        ...

    def head(self) -> int:
        """Return the number of the last row, 0 if there is none. Cheap: meant for polling."""
        ...

    def read(self, after: int = 0, run: str | None = None) -> Iterator[Row]:
        """Yield the rows after row *after*, of one run or of all, each checked against its hash.

        Rows appended meanwhile may or may not be among them; no writer is kept waiting.

        Raises:
            JournalCorrupt: a row is not what was written.
        """
        ...

    def latest(self, kind: str, run: str | None = None, within: int = 20_000) -> Row | None:
        """Return the newest row of a kind, of one run or of all, checked against its hash; None if there is none among
        the last *within* rows (of that run). Cheap however long the journal is.

        Raises:
            JournalCorrupt: the row is not what was written.
        """
        ...

    def before_last(self, rows: int, run: str | None = None) -> int:
        """Return the number after which the last *rows* rows follow, of one run or of all. Cheap as *rows* is small."""
        ...

    def runs(self) -> list[str]:
        """Return the names of the runs, in the order in which they began."""
        ...

    def acquire(self, holder: str) -> Lease:
        """Take the lease under a new epoch; *holder* is what others are told.

        Raises:
            JournalHeld: somebody who is alive holds it.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back. One that is no longer current is let go without a word."""
        ...

    def holder(self) -> Lease | None:
        """Return the lease of whoever is alive and holds it now; where leases have a time, None once that is over."""
        ...

    def verify(self, witness: Callable[[Row], object] | None = None) -> Verdict:
        """Check everything that can be checked, holding no more than a page of rows at a time.

        Args:
            witness: is shown every row, in order, once its hash is checked; what it raises ends the checking.

        Raises:
            JournalCorrupt: names the first row that is wrong.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Wait so many seconds, or until somebody may have appended, where the store can tell. For one thread."""
        ...

    def close(self) -> None:
        """Let go of everything, a lease included: to others this is as if the holder's process had ended."""
        ...
