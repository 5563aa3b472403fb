"""The XPath that event queries use: conditions on ``System`` and ``EventData`` of one event.

Source: Microsoft Learn, "Consuming Events": ``and``, ``or``, comparisons, ``timediff``, as its examples use
them; a compound expression of more than 20 expressions needs a structured query, so it is refused here. Whether the
test of a field's name is one of them is not said: here it counts. There is no ``not`` (MS-EVEN6 2.2.15.1). A literal
stands in single or double quotes, without escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from orchestrator.lab.estate.machine import EventRecord


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of one event, and where alone it can hold: of which accounts (folded), and in which span of time."""

    test: Callable[[EventRecord], bool]
    users: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __call__(self, row: EventRecord) -> bool:
        """Say whether it holds of an event."""
        return self.test(row)


ANYTHING = Condition(lambda _: True)


def _every(parts: Sequence[Condition]) -> Condition:
    """Return what holds where all hold."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.test for part in parts)
    users = [part.users for part in parts if part.users is not None]
    since = [part.since for part in parts if part.since is not None]
    until = [part.until for part in parts if part.until is not None]
    return Condition(
        lambda row: all(test(row) for test in tests),
        frozenset.intersection(*users) if users else None,
        max(since, default=None),
        min(until, default=None),
    )


def _some(parts: Sequence[Condition]) -> Condition:
    """Return what holds where one holds."""
    if len(parts) == 1:
        return parts[0]
    tests = tuple(part.test for part in parts)
    users = [part.users for part in parts if part.users is not None]
    return Condition(
        lambda row: any(test(row) for test in tests),
        frozenset.union(*users) if len(users) == len(parts) else None,
    )


_TOKEN = re.compile(r"""\s*('[^']*'|"[^"]*"|-?\d+|[<>!]=|timediff|@\w+|\w+|[*\[\]()=<>/])""")

_MOST = 20
USER = "TargetUserName"
"""The field by which the Security log is searched for an account."""


class QueryInvalid(ValueError):
    """The text is no event query."""


def parse(text: str, now: datetime) -> Condition:
    """Read ``*[...]``; *now* is what ``timediff`` measures from.

    Raises:
        QueryInvalid: *text* is none.
    """
    reader = _Reader(_tokens(text), now)
    reader.take("*")
    if not reader.here:
        return ANYTHING
    conditions = []
    while reader.here == "[":
        conditions.append(reader.bracket("event", ""))
    if reader.here:
        raise QueryInvalid(f"unexpected {reader.here}")
    return _every(conditions)


@lru_cache(256)
def _tokens(text: str) -> tuple[str, ...]:
    found: list[str] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise QueryInvalid(f"cannot read: {text[position:][:40]}")
        found.append(match.group(1))
        position = match.end()
    return tuple(found)


class _Reader:
    def __init__(self, tokens: Sequence[str], now: datetime) -> None:
        self._tokens = [*tokens, ""]
        self._now = now
        self._expressions = 0

    @property
    def here(self) -> str:
        return self._tokens[0]

    def take(self, expected: str = "") -> str:
        if expected and self.here != expected:
            raise QueryInvalid(f"expected {expected} instead of {self.here or 'the end'}")
        return self._tokens.pop(0) if self.here else ""

    def bracket(self, scope: str, field: str) -> Condition:
        self.take("[")
        condition = self._either(scope, field)
        self.take("]")
        return condition

    def _either(self, scope: str, field: str) -> Condition:
        parts = [self._both(scope, field)]
        while self.here == "or":
            self.take()
            parts.append(self._both(scope, field))
        return _some(parts)

    def _both(self, scope: str, field: str) -> Condition:
        parts = [self._one(scope, field)]
        while self.here == "and":
            self.take()
            parts.append(self._one(scope, field))
        return _every(parts)

    def _count(self) -> None:
        self._expressions += 1
        if self._expressions > _MOST:
            raise QueryInvalid(f"more than {_MOST} expressions need a structured query")

    def _one(self, scope: str, field: str) -> Condition:
        if self.here == "(":
            self.take()
            inner = self._either(scope, field)
            self.take(")")
            return inner
        if self.here == "timediff":
            return self._timediff()
        name = self.take()
        if name in {"System", "EventData"} and scope == "event":
            return self._nested(name)
        if name == "Data" and scope == "EventData":
            return self._data()
        if name == "TimeCreated" and scope == "System":
            return self.bracket("TimeCreated", name)
        compared, _, _ = self._compare(lambda row: _system(row, name))
        return Condition(compared)

    def _nested(self, name: str) -> Condition:
        if self.here == "/":
            self.take()
            return self._one(name, "")
        return self.bracket(name, "")

    def _data(self) -> Condition:
        wanted = None
        if self.here == "[":
            self.take()
            self.take("@Name")
            self._count()
            self.take("=")
            wanted = self.take()[1:-1]
            self.take("]")
        if self.here not in {"=", "!="}:
            return Condition(lambda row: bool(_data(row, wanted)))
        compared, sign, literal = self._compare(lambda row: _data(row, wanted))
        named = wanted == USER and sign == "="
        return Condition(compared, frozenset({literal.lower()}) if named else None)

    def _timediff(self) -> Condition:
        self._count()
        for expected in ("timediff", "(", "@SystemTime", ")"):
            self.take(expected)
        sign, limit = self.take(), int(self.take())
        step = timedelta(milliseconds=1)
        return Condition(
            lambda row: _ordered((self._now - row.at) // step, sign, limit),
            since=self._now - (limit + 1) * step if sign in {"<", "<=", "="} else None,
            until=self._now - limit * step if sign in {">", ">=", "="} else None,
        )

    def _compare(self, values: Callable[[EventRecord], list[str]]) -> tuple[Callable[[EventRecord], bool], str, str]:
        self._count()
        sign = self.take()
        if sign not in {"=", "!=", "<", ">", "<=", ">="}:
            raise QueryInvalid(f"expected a comparison instead of {sign or 'the end'}")
        wanted = self.take()
        if not wanted:
            raise QueryInvalid("a comparison without a value")
        literal = wanted[1:-1] if wanted[0] in "'\"" else wanted
        return lambda row: any(_compared(value, sign, literal) for value in values(row)), sign, literal


def _data(row: EventRecord, name: str | None) -> list[str]:
    return [value for key, value in row.data.items() if name is None or key == name]


_SYSTEM: dict[str, Callable[[EventRecord], str]] = {
    "EventID": lambda row: str(row.id),
    "EventRecordID": lambda row: str(row.number),
    "Computer": lambda row: row.machine,
    "Channel": lambda row: row.log,
    "Level": lambda _row: "4",
    "@SystemTime": lambda row: row.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
}


def _system(row: EventRecord, name: str) -> list[str]:
    if name not in _SYSTEM:
        raise QueryInvalid(f"the lab's events have no {name}")
    return [_SYSTEM[name](row)]


def _compared(value: str, sign: str, literal: str) -> bool:
    if sign in {"=", "!="}:
        # The event log compares text without regard to case.
        return (value.lower() == literal.lower()) == (sign == "=")
    if value.isdigit() and literal.isdigit():
        return _ordered(int(value), sign, int(literal))
    return _ordered(value, sign, literal)


def _ordered(left: int | str, sign: str, right: int | str) -> bool:
    below, equal = left < right, left == right  # type: ignore[operator]
    return {
        "=": equal,
        "!=": not equal,
        "<": below,
        "<=": below or equal,
        ">": not below and not equal,
        ">=": not below,
    }[sign]
