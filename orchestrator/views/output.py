"""Standard output, whatever becomes of whoever reads it.

That the reader has gone (``dmsa run … | head``) changes nothing of what a verb does, nor of its exit code: a migration
is not left half-way because nobody looks any more.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

_STEERS = re.compile(r"(?!\r\n)[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_PIECES = 10_000


def visible(text: str) -> str:
    """Return a text with its control characters, but for ends of lines and tabs, written as escapes; also those that
    turn the direction of writing.

    Names and messages come from plans and directories: none of them may move a cursor, or write over what was said.
    """
    return _STEERS.sub(lambda one: one[0].encode("unicode-escape").decode(), text)


def say(text: str) -> None:
    """Write a line, or several, at once, so that a pipe sees them; without what would steer a terminal."""
    try:
        sys.stdout.write(visible(text) + "\n")
        sys.stdout.flush()
    except OSError as error:
        if not _reader_is_gone(error):
            raise
        _write_nowhere()


def say_lines(lines: Iterable[bytes]) -> None:
    """Write lines as they are, whatever the encoding of the terminal or pipe; the rest is not asked for once nobody
    reads any more.
    """
    try:
        for line in lines:
            sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    except OSError as error:
        if not _reader_is_gone(error):
            raise
        _write_nowhere()


def say_document(document: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write JSON, in ASCII: no encoding of any terminal or pipe can spoil it. Piece by piece: it may be long."""
    try:
        for text in _together(json.JSONEncoder(indent=2).iterencode(document)):
            sys.stdout.write(visible(text))
        sys.stdout.write("\n")
        sys.stdout.flush()
    except OSError as error:
        if not _reader_is_gone(error):
            raise
        _write_nowhere()


def _together(pieces: Iterator[str]) -> Iterator[str]:
    """Yield many small pieces as fewer, longer ones."""
    while some := "".join(islice(pieces, _PIECES)):
        yield some


def _reader_is_gone(error: OSError) -> bool:
    # Windows calls a closed pipe an invalid argument (python/cpython issue 79935).
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def _write_nowhere() -> None:
    """Let the file descriptor lead nowhere: what is still buffered is written at the interpreter's end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
