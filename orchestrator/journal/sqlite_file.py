"""The file under a SQLite journal: recognised before SQLite may touch it, made whole or not at all.

SQLite opens whatever it is given: it recovers and checkpoints somebody else's database, and takes an empty file for a
new one. So a file's first hundred bytes are read first (the layout is in "Database File Format", section 1.3, on
sqlite.org), and a new journal is built under another name and moved into place.

Write-ahead logging (WAL) lets ``dmsa status`` read while a runner writes. It works among processes of one machine
("Write-Ahead Logging", section 1, on sqlite.org): a journal on a network share is for one machine only.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Literal

from orchestrator.journal.chain import Record
from orchestrator.journal.errors import JournalCorrupt, JournalUnusable
from orchestrator.journal.lock import FileLock

APPLICATION_ID = int.from_bytes(b"dMSA", "big")
FORMAT = 1
"""PRAGMA user_version: the version of ``schema.sql``."""

PATIENCE = 10.0
"""Seconds to wait for another process that is writing; an append takes milliseconds."""

_MAGIC = b"SQLite format 3\0"
_HEADER = 100

_NOT_WRITABLE = (
    "it cannot be written",
    "Look at the rights of the file and of its folder (SQLite writes beside it too), or name another with --journal",
)
_FULL = "Nothing was written, and what the journal holds is intact. Make room, then run the same command again"
_FAILED = "What it holds will be seen when it is opened again. Mend the disk, then check with `dmsa journal verify`"
_WHY: dict[str, tuple[str, str]] = {
    "SQLITE_FULL": ("the disk is full", _FULL),
    "SQLITE_BUSY": (
        f"another process kept it busy for {PATIENCE:.0f} s",
        "Nothing was written. Find out who writes to it, then run the same command again",
    ),
    "SQLITE_IOERR": ("the disk or the file system failed", _FAILED),
    "SQLITE_CANTOPEN": _NOT_WRITABLE,
    "SQLITE_READONLY": _NOT_WRITABLE,
    "SQLITE_PERM": _NOT_WRITABLE,
}


def beside(path: Path, suffix: str) -> Path:
    """Return the name of a file that belongs to journal *path*."""
    return path.with_name(path.name + suffix)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the operating system say of the journal *path* into words for a person.

    Raises:
        JournalCorrupt: SQLite found the file's structure broken.
        JournalUnusable: everything else that lies with the file, its folder or the disk.
    """
    try:
        yield
    except OSError as error:
        remedy = _FULL if error.errno == errno.ENOSPC else _NOT_WRITABLE[1]
        raise JournalUnusable(path, f"{error.strerror or error} ({error.filename or path})", remedy) from error
    except UnicodeDecodeError as error:
        raise JournalCorrupt(0, f"SQLite reports of {path} what is no text: its table definitions are bent") from error
    except sqlite3.DatabaseError as error:
        code = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        # SQLITE_ERROR: a statement of ours, all of them constant, does not fit what is in the file.
        if code in {"SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"}:
            raise JournalCorrupt(0, f"SQLite reports of {path}: {error}") from error
        if code not in _WHY:
            raise
        cause, remedy = _WHY[code]
        raise JournalUnusable(path, f"{cause} (SQLite: {error})", remedy) from error


def recognise(path: Path) -> None:
    """Make sure that *path* is a journal which this version can read, by reading its first bytes only.

    Raises:
        JournalUnusable: it is not.
        JournalCorrupt: it was one.
    """
    with explained(path):
        header = _header(path)
    leave = "It was left as it is. Name another file with --journal"
    if not header:
        raise JournalUnusable(
            path,
            "it is empty, so it is no journal, or none any more",
            "If it never was one, remove it and run the same command again; if it was, put a copy back",
        )
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise JournalUnusable(path, "it is neither a journal nor a SQLite file", leave)
    (version,) = struct.unpack_from(">i", header, 60)
    (application,) = struct.unpack_from(">i", header, 68)
    if application != APPLICATION_ID:
        raise JournalUnusable(path, "it is a SQLite database of another program", leave)
    if version > FORMAT:
        raise JournalUnusable(
            path,
            f"it was written by a newer version of dmsa (journal format {version}; this one reads {FORMAT})",
            "It was left as it is. Use that version of dmsa, or a later one",
        )
    if version < FORMAT:
        raise JournalCorrupt(0, f"{path} names journal format {version}, which no version of dmsa ever wrote")


