"""From the text of ``--journal`` to a journal."""

from __future__ import annotations

from pathlib import Path

from orchestrator.journal.errors import JournalUnusable
from orchestrator.journal.protocol import Journal
from orchestrator.journal.sqlite import SqliteJournal
from orchestrator.journal.sqlite_file import create as create_file

_SQLITE = "sqlite:///"


def open_journal(place: str | Path, *, create: bool) -> Journal:
    """Open the journal at *place*: a path, or ``sqlite:///`` and a path (so ``sqlite:////var/lib/j.db`` is absolute).

    With *create*, a journal that is missing is begun, readable by its owner only, its folder made where missing. What
    is there is never overwritten.

    Raises:
        JournalUnusable: there is none, it is not ours, of another version, or cannot be opened; names the cause.
        JournalCorrupt: it is ours, and its rules were changed or rows are gone from its end.
    """
    path = journal_file(place)
    if create and not path.exists():
        create_file(path)
    return SqliteJournal(path)


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
            "this version keeps journals in SQLite files",
            "Name one with --journal, as a path or as sqlite:///path",
        )
    if not text:
        raise JournalUnusable("(none)", "no file is named", "Name one with --journal, as a path or as sqlite:///path")
    return Path(text)
