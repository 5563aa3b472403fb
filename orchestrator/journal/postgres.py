"""The journal in a PostgreSQL database: for runners on several machines, of which one drives and others stand by.

An append is one statement, a function on the server that locks, checks, writes and commits: a runner that freezes holds
no lock, and when it returns the rows are on the server's disk (``synchronous_commit``; and on the standbys that
``synchronous_standby_names`` asks for). Where the connection is lost meanwhile, nobody can say whether they are there:
JournalUnusable, and they must be read. The database itself refuses a row that leaves a gap, comes late or does not
continue the hash chain, and whatever changes or removes one.

The lease is a row with a time by the server's clock; whoever holds it has a thread that moves it on.

Beside the database, in a folder of this machine: ``postgresql-ID.head`` (:mod:`orchestrator.journal.highwater`), by
which a runner sees that it was given an older copy: a backup put back, a standby that lagged when it took over. It
knows of the rows written from this folder only; a mirror on a share knows of all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, LiteralString

import psycopg

from orchestrator.journal.chain import GENESIS, Record, bodies, checked, extend
from orchestrator.journal.errors import JournalConflict, JournalCorrupt, JournalHeld, JournalUnusable, LeaseLost
from orchestrator.journal.highwater import Mark, read_mark, write_mark
from orchestrator.journal.postgres_lease import LeaseKeeper
from orchestrator.journal.postgres_schema import check_rules, recognise
from orchestrator.journal.postgres_server import Server, explained
from orchestrator.journal.protocol import Entry, Lease, Row, Verdict

_PAGE = 256
_READ = """
    SELECT seq, run, at, kind, version, body, epoch, hash FROM dmsa.entries
    WHERE seq >= %(after)s ORDER BY seq LIMIT %(page)s
"""
_READ_RUN = """
    SELECT seq, run, at, kind, version, body, epoch, hash, (SELECT hash FROM dmsa.entries WHERE seq = e.seq - 1)
    FROM dmsa.entries AS e
    WHERE e.seq > %(after)s AND e.run = %(run)s ORDER BY e.seq LIMIT %(page)s
"""
_LAST = "SELECT seq, hash FROM dmsa.entries ORDER BY seq DESC LIMIT 1"
_LATEST = """
    SELECT seq FROM (SELECT seq, kind FROM dmsa.entries ORDER BY seq DESC LIMIT %(within)s) AS last
    WHERE kind = %(kind)s ORDER BY seq DESC LIMIT 1
"""
_LATEST_OF_RUN = """
    SELECT seq FROM (
        SELECT seq, kind FROM dmsa.entries WHERE run = %(run)s ORDER BY seq DESC LIMIT %(within)s
    ) AS last
    WHERE kind = %(kind)s ORDER BY seq DESC LIMIT 1
"""
_BEFORE_LAST = """
    SELECT coalesce(min(seq) - 1, 0)
    FROM (SELECT seq FROM dmsa.entries WHERE run = %(run)s ORDER BY seq DESC LIMIT %(rows)s) AS last
"""
_RUNS = """
    WITH RECURSIVE names (run) AS (
        (SELECT run FROM dmsa.entries ORDER BY run LIMIT 1)
        UNION ALL
        SELECT (SELECT run FROM dmsa.entries WHERE run > names.run ORDER BY run LIMIT 1)
        FROM names WHERE names.run IS NOT NULL
    )
    SELECT run FROM names WHERE run IS NOT NULL
    ORDER BY (SELECT min(seq) FROM dmsa.entries WHERE entries.run = names.run)
