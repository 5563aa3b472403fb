"""The mark beside a journal that says how far it once went, so that a lost end shows.

A hash chain cannot tell that its last rows are gone: cut a SQLite write-ahead log short, or put last week's copy of
the file back, and what remains is a perfect, shorter journal; a run resumed from it would do again what was done.
So the last row's number and hash are also written to ``<journal>.head``, *after* the rows are safe. The mark may
therefore lag behind the journal, never the other way round, and needs no care of its own: it is not synced, one that
is missing or damaged says nothing, and one that cannot be written stops nobody.
"""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

_LENGTH = 20 + 1 + 64 + 1 + 64 + 1


class Mark(NamedTuple):
    """Row *seq* was there, with hash *hash*."""

    seq: int
    hash: str


def _line(mark: Mark) -> bytes:
    text = f"{mark.seq:020d} {mark.hash}"
    return f"{text} {sha256(text.encode()).hexdigest()}\n".encode()


def read_mark(path: Path) -> Mark | None:
    """Return the mark in file *path*, None if there is none or it is damaged.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = file.read(_LENGTH)
    except FileNotFoundError:
        return None
    seq, _, rest = found.partition(b" ")
    if not seq.isdigit():
        return None
    mark = Mark(int(seq), rest[:64].decode("ascii", "replace"))
    return mark if _line(mark) == found else None


def write_mark(path: Path, mark: Mark) -> None:
    """Set the mark. In place and within one block, so that a killed process leaves the old mark or the new."""
    # The rows are safe already: to fail here would tell the caller that they are not.
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(fd, _line(mark))
        finally:
            os.close(fd)
