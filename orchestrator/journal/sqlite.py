"""The journal in one SQLite file: the default, for runners and operators on one machine.

When :meth:`SqliteJournal.append` returns, the rows are in the write-ahead log and the log has been synced to the
disk: one transaction and one sync for all entries of a call (group commit). The high-water mark follows.

Beside the file: ``-wal`` and ``-shm`` (SQLite's own; they belong to the journal), ``.lock`` (whoever drives holds the
operating system's lock on it), ``.head`` (:mod:`orchestrator.journal.highwater`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock

from orchestrator.journal.chain import GENESIS, Record, bodies, checked, extend
from orchestrator.journal.errors import JournalConflict, JournalCorrupt, JournalHeld, JournalUnusable, LeaseLost
from orchestrator.journal.highwater import Mark, read_mark, write_mark
from orchestrator.journal.lock import FileLock
from orchestrator.journal.protocol import Entry, Lease, Row, Verdict
from orchestrator.journal.sqlite_file import beside, connect, explained, recognise, schema

_PAGE = 256
_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%' ORDER BY name"
_READ = "SELECT * FROM entries WHERE seq > :after ORDER BY seq LIMIT :page"
_READ_RUN = """
    SELECT e.*, (SELECT hash FROM entries WHERE seq = e.seq - 1) FROM entries AS e
    WHERE e.seq > :after AND e.run = :run ORDER BY e.seq LIMIT :page
"""
_LATEST = """
    SELECT seq FROM (SELECT seq, kind FROM entries ORDER BY seq DESC LIMIT :within) WHERE kind = :kind LIMIT 1
"""
_LATEST_OF_RUN = """
    SELECT seq FROM (SELECT seq, kind FROM entries WHERE run = :run ORDER BY seq DESC LIMIT :within)
    WHERE kind = :kind LIMIT 1
"""
_BEFORE_LAST = """
    SELECT coalesce(min(seq) - 1, 0)
    FROM (SELECT seq FROM entries WHERE run = :run ORDER BY seq DESC LIMIT :rows)
"""
_RUNS = """
    WITH RECURSIVE names(run) AS (
        SELECT min(run) FROM entries
        UNION ALL SELECT (SELECT min(run) FROM entries WHERE run > names.run) FROM names WHERE names.run IS NOT NULL
    )
    SELECT run FROM names WHERE run IS NOT NULL ORDER BY (SELECT min(seq) FROM entries WHERE entries.run = names.run)
"""
"""From name to name along the index: the time it takes depends on the runs, not on the rows."""
_TAKE = """
    UPDATE lease SET epoch = epoch + 1, holder = :holder, since = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