"""
"""From name to name along the index: the time it takes depends on the runs, not on the rows."""
_APPEND = "SELECT head, epoch, holder, done FROM dmsa.append(%s, %s, %s, %s, %s, %s, %s, %s)"
_TAKE = "SELECT epoch, holder, since, until, taken FROM dmsa.take_lease(%s, %s)"
_HOLDER = "SELECT epoch, holder, since FROM dmsa.lease WHERE holder IS NOT NULL AND until > clock_timestamp()"


class PostgresJournal:
    """A :class:`~orchestrator.journal.protocol.Journal` in a database whose owner has made one there.

    Args:
        server: the database.
        lease: seconds for which a lease that is taken here counts without being renewed.
        read_only: nothing can be written through it; whatever tries raises JournalUnusable.
        folder: where the mark is kept; made where missing, once there is something to mark.

    Raises:
        JournalUnusable: it cannot be reached, has no journal of this version, or does not keep what it confirms.
        JournalCorrupt: its rules were changed, or rows are gone from its end.
    """

    def __init__(
        self, server: Server, *, lease: float = 15.0, read_only: bool = False, folder: Path = Path(".dmsa")
    ) -> None:
        self.server = server
        self._seconds, self._read_only = lease, read_only
        self._turn = Lock()
        self._over = False
        self._held: Lease | None = None
        self._keeper: LeaseKeeper | None = None
        self._ear: psycopg.Connection[Any] | None = None
        self._database = server.connect(read_only=read_only)
        try:
            recognise(server, self._database)
            with explained(server.url):
                check_rules(self._database)
                (id_,) = self._row("SELECT id FROM dmsa.identity")
                self._mark = folder / f"postgresql-{id_}.head"
                self._seen = Mark(0, GENESIS)
                self._check_opening()
        except BaseException:
            self._database.close()
            raise

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        """See :meth:`Journal.append <orchestrator.journal.protocol.Journal.append>`.

        Raises:
            ValueError: also where the name of a run or a kind has a NUL, which PostgreSQL keeps in no text.
        """
        texts, under = bodies(entries), lease.epoch if lease else None
        if any("\0" in entry.run + entry.kind for entry in entries):
            raise ValueError("PostgreSQL keeps no NUL in the name of a run or a kind")
        with self._talking():
            last = self._hash_of(expected)
            # Where there is no such row, the server is asked all the same: it says how far the journal goes.
            records = [] if last is None else list(extend(last, expected, entries, texts, under))
            _, runs, ats, kinds, versions, kept, _, hashes = zip(*records, strict=True) if records else [[]] * 8
            head, epoch, holder, done = self._row(
                _APPEND, expected, under, *map(list, (runs, ats, kinds, versions, kept, hashes))
            )
            if last is None or (head != expected and not done):
                raise JournalConflict(expected, head)
            if lease is not None and not done:
                raise LeaseLost(lease.epoch, epoch, holder)
            if records:
                self._seen = Mark(records[-1].seq, records[-1].hash)
                self._write_mark()
        return int(head)

    def head(self) -> int:
        """See :meth:`Journal.head <orchestrator.journal.protocol.Journal.head>`.

        Raises:
            JournalCorrupt: it ends before a row that this handle has seen.
        """
        with self._reading():
            return self._last().seq

    def read(self, after: int = 0, run: str | None = None) -> Iterator[Row]:
        """See :meth:`Journal.read <orchestrator.journal.protocol.Journal.read>`."""
        # Page by page, each with a snapshot of its own: rows never change and come in the order of their numbers, so
        # that the pages fit, and no transaction stays open while somebody thinks.
        after = max(after, 0)
        while page := self._page(after, run):
            for record, previous in page:
                yield checked(previous, record)
            after = page[-1][0].seq

    def latest(self, kind: str, run: str | None = None, within: int = 20_000) -> Row | None:
        """See :meth:`Journal.latest <orchestrator.journal.protocol.Journal.latest>`."""
        where = {"kind": kind, "run": run, "within": within}
        with self._reading():
            found = self._database.execute(_LATEST if run is None else _LATEST_OF_RUN, where).fetchone()
        return None if found is None else next(self.read(after=found[0] - 1))

    def before_last(self, rows: int, run: str | None = None) -> int:
        """See :meth:`Journal.before_last <orchestrator.journal.protocol.Journal.before_last>`."""
        if run is None:
            return max(0, self.head() - rows)
        with self._reading():
            found = self._database.execute(_BEFORE_LAST, {"rows": rows, "run": run}).fetchone()
        return int(found[0]) if found else 0

    def runs(self) -> list[str]:
        """See :meth:`Journal.runs <orchestrator.journal.protocol.Journal.runs>`."""
        with self._reading():
            return [run for (run,) in self._database.execute(_RUNS)]

    def acquire(self, holder: str) -> Lease:
        """See :meth:`Journal.acquire <orchestrator.journal.protocol.Journal.acquire>`."""
        with self._talking():
            epoch, held_by, since, until, taken = self._row(_TAKE, holder, self._seconds)
            if not taken:
                raise JournalHeld(held_by, since, until)
            self._stop_keeping()
            self._held = Lease(epoch, holder, since)
            self._keeper = LeaseKeeper(self.server, epoch, self._seconds)
            return self._held

    def release(self, lease: Lease) -> None:
        """See :meth:`Journal.release <orchestrator.journal.protocol.Journal.release>`."""
        with self._turn:
            if lease != self._held:
                return
            self._stop_keeping()
        with self._talking():
            self._database.execute("SELECT dmsa.release_lease(%s)", (lease.epoch,))

    def holder(self) -> Lease | None:
        """See :meth:`Journal.holder <orchestrator.journal.protocol.Journal.holder>`."""
        with self._reading():
            found = self._database.execute(_HOLDER).fetchone()
        return None if found is None else Lease(*found)

    def verify(self, witness: Callable[[Row], object] | None = None) -> Verdict:
        """See :meth:`Journal.verify <orchestrator.journal.protocol.Journal.verify>`."""
        with self._reading():
            check_rules(self._database)
            witnessed = self._check_end()
        rows, last, epoch = 0, GENESIS, 0
        for row in self.read():
            if witness is not None:
                witness(row)
            rows, last, epoch = row.seq, row.hash, row.epoch or epoch
        with self._reading():
            self._check_lease(epoch)
        return Verdict(rows, last, witnessed)

    def lost(self, lease: Lease) -> bool:
        """See :meth:`Journal.lost <orchestrator.journal.protocol.Journal.lost>`."""
        keeper = self._keeper
        return keeper is not None and keeper.lost and lease == self._held

    def wait(self, seconds: float) -> None:
        """Wait until somebody else has appended, or so many seconds; see
        :meth:`Journal.wait <orchestrator.journal.protocol.Journal.wait>`."""
        until = time.monotonic() + seconds
        try:
            ear = self._listening()
            ours = self._database.info.backend_pid
            while (left := until - time.monotonic()) > 0:
                if any(heard.pid != ours for heard in ear.notifies(timeout=left, stop_after=1)):
                    return
        except (psycopg.Error, JournalUnusable):
            self._deaf()
            time.sleep(max(0.0, until - time.monotonic()))

    def close(self) -> None:
        """See :meth:`Journal.close <orchestrator.journal.protocol.Journal.close>`."""
        with self._turn:
            held, self._over = self._held, True
            self._stop_keeping()
            self._deaf()
            with contextlib.suppress(psycopg.Error), self._database as database:
                if held is not None:
                    database.execute("SELECT dmsa.let_lapse(%s)", (held.epoch,))

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        """One thread at a time; a connection that was lost is made anew before the next statement, never in one."""
        with self._turn, explained(self.server.url):
            if self._over:
                raise JournalUnusable(self.server.url, "it was closed here", "Open it again")
            if self._database.closed:
                self._database = self.server.connect(read_only=self._read_only)
            yield

    _reading = _talking

    def _row(self, query: LiteralString, *values: object) -> tuple[Any, ...]:
        found = self._database.execute(query, values).fetchone()
        if found is None:
            raise JournalCorrupt(0, "the row that says who may write, or whose journal it is, is gone")
        return tuple(found)

    def _stop_keeping(self) -> None:
        if self._keeper is not None:
            self._keeper.stop()
        self._keeper = self._held = None

    def _last(self) -> Mark:
        found = self._database.execute(_LAST).fetchone()
        last = Mark(*found) if found else Mark(0, GENESIS)
        if last.seq < self._seen.seq:
            raise self._cut_short(last.seq, self._seen.seq, "")
        self._seen = last
        return last

    def _hash_of(self, seq: int) -> str | None:
        if seq == self._seen.seq:
            return self._seen.hash
        if seq == 0:
            return GENESIS
        found = self._database.execute("SELECT hash FROM dmsa.entries WHERE seq = %s", (seq,)).fetchone()
        return found[0] if found else None

    def _page(self, after: int, run: str | None) -> list[tuple[Record, str | None]]:
        with self._reading():
            where = {"after": after, "run": run, "page": _PAGE}
            if run is not None:
                found = self._database.execute(_READ_RUN, where).fetchall()
                return [(Record(*columns), GENESIS if columns[0] == 1 else last) for *columns, last in found]
            # Each row is the one before the next: its hash need not be looked for.
            records = [Record(*columns) for columns in self._database.execute(_READ, where)]
        hashes = {0: GENESIS, **{record.seq: record.hash for record in records}}
        return [(record, hashes.get(record.seq - 1)) for record in records if record.seq > after]

    def _listening(self) -> psycopg.Connection[Any]:
        if self._ear is None:
            self._ear = self.server.connect(read_only=True)
            self._ear.execute("LISTEN dmsa_journal")
        return self._ear

    def _deaf(self) -> None:
        if self._ear is not None:
            with contextlib.suppress(psycopg.Error):
                self._ear.close()
        self._ear = None

    def _check_lease(self, epoch: int) -> None:
        if self._row("SELECT epoch FROM dmsa.lease")[0] < epoch:
            raise JournalCorrupt(0, f"rows were written in epoch {epoch}, but the lease was set back")

    def _check_opening(self) -> None:
        self._check_end()
        last = "SELECT epoch FROM dmsa.entries WHERE epoch IS NOT NULL ORDER BY seq DESC LIMIT 1"
        for (epoch,) in self._database.execute(last):
            self._check_lease(epoch)

    def _check_end(self) -> int | None:
        """Return the row that the mark of this folder vouches for, if there is a mark."""
        mark = read_mark(self._mark)  # before the rows: a writer sets it after them
        last = self._last()
        if mark is None:
            return None
        found = self._database.execute("SELECT hash FROM dmsa.entries WHERE seq = %s", (mark.seq,)).fetchone()
        if found is None and last.seq < mark.seq:
            raise self._cut_short(last.seq, mark.seq, f". If going on from it is meant, remove {self._mark} first")
        if found is None or found[0] != mark.hash:
            raise JournalCorrupt(mark.seq, f"it is not the row that was written, says {self._mark}")
        return mark.seq

    def _cut_short(self, head: int, seen: int, remedy: str) -> JournalCorrupt:
        return JournalCorrupt(
            head + 1,
            f"row {seen} was written, but the journal ends at row {head}: an older copy was put in its place, or a "
            f"standby took over that did not have everything{remedy}",
        )

    def _write_mark(self) -> None:
        with contextlib.suppress(OSError):
            self._mark.parent.mkdir(parents=True, exist_ok=True)
        write_mark(self._mark, self._seen)
