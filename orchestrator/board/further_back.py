"""Rows that lie further back in a journal, a page at a time, newest first; never more work than a page is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.journal import Journal, Row

PAGE = 100
"""How many rows a page has at most."""
STRETCH = 500
"""How many rows are read at a time, going back."""
FURTHEST = 5_000
"""How many rows are read for one page at most: what is asked for may be rare."""


@dataclass(frozen=True)
class Found:
    """Rows of one run, newest first. ``older`` is where the next page begins: before that row; None at the end."""

    rows: Sequence[Row]
    older: int | None


def further_back(journal: Journal, run: str, migration: str, before: int | None, most: int = PAGE) -> Found:
    """Return the newest rows of a run before row *before*, of one migration or, where that is empty, of all."""
    end = journal.head() + 1
    at = end if before is None else min(before, end)
    found: list[Row] = []
    read = 0
    while at > 1 and read < FURTHEST:
        start = max(0, at - 1 - STRETCH)
        stretch: list[Row] = []
        for row in journal.read(start, run):
            if row.seq >= at:
                break
            stretch.append(row)
        for row in reversed(stretch):
            if not migration or row.body.get("migration") == migration:
                found.append(row)
                if len(found) == most:
                    return Found(found, row.seq if row.seq > 1 else None)
        read += at - 1 - start
        at = start + 1
    return Found(found, at if at > 1 else None)
