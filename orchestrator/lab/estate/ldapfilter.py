"""LDAP search filters (RFC 4515), with the matching rules that Active Directory adds (MS-ADTS 3.1.1.3.4.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

BIT_AND = "1.2.840.113556.1.4.803"
BIT_OR = "1.2.840.113556.1.4.804"
IN_CHAIN = "1.2.840.113556.1.4.1941"

_MAX_DEPTH = 100
_HEX = frozenset("0123456789abcdefABCDEF")


class FilterInvalid(ValueError):
    """The text is no search filter."""


@dataclass(frozen=True)
class Test:
    """One comparison. ``pieces`` are the raw bytes between asterisks: one piece is equality, none presence."""

    attribute: str
    relation: str
    pieces: tuple[bytes, ...]
    rule: str = ""

    @property
    def value(self) -> bytes:
        """The value of a comparison without asterisks."""
        return self.pieces[0]


@dataclass(frozen=True)
class And:
    """All of them."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """At least one of them."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Not:
    """Its opposite."""

    part: Filter


Filter: TypeAlias = Test | And | Or | Not


@lru_cache(4096)
def parse(text: str) -> Filter:
    """Read a filter.

    Raises:
        FilterInvalid: *text* is none.
    """
    reader = _Reader(text.strip())
    parsed = reader.filter(0)
    if reader.rest:
        raise FilterInvalid(f"something follows the filter: {reader.rest[:40]}")
    return parsed


def matches(parsed: Filter, test: Callable[[Test], bool]) -> bool:
    """Say whether the filter holds, asking *test* for each comparison."""
    match parsed:
        case And(parts):
            return all(matches(part, test) for part in parts)
        case Or(parts):
            return any(matches(part, test) for part in parts)
        case Not(part):
            return not matches(part, test)
        case Test():
            return test(parsed)


def holds(test: Test, values: Iterable[object]) -> bool:
    """Say whether one of an attribute's values meets a comparison, without regard to case.

    Values are text, integers, booleans or bytes, in the forms in which a directory stores them.
    """
    found = list(values)
    if not test.pieces:
        return bool(found)
    return any(_meets(test, value) for value in found)


def _meets(test: Test, value: object) -> bool:
    if isinstance(value, bytes):
        return test.relation == "=" and _like(test.pieces, value)
    text = ("TRUE" if value else "FALSE") if isinstance(value, bool) else str(value)
    wanted = tuple(piece.decode(errors="replace") for piece in test.pieces)
    if isinstance(value, int) and not isinstance(value, bool):
        return _meets_number(test, value, wanted)
    folded = tuple(piece.lower().encode() for piece in wanted)
    if test.relation == "=":
        return _like(folded, text.lower().encode())
    own = text.lower()
    return own >= wanted[0].lower() if test.relation == ">=" else own <= wanted[0].lower()


def _meets_number(test: Test, value: int, wanted: tuple[str, ...]) -> bool:
    try:
        number = int(wanted[0])
    except ValueError:
        return False
    if len(wanted) > 1:
        return False
    if test.rule == BIT_AND:
        return value & number == number
    if test.rule == BIT_OR:
        return bool(value & number)
    return value == number if test.relation == "=" else value >= number if test.relation == ">=" else value <= number


def _like(pieces: tuple[bytes, ...], value: bytes) -> bool:
    if len(pieces) == 1:
        return value == pieces[0]
    first, *middle, last = pieces
    if len(value) < len(first) + len(last) or not value.startswith(first) or not value.endswith(last):
        return False
    inner = value[len(first) : len(value) - len(last)]
    for piece in middle:
        found = inner.find(piece)
        if found < 0:
            return False
        inner = inner[found + len(piece) :]
    return True


class _Reader:
    def __init__(self, text: str) -> None:
        self.rest = text if text.startswith("(") else f"({text})"

    def filter(self, depth: int) -> Filter:
        if depth > _MAX_DEPTH:
            raise FilterInvalid("the filter is nested too deeply")
        self._take("(")
        sign = self.rest[:1]
        parsed: Filter
        if sign in {"&", "|"}:
            self._take(sign)
            parts = []
            while self.rest.startswith("("):
                parts.append(self.filter(depth + 1))
            parsed = And(tuple(parts)) if sign == "&" else Or(tuple(parts))
        elif sign == "!":
            self._take("!")
            parsed = Not(self.filter(depth + 1))
        else:
            parsed = self._test()
        self._take(")")
        return parsed

    def _take(self, sign: str) -> None:
        if not self.rest.startswith(sign):
            raise FilterInvalid(f"expected {sign} at: {self.rest[:40] or 'the end'}")
        self.rest = self.rest[len(sign) :].lstrip(" ") if sign != "(" else self.rest[1:]

    def _test(self) -> Test:
        left, equals, right = self.rest.partition("=")
        if not equals or any(sign in left for sign in "()"):
            raise FilterInvalid(f"no comparison at: {self.rest[:40]}")
        relation = "="
        if left[-1:] in {">", "<", "~"}:
            relation = "=" if left[-1] == "~" else f"{left[-1]}="
            left = left[:-1]
        attribute, _, rule = left.strip().partition(":")
        if not attribute:
            raise FilterInvalid(f"no attribute at: {self.rest[:40]}")
        end = right.find(")")
        raw, self.rest = (right[:end], right[end:]) if end >= 0 else (right, "")
        if "(" in raw:
            raise FilterInvalid(f"an unescaped parenthesis in: {raw[:40]}")
        pieces = () if raw == "*" else tuple(_unescape(piece) for piece in raw.split("*"))
        if relation != "=" and len(pieces) != 1:
            raise FilterInvalid(f"an asterisk in an ordering: {raw[:40]}")
        return Test(attribute, relation, pieces, rule.strip(":"))


def _unescape(text: str) -> bytes:
    first, *others = text.split("\\")
    out = first.encode()
    for part in others:
        pair = part[:2]
        if len(pair) != 2 or not set(pair) <= _HEX:
            raise FilterInvalid(f"a backslash must be followed by two hexadecimal digits: \\{part[:2]}")
        out += bytes((int(pair, 16),)) + part[2:].encode()
    return out
