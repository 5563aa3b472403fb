"""How often a run wrote, tried again, was turned away, lost an answer and was held: numbers that only ever grow.

Where everything stands forgets what is over; these do not, so that two readings say what happened in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.model.event import AttemptFinished, AttemptSettled, AttemptStarted, Held, RetryDue


@dataclass(slots=True)
class Counts:
    """The numbers of one run, over all its attempts. Changed by :meth:`take_in` alone."""

    begun: int = 0
    """Writes whose intent was written down."""
    ended: dict[str, int] = field(default_factory=dict)
    """Writes that ended, by what was known of them then: ``succeeded``, ``failed``, ``unknown``."""
    settled: int = 0
    """Lost answers of which it was found out what became of the call."""
    retries: dict[str, int] = field(default_factory=dict)
    """Faults after which a ``read`` or ``write`` was to be tried again."""
    turned_away: int = 0
    """How often an endpoint had no room."""
    holds: dict[str, int] = field(default_factory=dict)
    """Holds, by their reason."""

    def copied(self) -> Counts:
        """Return the same, to fold other events into."""
        return replace(self, ended=dict(self.ended), retries=dict(self.retries), holds=dict(self.holds))

    def take_in(self, event: Any) -> None:
        """Fold an event in; most are not counted. Never raises."""
        match event:
            case AttemptStarted():
                self.begun += 1
            case AttemptFinished():
                _one_more(self.ended, event.outcome.value)
            case AttemptSettled():
                self.settled += 1
            case RetryDue() if event.turned_away:
                self.turned_away += 1
            case RetryDue():
                _one_more(self.retries, event.of)
            case Held():
                _one_more(self.holds, event.reason)


def _one_more(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
