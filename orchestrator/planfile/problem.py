"""What is wrong with a plan, where, and what to write instead.

A problem is for the person who has the file open: it names line and column, shows the line with a caret, and
says what to write. Problems are never reported one at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.errors import InputInvalid

Loc: TypeAlias = tuple[str | int, ...]
"""Where a value stands in the plan: keys and indices from the root."""

_SIMPLE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
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


class PlanInvalid(InputInvalid):
    """A plan that cannot be used. Its text shows every problem, sorted by position.

    ``lines`` is the file's text for the excerpts, with whatever may be a secret already taken out.
    """

    def __init__(self, problems: Iterable[Problem], file: str = "plan", lines: Sequence[str] = ()) -> None:
        self.file = file
        self.problems = tuple(sorted(set(problems)))
        self.lines = tuple(lines)
        super().__init__("\n".join(render(problem, file, lines) for problem in self.problems))


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
    clean = "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def render(problem: Problem, file: str, lines: Sequence[str]) -> str:
    """Return ``file:line:column: path: message``, the source line with a caret, and the hint."""
    place = ": ".join(part for part in (f"{file}:{problem.line}:{problem.column}", problem.path) if part)
    text = [f"{place}: {problem.message}"]
    if 0 < problem.line <= len(lines) and lines[problem.line - 1]:
        line, caret = _excerpt(lines[problem.line - 1], problem.column - 1)
        text += [f"{problem.line:5} | {line}".rstrip(), f"      | {caret}^"]
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
