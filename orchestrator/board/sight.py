"""What the board has seen at one moment. Nouns only: pages and documents are made of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.board.courses import Times
from orchestrator.model.plan import Plan

Line = Mapping[str, Any]
"""A row of the journal for people: ``seq``, ``at``, ``kind``, ``migration``, ``said``."""


@dataclass(frozen=True)
class Seen:
    """One run: its status document, the newest rows of its journal, of the whole and of each migration (``recent``),
    and when each migration came how far.

    ``unread`` says why nothing can be told of it; then ``status`` and ``plan`` are None. ``note`` is what people should
    know beside it. ``command`` is the plan (and journal) as a person would give them to the next command.
    """

    name: str
    command: str
    plan: Plan | None = None
    status: Mapping[str, Any] | None = None
    rows: tuple[Line, ...] = ()
    recent: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)
    times: Mapping[str, Times] = field(default_factory=dict)
    unread: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Sight:
    """Everything at one moment. ``trouble`` says why the journal cannot be read now; the rest is then as it was.

    ``rows`` is the number of the journal's last row.
    """

    journal: str
    runs: tuple[Seen, ...] = ()
    driver: str | None = None
    trouble: str | None = None
    rows: int = 0

    def run(self, name: str) -> Seen | None:
        """Return what is known of a run; None where the board does not show one of that name."""
        return next((one for one in self.runs if one.name == name), None)
