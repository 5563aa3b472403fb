"""A row as one line of text: the form of exports and mirrors.

A line is the row as the chain has it, its hash included, in canonical JSON (RFC 8785) and UTF-8, ended by one LF. So
who has a line and the hash of the line before can check it with nothing but a JSON tool and SHA-256
(:mod:`orchestrator.journal.chain`), and the same row is the same line, byte for byte, wherever it is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from orchestrator.journal.chain import DECODER, GENESIS, Record, canonical, checked, stamp
from orchestrator.journal.errors import JournalCorrupt, MirrorCorrupt
from orchestrator.journal.protocol import Row

_BEGINNING = b'{"at":'
_KEYS = frozenset(Record._fields)
_NUMBERS = ("seq", "version")
_TEXTS = ("run", "kind", "hash")


def record_of(row: Row) -> Record:
    """Return a row as a store keeps it."""
    return Record(row.seq, row.run, stamp(row.at), row.kind, row.version, canonical(row.body), row.epoch, row.hash)


def line_of(row: Row | Record) -> bytes:
    """Return a row as its line, LF included."""
    record = row if isinstance(row, Record) else record_of(row)
    at = "null" if record.at is None else canonical(record.at)
    epoch = "null" if record.epoch is None else record.epoch
    text = (
        f'{{"at":{at},"body":{record.body},"epoch":{epoch},"hash":{canonical(record.hash)},'
        f'"kind":{canonical(record.kind)},"run":{canonical(record.run)},"seq":{record.seq},"version":{record.version}}}'
    )
    return text.encode() + b"\n"


def record_in(line: bytes) -> Record:
    """Return the record that a line holds; its hash is not checked.

    Raises:
        ValueError: it is no line that :func:`line_of` returns; says why.
    """
    try:
        found: Any = DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is no JSON ({error})") from error
    if not isinstance(found, dict) or found.keys() != _KEYS:
        raise ValueError("it is JSON, but no row of a journal")
    whole = all(type(found[key]) is int for key in _NUMBERS) and type(found["epoch"]) in {int, type(None)}
    text = all(type(found[key]) is str for key in _TEXTS) and type(found["at"]) in {str, type(None)}
    if not (whole and text and isinstance(found["body"], dict)):
        raise ValueError("it is JSON, but no row of a journal")
    record = Record(**{**found, "body": canonical(found["body"])})
    if line_of(record) != line:
        raise ValueError("it is not in the form in which rows are written")
    return record


def is_unfinished(tail: bytes) -> bool:
    """Say whether what follows the last LF of a file can be the beginning of a line whose writing was cut off.

    It can be a whole line that lacks only its LF; it cannot be a line with something else where its LF belongs.
    """
    if not tail.startswith(_BEGINNING[: len(tail)]):
        return False
    text = tail.decode("utf-8", "surrogateescape")  # cut off within a character, perhaps
    try:
        _, end = DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return True
    return end == len(text)


class Lines:
    """The rows of an export or a mirror, each checked, in the order of the file.

    When all are read, ``unfinished`` is how many bytes of a line that was never finished follow the last row.
    """

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file, self._path = file, path
        self.unfinished = 0
        self.last = GENESIS
        self.rows = 0
        self.epoch = 0

    def __iter__(self) -> Iterator[Record]:
        """Yield the rows.

        Raises:
            MirrorCorrupt: a line is not what was written; names the row that belongs there.
        """
        for line in self._file:
            if not line.endswith(b"\n") and is_unfinished(line):
                self.unfinished = len(line)
                return
            yield self._checked(line)

    def _checked(self, line: bytes) -> Record:
        seq = self.rows + 1
        try:
            record = record_in(line)
            self._check_place(record, seq)
            checked(self.last, record)
        except ValueError as error:
            raise MirrorCorrupt(self._path, seq, str(error)) from error
        except JournalCorrupt as error:
            raise MirrorCorrupt(self._path, seq, error.why) from error
        self.rows, self.last, self.epoch = seq, record.hash, record.epoch or self.epoch
        return record

    def _check_place(self, record: Record, seq: int) -> None:
        if record.seq != seq:
            raise ValueError(f"row {record.seq} stands in its place")
        if record.epoch is not None and record.epoch < self.epoch:
            raise ValueError(f"its epoch, {record.epoch}, is older than that of rows before it")
