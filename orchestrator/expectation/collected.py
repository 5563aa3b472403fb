"""Which events an export holds at all: what was not collected cannot be missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.expectation.frames import Frame
from orchestrator.expectation.history import SKEW
from orchestrator.expectation.names import short
from orchestrator.expectation.numbers import OF_SYSTEM
from orchestrator.expectation.seen import SeenEvent

Span = tuple[datetime, datetime]


@dataclass
class Collected:
    """Which numbers came from which computer, and from when until when its Security and its System log reach."""

    numbers: set[tuple[str, int]] = field(default_factory=set)
    spans: dict[tuple[str, bool], Span] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Iterable[SeenEvent]) -> Collected:
        """Return what events show of it."""
        found = cls()
        for event in events:
            if event.at is not None:
                computer = short(event.computer)
                found.numbers.add((computer, event.id))
                key = (computer, event.id in OF_SYSTEM)
                begin, end = found.spans.get(key, (event.at, event.at))
                found.spans[key] = (min(begin, event.at), max(end, event.at))
        return found

    def has(self, computer: str, number: int) -> bool:
        """Whether a computer's events of that number are in the export at all."""
        return (short(computer), number) in self.numbers

    def reaches(self, computer: str, number: int, frame: Frame) -> bool:
        """Whether that log of a computer is there for the time of an attempt."""
        span = self.spans.get((short(computer), number in OF_SYSTEM))
        attempt = frame.attempt
        if span is None or attempt is None or attempt.began is None:
            return span is not None
        return span[0] <= attempt.began + SKEW and span[1] >= attempt.began - SKEW