"""


class SqliteJournal:
    """A :class:`~orchestrator.journal.protocol.Journal` in the existing file *path*.

    With *read_only* nothing can be written through it: whatever tries raises JournalUnusable.

    Raises:
        JournalUnusable: the file is missing, not ours, of another version, or cannot be opened.
        JournalCorrupt: its rules were changed, or rows are gone from its end.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        recognise(path)
        self.path = path
        self._mark = beside(path, ".head")
        self._lock = FileLock(beside(path, ".lock"))
        self._held: Lease | None = None
        self._turn = Lock()
        with explained(path):
            # Looked at read-only first: the last writer to close folds the log into the file and removes it, and of
            # a log that was cut the remains must stay for whoever investigates.
            self._database = connect(path, "ro")
            with closing(self._database):
                self._check_rules()
                self._check_opening()
            self._database = connect(path, "ro" if read_only else "rw")

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        """See :meth:`Journal.append <orchestrator.journal.protocol.Journal.append>`."""
        texts = bodies(entries)
        with self._turn, explained(self.path):
            with self._transaction():
                head, last = self._last()
                if head != expected:
                    raise JournalConflict(expected, head)
                if lease is not None:
                    self._check_current(lease)
                records = list(extend(last, head, entries, texts, lease.epoch if lease else None))
                self._database.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)
            if records:
                head = records[-1].seq
                write_mark(self._mark, Mark(head, records[-1].hash))
        return head

    def head(self) -> int:
        """See :meth:`Journal.head <orchestrator.journal.protocol.Journal.head>`."""
        with self._turn, explained(self.path):
            return self._last()[0]

    def read(self, after: int = 0, run: str | None = None) -> Iterator[Row]:
        """See :meth:`Journal.read <orchestrator.journal.protocol.Journal.read>`."""
        # Page by page: a statement left open would keep the log from being folded back into the file.
        while page := self._page(after, run):
            for record, previous in page:
                yield checked(previous, record)
            after = page[-1][0].seq

    def latest(self, kind: str, run: str | None = None, within: int = 20_000) -> Row | None:
        """See :meth:`Journal.latest <orchestrator.journal.protocol.Journal.latest>`."""
        where = {"kind": kind, "run": run, "within": within}
        with self._turn, explained(self.path):
            found = self._database.execute(_LATEST if run is None else _LATEST_OF_RUN, where).fetchone()
        return None if found is None else next(self.read(after=found[0] - 1))

    def before_last(self, rows: int, run: str | None = None) -> int:
        """See :meth:`Journal.before_last <orchestrator.journal.protocol.Journal.before_last>`."""
        if run is None:
            return max(0, self.head() - rows)
        with self._turn, explained(self.path):
            (found,) = self._database.execute(_BEFORE_LAST, {"rows": rows, "run": run}).fetchone()
        return int(found)

    def runs(self) -> list[str]:
        """See :meth:`Journal.runs <orchestrator.journal.protocol.Journal.runs>`."""
        with self._turn, explained(self.path):
            return [run for (run,) in self._database.execute(_RUNS)]

    def acquire(self, holder: str) -> Lease:
        """See :meth:`Journal.acquire <orchestrator.journal.protocol.Journal.acquire>`."""
        with self._turn, explained(self.path):
            if not self._lock.take():
                other = self._lease()
                raise JournalHeld(other[1] or "a process that is just beginning", _time(other[2]))
            try:
                with self._transaction():
                    self._database.execute(_TAKE, {"holder": holder})
                    epoch, _, since = self._lease()
            except BaseException:
                self._lock.free()
                raise
            self._held = Lease(epoch, holder, datetime.fromisoformat(since or ""))
            return self._held

    def release(self, lease: Lease) -> None:
        """See :meth:`Journal.release <orchestrator.journal.protocol.Journal.release>`."""
        with self._turn, explained(self.path):
            if lease != self._held:
                return
            self._held = None
            try:
                with self._transaction():
                    free = "UPDATE lease SET holder = NULL, since = NULL WHERE epoch = ?"
                    self._database.execute(free, (lease.epoch,))
            finally:
                self._lock.free()

    def holder(self) -> Lease | None:
        """See :meth:`Journal.holder <orchestrator.journal.protocol.Journal.holder>`."""
        with self._turn, explained(self.path):
            epoch, holder, since = self._lease()
            # The table remembers who took the lease last; only the lock knows whether he lives.
            if holder is None or since is None or not self._lock.taken():
                return None
            return Lease(epoch, holder, datetime.fromisoformat(since))

    def verify(self, witness: Callable[[Row], object] | None = None) -> Verdict:
        """See :meth:`Journal.verify <orchestrator.journal.protocol.Journal.verify>`."""
        rows, last, epoch = 0, GENESIS, 0
        for row in self.read():
            if witness is not None:
                witness(row)
            rows, last, epoch = row.seq, row.hash, max(epoch, row.epoch or 0)
        with self._turn, explained(self.path):
            self._check_rules()
            mark = self._check_end()
            for (fault,) in self._database.execute("PRAGMA integrity_check(1)"):
                if fault != "ok":
                    raise JournalCorrupt(0, f"SQLite reports of {self.path}: {fault}")
            self._check_lease(epoch)
        return Verdict(rows, last, mark if mark is None else min(mark, rows))

    def wait(self, seconds: float) -> None:
        """See :meth:`Journal.wait <orchestrator.journal.protocol.Journal.wait>`."""
        time.sleep(seconds)

    def close(self) -> None:
        """See :meth:`Journal.close <orchestrator.journal.protocol.Journal.close>`."""
        with self._turn:
            self._database.close()
            self._held = None
            self._lock.free()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # A full disk or a failed sync has SQLite roll back by itself.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _last(self) -> tuple[int, str]:
        last = self._database.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
        return last or (0, GENESIS)

    def _lease(self) -> tuple[int, str | None, str | None]:
        found = self._database.execute("SELECT epoch, holder, since FROM lease").fetchone()
        if found is None:
            raise JournalCorrupt(0, "the row that says who may write is gone")
        epoch, holder, since = found
        readable = type(epoch) is int and (type(holder), type(since)) in {(str, str), (type(None), type(None))}
        try:
            _time(since) if readable else None
        except ValueError:
            readable = False
        if not readable:
            raise JournalCorrupt(0, f"the row that says who may write cannot be read: {epoch!r}, {holder!r}, {since!r}")
        return epoch, holder, since

    def _page(self, after: int, run: str | None) -> list[tuple[Record, str | None]]:
        with self._turn, explained(self.path):
            where = {"after": after, "run": run, "page": _PAGE}
            if run is not None:
                found = self._database.execute(_READ_RUN, where).fetchall()
                return [(Record(*columns), GENESIS if columns[0] == 1 else last) for *columns, last in found]
            # Each row is the one before the next: its hash need not be looked for.
            hashes = dict(self._database.execute("SELECT seq, hash FROM entries WHERE seq = ?", (after,)))
            records = [Record(*columns) for columns in self._database.execute(_READ, where)]
        hashes |= {0: GENESIS, **{record.seq: record.hash for record in records}}
        return [(record, hashes.get(record.seq - 1)) for record in records]

    def _check_current(self, lease: Lease) -> None:
        epoch, holder, _ = self._lease()
        if epoch != lease.epoch or holder is None:
            raise LeaseLost(lease.epoch, epoch, holder)

    def _check_rules(self) -> None:
        (mode,) = self._database.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal":
            remedy = f'Nothing was written. If you did that: sqlite3 {self.path} "PRAGMA journal_mode = WAL"'
            raise JournalUnusable(self.path, f"somebody switched it to journal mode {mode}", remedy)
        found = frozenset(self._database.execute(_SCHEMA).fetchall())
        if changed := sorted({_named(row[1]) for row in _rules() ^ found}):
            raise JournalCorrupt(0, f"the file's own rules were changed: {', '.join(changed)}")

    def _check_lease(self, epoch: int) -> None:
        if self._lease()[0] < epoch:
            raise JournalCorrupt(0, f"rows were written in epoch {epoch}, but the lease was set back")

    def _check_opening(self) -> None:
        try:
            self._check_end()
            last = "SELECT epoch FROM entries WHERE epoch IS NOT NULL ORDER BY seq DESC LIMIT 1"
            for (epoch,) in self._database.execute(last):
                self._check_lease(epoch)
        except JournalCorrupt:
            for _ in self.read():
                pass  # a row before the end may be wrong as well, and the first one is to be named
            raise

    def _check_end(self) -> int | None:
        """Return the row that the high-water mark vouches for, if there is a mark."""
        mark = read_mark(self._mark)  # read before the rows: a writer sets it after them
        if mark is None:
            return None
        found = self._database.execute("SELECT hash FROM entries WHERE seq = ?", (mark.seq,)).fetchone()
        head, _ = self._last()
        if found is None and head < mark.seq:
            raise JournalCorrupt(
                head + 1,
                f"row {mark.seq} was written, but the file ends at row {head}: it was cut short, lost its -wal file, "
                f"or was replaced by an older copy. If going on from row {head} is meant, remove {self._mark} first",
            )
        if found is None or found[0] != mark.hash:
            raise JournalCorrupt(mark.seq, f"it is not the row that was written, says {self._mark}")
        return mark.seq


@cache
def _rules() -> frozenset[tuple[str, str, str, str]]:
    """Return the rules as SQLite keeps them."""
    with closing(sqlite3.connect(":memory:")) as model:
        model.executescript(schema())
        return frozenset(model.execute(_SCHEMA).fetchall())


def _named(name: object) -> str:
    """Return the name of a rule; one bent bit makes it bytes, a number or nothing."""
    return name if isinstance(name, str) else repr(name)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
