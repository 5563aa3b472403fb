"""The part of WQL that filters use: comparisons of a property with a literal, joined by AND, OR and NOT.

Source: Microsoft Learn, "WQL (SQL for WMI)" and "LIKE Operator". In a string a backslash escapes the next
character; LIKE knows ``%``, ``_`` and ``[...]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

Condition: TypeAlias = Callable[[Mapping[str, object]], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+)|(?P<word>\w+)|(?P<sign><>|!=|<=|>=|[=<>()]))""",
    re.DOTALL,
)


class FilterInvalid(ValueError):
    """The text is no WQL condition."""


@lru_cache(4096)
def parse(text: str) -> Condition:
    """Read a condition; it is asked with the properties of an object, names folded.

    Raises:
        FilterInvalid: *text* is none.
    """
    tokens = _tokens(text)
    reader = _Reader(tokens)
    condition = reader.either()
    if reader.kind:
        raise FilterInvalid(f"unexpected {reader.shown}")
    return condition


def _tokens(text: str) -> list[tuple[str, str]]:
    found = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterInvalid(f"cannot read: {text[position:][:40]}")
        found.append((str(match.lastgroup), match.group().strip()))
        position = match.end()
    return found


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = [*tokens, ("", "the end")]

    @property
    def kind(self) -> str:
        return self._tokens[0][0]

    @property
    def shown(self) -> str:
        return self._tokens[0][1]

    def _take(self) -> str:
        return self._tokens.pop(0)[1]

    def _word(self, word: str) -> bool:
        if self.kind == "word" and self.shown.lower() == word:
            self._take()
            return True
        return False

    def either(self) -> Condition:
        parts = [self._both()]
        while self._word("or"):
            parts.append(self._both())
        return lambda row: any(part(row) for part in parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._word("and"):
            parts.append(self._one())
        return lambda row: all(part(row) for part in parts)

    def _one(self) -> Condition:
        if self._word("not"):
            part = self._one()
            return lambda row: not part(row)
        if self.shown == "(" and self.kind == "sign":
            self._take()
            inner = self.either()
            if self.shown != ")":
                raise FilterInvalid(f"expected ) instead of {self.shown}")
            self._take()
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        if self.kind != "word":
            raise FilterInvalid(f"expected a property instead of {self.shown}")
        name = self._take().lower()
        if self._word("like"):
            pattern = _pattern(self._literal())
            return lambda row: row.get(name) is not None and bool(pattern.fullmatch(str(row[name])))
        if self.kind != "sign" or self.shown in "()":
            raise FilterInvalid(f"expected a comparison instead of {self.shown}")
        sign = self._take()
        wanted = self._literal()
        return lambda row: name in row and _compare(row[name], sign, wanted)

    def _literal(self) -> str | int | bool | None:
        kind, shown = self.kind, self._take()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", shown[1:-1], flags=re.DOTALL)
        if kind == "number":
            return int(shown)
        words = {"true": True, "false": False, "null": None}
        if kind == "word" and shown.lower() in words:
            return words[shown.lower()]
        raise FilterInvalid(f"expected a value instead of {shown}")


def _pattern(text: object) -> re.Pattern[str]:
    out = ""
    position = 0
    shown = str(text)
    while position < len(shown):
        character = shown[position]
        close = shown.find("]", position + 1) if character == "[" else -1
        if close > 0:
            inside = shown[position + 1 : close]
            negated = inside.startswith("^")
            out += f"[{'^' if negated else ''}{re.escape(inside.lstrip('^')).replace(chr(92) + '-', '-')}]"
            position = close + 1
            continue
        out += ".*" if character == "%" else "." if character == "_" else re.escape(character)
        position += 1
    return re.compile(out, re.IGNORECASE | re.DOTALL)


def _compare(value: object, sign: str, wanted: object) -> bool:
    own: object = value
    if isinstance(wanted, str):
        own, wanted = str(value).lower() if value is not None else None, wanted.lower()
    if sign == "=":
        return own == wanted
    if sign in {"<>", "!="}:
        return own != wanted
    if own is None:
        return False
    lower: bool = own < wanted  # type: ignore[operator]
    equal = own == wanted
    return {"<": lower, "<=": lower or equal, ">": not lower and not equal, ">=": not lower}[sign]
