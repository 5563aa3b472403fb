"""What is wrong with a plan, where, and what to write instead.

A problem is for the person who has the file open: it names line and column, shows the line with a caret, and
says what to write. Problems are never reported one at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.errors import InputInvalid

Loc: TypeAlias = tuple[str | int, ...]
"""Where a value stands in the plan: keys and indices from the root."""

MOST = 1_000
"""Problems that are told one by one. Those beyond are counted."""

_SIMPLE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,59}")
_SHOWN = 110


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong. Lines and columns count from 1; ``id`` is stable, for tools."""

    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    id: str = ""

    def as_json(self) -> dict[str, str | int]:
        """Return the problem as ``dmsa check --json`` prints it."""
        return {
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "id": self.id,
            "message": self.message,
            "hint": self.hint,
        }


class Problems:
    """What is found in a file, in the order in which it is found: the first :data:`MOST`, and how many more.

    ``stopped`` says that something was not looked at, because there was enough to mend already.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self.stopped = False
        self._told: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._told)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._told)

    @property
    def full(self) -> bool:
        """Whether no further problem will be told, so that it need not be put into words: ``skipped`` counts it."""
        return len(self._told) >= MOST

    def add(self, problem: Problem) -> None:
        """Keep a problem, or count it."""
        if self.full:
            self.skipped += 1
        else:
            self._told.append(problem)


def _unseen(_line: int) -> str:
    return ""


class PlanInvalid(InputInvalid):
    """A plan that cannot be used. Its text shows the problems, sorted by position.

    ``problems`` are at most :data:`MOST`, ``count`` is how many were found. ``line`` returns a line of the file for
    the excerpts, with whatever may be a secret already taken out.
    """

    def __init__(
        self,
        problems: Iterable[Problem],
        file: str = "plan",
        line: Callable[[int], str] = _unseen,
        more: int = 0,
        stopped: bool = False,
    ) -> None:
        found = sorted(set(problems))[:MOST]
        self.file = file
        self.problems = tuple(found)
        self.count = len(found) + more
        text = [render(problem, file, line(problem.line)) for problem in self.problems]
        if more:
            text.append(f"… and {more:,} more")
        if stopped:
            text.append("… what else is wrong shows when these are mended")
        super().__init__("\n".join(text))


def path_of(loc: Loc) -> str:
    """Return a location as a person would write it: ``waves[1].migrations[0].dmsa.name``."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _SIMPLE_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f'["{shown(part)}"]'
    return text


def shown(text: str, longest: int = 60) -> str:
    """Return text that is safe to print in a sentence: one line, no control characters, not endless."""
    beginning = text[: longest + 1]
    clean = "".join(character if character.isprintable() else _escape(ord(character)) for character in beginning)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def render(problem: Problem, file: str, line: str) -> str:
    """Return ``file:line:column: path: message``, the source line with a caret, and the hint."""
    place = ": ".join(part for part in (f"{file}:{problem.line}:{problem.column}", problem.path) if part)
    text = [f"{place}: {problem.message}"]
    if line:
        excerpt, caret = _excerpt(line, problem.column - 1)
        text += [f"{problem.line:5} | {excerpt}".rstrip(), f"      | {caret}^"]
    if problem.hint:
        text.append(f"      hint: {problem.hint}")
    return "\n".join(text)


def _excerpt(line: str, at: int) -> tuple[str, str]:
    """Return the part of a line around a position, and the blanks that put a caret under it."""
    start = max(0, at - _SHOWN // 2) if len(line) > _SHOWN else 0
    part = line[start : start + _SHOWN]
    before = line[start:at].ljust(at - start)
    prefix = "…" if start else ""
    suffix = "…" if start + _SHOWN < len(line) else ""
    blanks = " " * len(before) if before.isascii() and "\t" not in before else "".join(map(_blank, before))
    visible = part if part.isprintable() else "".join(map(_visible, part))
    return f"{prefix}{visible}{suffix}", " " * len(prefix) + blanks


def _visible(character: str) -> str:
    return character if character.isprintable() or character == "\t" else "\N{REPLACEMENT CHARACTER}"


def _blank(character: str) -> str:
    if character == "\t":
        return "\t"
    if unicodedata.combining(character):
        return ""
    return "  " if unicodedata.east_asian_width(character) in "WF" else " "
