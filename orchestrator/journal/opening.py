"""From the text of ``--journal`` to a journal."""

from __future__ import annotations

from pathlib import Path

from orchestrator.journal.errors import JournalUnusable, MirrorUnusable
from orchestrator.journal.mirror import Mirror
from orchestrator.journal.mirrored import MirroredJournal
from orchestrator.journal.protocol import Journal
from orchestrator.journal.sqlite import SqliteJournal
from orchestrator.journal.sqlite_file import create as create_file

_SQLITE = "sqlite:///"


def open_journal(place: str | Path, *, create: bool, mirror: Path | None = None, read_only: bool = False) -> Journal:
    """Open the journal at *place*: a path, or ``sqlite:///`` and a path (so ``sqlite:////var/lib/j.db`` is absolute).

    With *create*, a journal that is missing is begun, readable by its owner only, its folder made where missing. What
    is there is never overwritten. With *mirror*, that file is caught up, and gets every row that is appended. With
    *read_only*, for whoever only looks, nothing can be appended.

    Raises:
        JournalUnusable: there is none, it is not ours, of another version, or cannot be opened; names the cause.
        JournalCorrupt: it is ours, and its rules were changed or rows are gone from its end.
        MirrorUnusable: the mirror cannot be written, or has what the journal has not.
    """
    path = journal_file(place)
    if create and not path.exists():
        if mirror is not None:
            _refuse_what_was_lost(path, Mirror(mirror))
        create_file(path)
    journal = SqliteJournal(path, read_only=read_only)
    if mirror is None:
        return journal
    try:
        return MirroredJournal(journal, Mirror(mirror))
    except BaseException:
        journal.close()
        raise


def _refuse_what_was_lost(path: Path, mirror: Mirror) -> None:
    """Refuse to begin a journal whose mirror already has rows."""
    if not mirror.is_empty():
        raise MirrorUnusable(
            mirror.path,
            f"it has rows, but there is no journal {path}",
            "Nothing was written. If it was lost, this rebuilds it: "
            f"`dmsa journal restore --from {mirror.path} --journal {path}`. For another journal, name another mirror",
        )


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
