"""From the text of ``--journal`` to a journal: a SQLite file, or a PostgreSQL database."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.journal.errors import JournalUnusable, MirrorUnusable
from orchestrator.journal.mirror import Mirror
from orchestrator.journal.mirrored import MirroredJournal
from orchestrator.journal.protocol import Journal
from orchestrator.journal.sqlite import SqliteJournal
from orchestrator.journal.sqlite_file import beside
from orchestrator.journal.sqlite_file import create as create_file

if TYPE_CHECKING:
    from orchestrator.journal.postgres_jobs import PostgresJobs
    from orchestrator.journal.postgres_server import Server

LEASE = 15.0
"""Seconds after which a runner that is not heard of is taken for dead, where the store cannot know."""
FOLDER = Path(".dmsa")
"""Where what belongs to a journal in a database is kept on this machine."""

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_NAMES = "Name one with --journal: a path, sqlite:///path, or postgresql://user@host/database"


def open_journal(
    place: str | Path, *, create: bool, mirror: Path | None = None, read_only: bool = False, lease: float = LEASE
) -> Journal:
    """Open the journal at *place*: a path, ``sqlite:///`` and a path (so ``sqlite:////var/lib/j.db`` is absolute), or a
    ``postgresql://`` URL.

    With *create*, a file that is missing is begun, readable by its owner only, its folder made where missing; in a
    database only its owner can (``dmsa journal create``). What is there is never overwritten. With *mirror*, that file
    is caught up, and gets every row that is appended. With *read_only*, for whoever only looks, nothing can be
    appended. *lease* is for how many seconds a lease counts in a database without being renewed.

    Raises:
        JournalUnusable: there is none, it is not ours, of another version, or cannot be opened; names the cause.
        JournalCorrupt: it is ours, and its rules were changed or rows are gone from its end.
        MirrorUnusable: the mirror cannot be written, or has what the journal has not.
    """
    journal = _opened(place, create, mirror, read_only, lease)
    if mirror is None:
        return journal
    try:
        return MirroredJournal(journal, Mirror(mirror))
    except BaseException:
        journal.close()
        raise


def _opened(place: str | Path, create: bool, mirror: Path | None, read_only: bool, lease: float) -> Journal:
    if in_database(place):
        server = database(place)
        from orchestrator.journal.postgres import PostgresJournal

        return PostgresJournal(server, lease=lease, read_only=read_only, folder=FOLDER)
    path = journal_file(place)
    if create and not path.exists():
        if mirror is not None:
            _refuse_what_was_lost(path, Mirror(mirror))
        create_file(path)
    return SqliteJournal(path, read_only=read_only)


def _refuse_what_was_lost(path: Path, mirror: Mirror) -> None:
    """Refuse to begin a journal whose mirror already has rows."""
    if not mirror.is_empty():
        raise MirrorUnusable(
            mirror.path,
            f"it has rows, but there is no journal {path}",
            "Nothing was written. If it was lost, this rebuilds it: "
            f"`dmsa journal restore --from {mirror.path} --journal {path}`. For another journal, name another mirror",
        )


def in_database(place: str | Path) -> bool:
    """Say whether *place* names a PostgreSQL database."""
    return str(place).startswith(_POSTGRES)


def database(place: str | Path) -> Server:
    """Return the database that *place* names; nothing is connected.

    Raises:
        JournalUnusable: the URL cannot be used, or this installation has no PostgreSQL client.
    """
    try:
        from orchestrator.journal.postgres_server import Server
    except ImportError as error:
        raise JournalUnusable(
            "postgresql://…",
            f"this installation of dmsa has no PostgreSQL client ({error})",
            "Nothing was done. `pip install 'dmsa-orchestrator[postgres]'` brings it",
        ) from error
    if not in_database(place):
        raise JournalUnusable(
            place, "it is a file", "Nothing was done. Name a database: postgresql://user@host/database"
        )
    return Server(str(place))


def open_jobs(place: str | Path) -> PostgresJobs:
    """Open the board of jobs in the database that *place* names.

    Raises:
        JournalUnusable: as :func:`database`; or it cannot be reached, or has no journal of this version.
    """
    server = database(place)
    from orchestrator.journal.postgres_jobs import PostgresJobs

    return PostgresJobs(server)


def is_there(place: str | Path) -> bool:
    """Say whether there is a journal at *place*, or what is left of one; a database is taken to have one."""
    if in_database(place):
        return True
    path = journal_file(place)
    return path.exists() or beside(path, ".head").exists() or beside(path, "-wal").exists()


def beside_journal(place: str | Path) -> Path:
    """Return the name, on this machine, that files which belong to a journal begin with: the journal's own, or, of one
    in a database, one made of its URL.

    Raises:
        JournalUnusable: *place* names no journal.
    """
    if not in_database(place):
        return journal_file(place)
    server = database(place)
    words = [server.parameters.get(key, "") for key in ("host", "port", "dbname")]
    return FOLDER / f"postgresql-{hashlib.sha256(chr(10).join(words).encode()).hexdigest()[:12]}"


def journal_file(place: str | Path) -> Path:
    """Return the file that *place* names; nothing is opened.

    Raises:
        JournalUnusable: it names none, or a kind of store that this version does not have.
    """
    text = str(place)
    if text.startswith(_SQLITE):
        text = text.removeprefix(_SQLITE)
    elif "://" in text:
        scheme = text.partition("://")[0]
        raise JournalUnusable(
            f"{scheme}://…",  # the rest may hold a password
            "this version keeps journals in SQLite files and PostgreSQL databases",
            _NAMES,
        )
    if not text:
        raise JournalUnusable("(none)", "nothing is named", _NAMES)
    return Path(text)
