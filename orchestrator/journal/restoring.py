"""A journal rebuilt from its mirror, or from an export; and the two held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from orchestrator.journal.chain import Record
from orchestrator.journal.errors import JournalUnusable, MirrorCorrupt, MirrorUnusable
from orchestrator.journal.highwater import Mark, read_mark, write_mark
from orchestrator.journal.line import Lines
from orchestrator.journal.mirror import Standing, Strangers, compared
from orchestrator.journal.opening import database, in_database, journal_file, open_journal
from orchestrator.journal.protocol import Journal
from orchestrator.journal.sqlite_file import beside, create

_ELSEWHERE = "Nothing was written. Name the file that `--mirror` or `dmsa journal export` wrote"


@dataclass(frozen=True)
class Restored:
    """What was rebuilt. ``epoch`` is the last in which a runner wrote. ``witnessed`` is whether the mark beside the
    mirror vouches that no row is missing at its end; ``unfinished`` is how many bytes followed the last row, of a line
    that was never finished.
    """

    rows: int
    hash: str
    epoch: int
    runs: list[str]
    unfinished: int
    witnessed: bool


def restore(source: Path, place: str | Path) -> Restored:
    """Build at *place* the journal that *source*, a mirror or an export, is a copy of.

    The whole chain is checked. The end of an append that was cut off is left out: nothing was sent on its account.
    In a database the journal must have been made, and be empty.

    Raises:
        JournalUnusable: there is a journal at *place*, or what is left of one; or it cannot be made.
        MirrorUnusable: *source* is missing, or cannot be read.
        MirrorCorrupt: *source* is not what was written, or rows are missing from its end.
    """
    makes = _fill_database if in_database(place) else _make_file
    if not in_database(place) and (path := journal_file(place)).exists():
        raise JournalUnusable(path, "it is there", "Nothing was written. Move it away first, or name another --journal")
    with _reading(source) as lines:
        witnessed = _read_to_the_end(source, lines)
    with _reading(source) as again:  # everything is known to be good before anything is made
        makes(place, islice(again, lines.rows), Mark(lines.rows, lines.last))
    with closing(open_journal(place, create=False)) as journal:
        verdict, runs = journal.verify(), journal.runs()
    return Restored(verdict.rows, verdict.hash, lines.epoch, runs, lines.unfinished, witnessed)


def _make_file(place: str | Path, records: Iterator[Record], mark: Mark) -> None:
    path = journal_file(place)
    if not create(path, records):
        raise JournalUnusable(path, "somebody made it just now", "Nothing more was written. `dmsa status` reads it")
    write_mark(beside(path, ".head"), mark)


def _fill_database(place: str | Path, records: Iterator[Record], _mark: Mark) -> None:
    server = database(place)
    from orchestrator.journal.postgres_filling import fill

    fill(server, records)


@dataclass(frozen=True)
class Reflection:
    """What was found when a mirror was held against its journal, and found good. ``behind`` is how many of the
    journal's rows it lacks; ``unfinished`` is as in :class:`Restored`.
    """

    rows: int
    behind: int
    unfinished: int


def hold_against(source: Path, journal: Journal) -> Reflection:
    """Check a mirror by itself, then against *journal*; both may be written meanwhile.

    Raises:
        MirrorUnusable: there is none, or it cannot be read.
        MirrorCorrupt: it is not what was written, or not the mirror of *journal*.
    """
    with _reading(source) as lines:
        for _ in lines:
            pass
    with _opened(source) as file:  # the mirror before the journal: that is never behind
        try:
            standing = compared(file, Standing(), journal.read())
        except Strangers as strangers:
            standing = _unless_unfinished(source, strangers)
    return Reflection(standing.seq, max(journal.head() - standing.seq, 0), lines.unfinished)


def _unless_unfinished(source: Path, strangers: Strangers) -> Standing:
    ours = strangers.standing.seq
    if strangers.rows == ours:
        return strangers.standing
    if strangers.journal_ended:
        why = f"it goes on to row {strangers.rows}, and the journal ends at row {ours}"
    else:
        why = "each row fits the one before it, but this one is not the journal's: the two are not of one history"
    raise MirrorCorrupt(source, ours + 1, why) from strangers


def _read_to_the_end(source: Path, lines: Lines) -> bool:
    """Check every row; return whether the mark beside the mirror vouches for the last ones."""
    mark = read_mark(beside(source, ".head"))
    for record in lines:
        if mark is not None and record.seq == mark.seq and record.hash != mark.hash:
            raise MirrorCorrupt(source, record.seq, f"it is not the row that was written, says {source}.head")
    if mark is not None and lines.rows < mark.seq:
        raise MirrorCorrupt(
            source,
            lines.rows + 1,
            f"row {mark.seq} was written, but the file ends at row {lines.rows}: it was cut short, or is an older "
            f"copy. If going on from row {lines.rows} is meant, remove {source}.head first",
        )
    if not lines.rows:
        raise MirrorUnusable(source, "there is no row in it", _ELSEWHERE)
    return mark is not None


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    try:
        if source.exists() and not source.is_file():
            raise MirrorUnusable(source, "it is not a file", _ELSEWHERE)
        with source.open("rb") as file:
            yield file
    except OSError as error:
        raise MirrorUnusable(source, f"{error.strerror or error}", _ELSEWHERE) from error


@contextmanager
def _reading(source: Path) -> Iterator[Lines]:
    with _opened(source) as file:
        yield Lines(file, source)