def _header(path: Path) -> bytes:
    if not path.exists():
        raise JournalUnusable(
            path, "there is no such file", "`dmsa run PLAN` begins a journal; name yours with --journal"
        )
    if not path.is_file():  # opening a pipe or a device might never come back
        raise JournalUnusable(path, "it is not a file", "Name a file with --journal")
    with path.open("rb") as file:
        return file.read(_HEADER)


def create(path: Path, records: Iterable[Record] = ()) -> bool:
    """Make a journal at *path*, its folder included, readable by its owner only; if one is there, do nothing.

    It holds *records*, whose chain somebody has checked, and no lease but the epoch of the last of them. It is built
    under another name and moved into place, so that a crash leaves a whole journal or none, and two processes that
    begin at once get the same one. Return whether it was made.

    Raises:
        JournalUnusable: it cannot be made; or what is left beside it shows that there was one.
    """
    with explained(path):
        _make_folder(path.parent)
        lock = FileLock(beside(path, ".lock"))
        if not lock.take(PATIENCE):
            raise JournalUnusable(
                path, "there is no such file, yet a process that runs holds its lock", "End that process first"
            )
        try:
            if path.exists():
                return False
            _refuse_remains(path)
            _build(path, records)
            return True
        finally:
            lock.free()


def _make_folder(folder: Path) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_folder(made.parent)


def _refuse_remains(path: Path) -> None:
    remains = [name for name in (beside(path, "-wal"), beside(path, ".head")) if name.exists()]
    if remains:
        raise JournalUnusable(
            path,
            f"there is no such file, but {' and '.join(map(str, remains))} shows that there was a journal",
            "Put the file back, or the newest copy. To begin anew on purpose, move the remains away first",
        )


def _build(path: Path, records: Iterable[Record]) -> None:
    building = path.with_name(f".{path.name}.building")
    # Leftovers are of a creation that was killed: whoever else builds would hold the lock.
    for suffix in ("", "-journal", "-wal", "-shm"):
        beside(building, suffix).unlink(missing_ok=True)
    os.close(os.open(building, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(connect(building)) as database:
        # Identity and tables before WAL: they must stand in the file itself, not in a log beside it.
        database.executescript(
            f"BEGIN; {schema()} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};"
        )
        epoch = 0
        for record in records:
            if record.epoch is not None and record.epoch != epoch:  # the file's own rules want the lease first
                epoch = record.epoch
                database.execute("UPDATE lease SET epoch = ?", (epoch,))
            database.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", record)
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode = WAL")
    building.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder safe from power loss."""
    # A new file's name is safe from power loss only when its folder is; Windows has no such call, NTFS logs names.
    if sys.platform != "win32":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def schema() -> str:
    """Return the text of ``schema.sql``."""
    return files("orchestrator.journal").joinpath("schema.sql").read_text("utf-8")


def connect(path: Path, mode: Literal["ro", "rw"] = "rw") -> sqlite3.Connection:
    """Open an existing SQLite file; every commit is on the disk when it returns (synchronous = FULL)."""
    database = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=PATIENCE,
        isolation_level=None,
        check_same_thread=False,
    )
    # Damaged text must come out as it is, and be found by its hash, not stop the reading.
    database.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA fullfsync = ON")  # macOS: without it, fsync stops at the drive's cache
    except BaseException:
        database.close()
        raise
    return database
