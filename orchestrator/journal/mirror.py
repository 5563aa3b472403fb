"""A journal's mirror: every row also on a second disk or share, one line a row, in the form of an export.

The mirror is, byte for byte, the beginning of what `journal export` would print. From that everything else follows:
it is caught up by appending what it lacks, also the rest of a line whose writing was cut off; one that is longer, or
has another byte somewhere, is not this journal's mirror or not any more, and is refused.

It is also a fence. A runner that was lost may have been replaced on another machine, from the mirror; the new one goes
on writing it. Should the old one wake, its own journal knows nothing of that, but the mirror does not end where it was
left: whoever finds rows there that his journal lacks is no longer the runner.

Beside the file: ``.lock`` (held while rows are appended, on whatever machine) and ``.head`` (:mod:`highwater`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orchestrator.journal.errors import MirrorUnusable
from orchestrator.journal.highwater import Mark, write_mark
from orchestrator.journal.line import is_unfinished, line_of, record_in
from orchestrator.journal.lock import FileLock
from orchestrator.journal.protocol import Journal, Row
from orchestrator.journal.sqlite_file import beside, sync_folder

PATIENCE = 20.0
"""Seconds to wait for whoever is appending: he may have to wait for the journal's disk, and the mirror's."""

_AT_ONCE = 1 << 20
_MEND = (
    "Nothing is sent that the mirror does not have; what is in the journal stays there. Mend it, then run the same "
    "command again, which catches it up; or name another file with --mirror"
)


@dataclass(frozen=True)
class Standing:
    """How far a mirror goes: its last row that is also the journal's, where that ends, and what it is.

    ``begun`` is how many bytes of the journal's next row are there already.
    """

    seq: int = 0
    end: int = 0
    last: bytes = b""
    begun: int = 0


class Strangers(Exception):
    """A mirror has what its journal does not. ``rows`` and ``epoch`` are of its last row, as far as that can be read;
    ``journal_ended`` is whether everything that the journal has is there too.
    """

    def __init__(self, standing: Standing, rows: int, epoch: int, *, journal_ended: bool) -> None:
        self.standing, self.rows, self.epoch, self.journal_ended = standing, rows, epoch, journal_ended
        super().__init__(f"{rows} rows where the journal has {standing.seq}")


class Mirror:
    """The mirror in file *path*; not for use by two threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(beside(path, ".lock"))
        self._mark = beside(path, ".head")
        self._left = Standing()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let nobody else append meanwhile.

        Raises:
            MirrorUnusable: somebody does, for too long; or the place cannot be written.
        """
        with self._explained():
            self._refuse_other_things()
            if not self._lock.take(PATIENCE):
                who = f"another process appends to it for more than {PATIENCE:.0f} s"
                raise MirrorUnusable(self.path, who, "Nothing was written. Find out who, then run the same command")
        try:
            yield
        finally:
            self._lock.free()

    def agree(self, journal: Journal) -> None:
        """Make sure that the mirror still has nothing but rows of *journal*; cheap while nobody else wrote to it.

        Raises:
            Strangers: it has others.
            MirrorUnusable: it cannot be read, or it is gone.
        """
        with self._explained():
            if self._left.end == 0 and not self.path.exists():
                self._refuse_remains()
                return
            with self.path.open("rb") as file:
                known = self._as_left(file)
                if known and os.fstat(file.fileno()).st_size == self._left.end:
                    return
                since = self._left if known else Standing()
                self._left = compared(file, since, journal.read(after=since.seq))

    def extend(self, journal: Journal) -> None:
        """Append the rows of *journal* that are not there yet; they are on the disk when this returns.

        Raises:
            MirrorUnusable: they could not be written, or not all of them.
        """
        with self._explained():
            begun = not self.path.exists()
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            try:
                reached, row = self._written(file, journal)
                if row is not None:
                    os.fsync(file)
            finally:
                os.close(file)
            if begun:
                sync_folder(self.path.parent)
        self._left = reached
        if row is not None:
            write_mark(self._mark, Mark(row.seq, row.hash))

    def cut_off(self, standing: Standing) -> None:
        """Take away the line after *standing* that was never finished."""
        with self._explained(), self.path.open("r+b") as file:
            file.truncate(standing.end)
            os.fsync(file.fileno())
        self._left = standing

    def is_empty(self) -> bool:
        """Say whether there is no row in the mirror, nor sign of one."""
        with self._explained():
            self._refuse_other_things()
            return not (self.path.exists() and self.path.stat().st_size) and not self._mark.exists()

    def _written(self, file: int, journal: Journal) -> tuple[Standing, Row | None]:
        left, row, waiting = self._left, None, b""
        skip = left.begun
        for row in journal.read(after=left.seq):
            line = line_of(row)
            waiting += line[skip:]
            left = Standing(row.seq, left.end + len(line), line)
            skip = 0
            if len(waiting) >= _AT_ONCE:
                _write_all(file, waiting)
                waiting = b""
        _write_all(file, waiting)
        return left, row

    def _as_left(self, file: BinaryIO) -> bool:
        last = self._left.last
        file.seek(self._left.end - len(last))
        return file.read(len(last)) == last

    def _refuse_other_things(self) -> None:
        if self.path.exists() and not self.path.is_file():
            raise MirrorUnusable(self.path, "it is not a file", "Nothing was written. Name a file with --mirror")
        if not self.path.parent.is_dir():  # made by nobody: where a share is not mounted, it is not there
            cause = f"there is no folder {self.path.parent}"
            raise MirrorUnusable(
                self.path, cause, "Nothing was written. Is the share mounted? Make the folder if it is"
            )

    def _refuse_remains(self) -> None:
        if self._mark.exists():
            raise MirrorUnusable(
                self.path,
                f"there is no such file, but {self._mark} shows that there was a mirror",
                "Nothing was written. Put it back; or, to begin one anew on purpose, move that away first",
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise MirrorUnusable(
                self.path, f"{error.strerror or error} ({error.filename or self.path})", _MEND
            ) from error


def compared(file: BinaryIO, since: Standing, rows: Iterable[Row]) -> Standing:
    """Compare a mirror with the rows after *since*, from where *since* ends; return how far it goes.

    Raises:
        Strangers: it has what is not among them.
    """
    file.seek(since.end)
    standing = Standing(since.seq, since.end, since.last)
    for row in rows:
        line = line_of(row)
        found = file.read(len(line))
        if found != line:
            if len(found) < len(line) and line.startswith(found):
                return Standing(standing.seq, standing.end, standing.last, begun=len(found))
            raise _strangers(standing, found + file.read(), journal_ended=False)
        standing = Standing(row.seq, standing.end + len(line), line)
    rest = file.read()
    if rest:
        raise _strangers(standing, rest, journal_ended=True)
    return standing


def _strangers(standing: Standing, rest: bytes, *, journal_ended: bool) -> Strangers:
    *lines, tail = rest.split(b"\n")
    if not lines and is_unfinished(tail):
        return Strangers(standing, standing.seq, 0, journal_ended=journal_ended)
    rows, epoch = standing.seq + len(lines), 0
    for line in lines:
        try:
            record = record_in(line + b"\n")
        except ValueError:
            continue
        rows, epoch = record.seq, record.epoch or epoch
    return Strangers(standing, rows, epoch, journal_ended=journal_ended)


def _write_all(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
