"""Lines of a plan file as messages may show them: without what is, or looks like, a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What the tree cannot tell (there may be none, or a key stands twice), the look of a line must. Nothing here may
# try a character twice: a line has up to 16 million of them.
_KEY = re.compile(r"(?<!\w)(\w++)[\"']?+\s*+:\s*+")
_NAMES_SECRET = re.compile(r"pass|pwd|secret|token|key$", re.IGNORECASE)
_REFERENCE = re.compile(r"[\"']?\$\{")


class Excerpts:
    """The lines of one file; ``hidden`` is line -> first column of what the tree knows to be a secret."""

    def __init__(self, lines: list[str], hidden: Mapping[int, int]) -> None:
        self._lines = lines
        self._hidden = hidden
        self._shown: dict[int, str] = {}

    def __call__(self, number: int) -> str:
        """Return a line by its number, which counts from 1; nothing if there is no such line."""
        if number not in self._shown:
            line = self._lines[number - 1] if 0 < number <= len(self._lines) else ""
            self._shown[number] = _masked(line[: self._hidden.get(number, len(line) + 1) - 1])
        return self._shown[number]


def _masked(line: str) -> str:
    for key in _KEY.finditer(line):
        if _NAMES_SECRET.search(key[1]) and not _REFERENCE.match(line, key.end()):
            return line[: key.end()]
    return line
