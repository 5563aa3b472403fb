"""A DC's Security log in the order of time, so that a question costs what it finds, not what there is.

Rows are appended, and may be dated back right after that; nothing is taken out: what is too old is not shown.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

from orchestrator.lab.estate.machine import EventRecord
from orchestrator.lab.estate.xpath import USER

_at = attrgetter("at")


class OrderedLog:
    """The rows of one log, the oldest first; of two with one time the one that was written first."""

    def __init__(self, written: list[EventRecord]) -> None:
        """Order what is *written*, which may only grow."""
        self.written = written
        self._taken = 0
        self._rows: list[EventRecord] = []
        self._of: dict[str, list[EventRecord]] = {}

    def between(
        self, since: datetime | None, until: datetime | None, users: frozenset[str] | None = None
    ) -> Sequence[EventRecord]:
        """Return the rows of a span, both ends included; with *users* (folded) only those that name one of them."""
        self._take_in()
        if users is None:
            return _span(self._rows, since, until)
        found = [row for user in sorted(users) for row in _span(self._of.get(user, []), since, until)]
        return found if len(users) == 1 else sorted(found, key=lambda row: (row.at, row.number))

    def _take_in(self) -> None:
        for row in self.written[self._taken :]:
            insort(self._rows, row, key=_at)
            insort(self._of.setdefault(row.data.get(USER, "").lower(), []), row, key=_at)
        self._taken = len(self.written)


def _span(rows: list[EventRecord], since: datetime | None, until: datetime | None) -> list[EventRecord]:
    first = 0 if since is None else bisect_left(rows, since, key=_at)
    return rows[first : len(rows) if until is None else bisect_right(rows, until, key=_at)]
