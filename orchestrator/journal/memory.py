"""The journal in memory, with the contract of the one on disk: for simulation, rehearsal and tests.

Several handles may share the same rows, as several processes share a file. Closing a handle is to the others what
the end of its process is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from threading import Lock

from orchestrator.journal.chain import GENESIS, Record, bodies, checked, extend
from orchestrator.journal.errors import JournalConflict, JournalHeld, LeaseLost
from orchestrator.journal.protocol import Entry, Lease, Row, Verdict


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class _Store:
    """What handles share. ``lease`` is the one last taken and not given back, ``alive`` its holder while open."""

    records: list[Record] = field(default_factory=list)
    epoch: int = 0
    lease: Lease | None = None
    alive: MemoryJournal | None = None
    turn: Lock = field(default_factory=Lock)


class MemoryJournal:
    """A :class:`~orchestrator.journal.protocol.Journal` of its own; *now* is the clock that leases are dated by."""

    def __init__(self, now: Callable[[], datetime] = _wall_clock) -> None:
        self._now = now
        self._store = _Store()

    def another(self) -> MemoryJournal:
        """Return another handle on the same rows: the journal as a second process would open it."""
        handle = MemoryJournal(self._now)
        handle._store = self._store
        return handle

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        """See :meth:`Journal.append <orchestrator.journal.protocol.Journal.append>`."""
        texts = bodies(entries)
        store = self._store
        with store.turn:
            head = len(store.records)
            if head != expected:
                raise JournalConflict(expected, head)
            if lease is not None and (store.lease is None or lease.epoch != store.epoch):
                raise LeaseLost(lease.epoch, store.epoch, store.lease.holder if store.lease else None)
            last = store.records[-1].hash if store.records else GENESIS
            store.records += list(extend(last, head, entries, texts, lease.epoch if lease else None))
            return len(store.records)

    def head(self) -> int:
        """See :meth:`Journal.head <orchestrator.journal.protocol.Journal.head>`."""
        return len(self._store.records)

    def read(self, after: int = 0, run: str | None = None) -> Iterator[Row]:
        """See :meth:`Journal.read <orchestrator.journal.protocol.Journal.read>`."""
        records = self._store.records
        for index in range(max(after, 0), len(records)):
            if run is None or records[index].run == run:
                yield checked(records[index - 1].hash if index else GENESIS, records[index])

    def latest(self, kind: str, run: str | None = None, within: int = 20_000) -> Row | None:
        """See :meth:`Journal.latest <orchestrator.journal.protocol.Journal.latest>`."""
        records = self._store.records
        for index in islice(self._backwards(run), within):
            if records[index].kind == kind:
                return checked(records[index - 1].hash if index else GENESIS, records[index])
        return None

    def before_last(self, rows: int, run: str | None = None) -> int:
        """See :meth:`Journal.before_last <orchestrator.journal.protocol.Journal.before_last>`."""
        return min(islice(self._backwards(run), rows), default=0)

    def _backwards(self, run: str | None) -> Iterator[int]:
        """Yield where the rows of a run are, the last one first."""
        records = self._store.records
        return (index for index in range(len(records) - 1, -1, -1) if run is None or records[index].run == run)

    def runs(self) -> list[str]:
        """See :meth:`Journal.runs <orchestrator.journal.protocol.Journal.runs>`."""
        return list(dict.fromkeys(record.run for record in self._store.records))

    def acquire(self, holder: str) -> Lease:
        """See :meth:`Journal.acquire <orchestrator.journal.protocol.Journal.acquire>`."""
        store = self._store
        with store.turn:
            if store.alive is not None and store.lease is not None:
                raise JournalHeld(store.lease.holder, store.lease.since)
            store.epoch += 1
            store.alive, store.lease = self, Lease(store.epoch, holder, self._now())
            return store.lease

    def release(self, lease: Lease) -> None:
        """See :meth:`Journal.release <orchestrator.journal.protocol.Journal.release>`."""
        store = self._store
        with store.turn:
            if store.alive is self and store.lease == lease:
                store.alive = store.lease = None

    def holder(self) -> Lease | None:
        """See :meth:`Journal.holder <orchestrator.journal.protocol.Journal.holder>`."""
        with self._store.turn:
            return self._store.lease if self._store.alive else None

    def verify(self, witness: Callable[[Row], object] | None = None) -> Verdict:
        """See :meth:`Journal.verify <orchestrator.journal.protocol.Journal.verify>`."""
        last = GENESIS
        rows = 0
        for row in self.read():
            if witness is not None:
                witness(row)
            rows, last = row.seq, row.hash
        return Verdict(rows, last, rows)

    def wait(self, seconds: float) -> None:
        """See :meth:`Journal.wait <orchestrator.journal.protocol.Journal.wait>`."""
        time.sleep(seconds)

    def close(self) -> None:
        """See :meth:`Journal.close <orchestrator.journal.protocol.Journal.close>`."""
        with self._store.turn:
            if self._store.alive is self:
                self._store.alive = None
