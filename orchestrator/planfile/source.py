"""A file's bytes -> text that YAML can be asked to read.

Everything that would make a YAML reader fail with a message about bytes, or silently read something else, is
refused here, with its position: too long, not UTF-8, binary.
"""

from __future__ import annotations

import re

from orchestrator.planfile.problem import Problem

LARGEST = 16 * 1024 * 1024
"""Bytes. Ten thousand migrations are about a quarter of this."""

# YAML 1.1, section 5.1: what is not printable may not stand in a file. Its line breaks are these five.
_NOT_YAML = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]",
)
_OTHER_BREAKS = "\r\x85\u2028\u2029"
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Unreadable(Exception):
    """The text cannot be read any further; what has been found so far is in :attr:`problem`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def decode(raw: bytes) -> str:
    """Return the text of a plan file; a byte order mark at its beginning is left out.

    Raises:
        Unreadable: it is too long, not UTF-8, or holds characters that YAML does not allow.
    """
    if len(raw) > LARGEST:
        raise Unreadable(
            Problem(1, 1, "", "the file is larger than 16 MiB", "split the plan into several", "too-large")
        )
    if raw.startswith(_UTF16_MARKS):
        raise Unreadable(Problem(1, 1, "", "the file is UTF-16", "save it as UTF-8", "not-utf-8"))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line, column = position(raw[: wrong.start].decode("utf-8-sig"))
        message = f"the byte 0x{raw[wrong.start]:02x} is not UTF-8"
        raise Unreadable(Problem(line, column, "", message, "save the file as UTF-8", "not-utf-8")) from None
    found = _NOT_YAML.search(text)
    if found is None:
        return text
    line, column = position(text[: found.start()])
    raise Unreadable(Problem(line, column, "", *_forbidden(found[0])))


def _forbidden(character: str) -> tuple[str, str, str]:
    if character == "\0":
        return "the file holds NUL bytes", "it is binary, or UTF-16; save it as UTF-8 text", "binary"
    return f"the character U+{ord(character):04X} may not stand in YAML", "take it out", "control-character"


def lines_of(text: str) -> list[str]:
    """Return the lines as YAML counts them."""
    if any(character in text for character in _OTHER_BREAKS):
        return _LINE_BREAK.split(text)
    return text.split("\n")


def position(before: str) -> tuple[int, int]:
    """Return line and column, from 1, of what follows *before*."""
    lines = lines_of(before)
    return len(lines), len(lines[-1]) + 1
