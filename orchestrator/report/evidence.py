"""What guards answered: each answer once, by number, and how often each guard passed, refused or did not know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from orchestrator.model.event import GuardSaid, GuardsAsked
from orchestrator.model.guard_ids import GUARDS

VERDICTS = ("pass", "refuse", "unknown")


class Answers:
    """Every answer of a run's guards. Most are given many times, in the same words: each is kept once."""

    def __init__(self) -> None:
        self._number: dict[GuardSaid, int] = {}
        self._given: Counter[tuple[str, str]] = Counter()
        self._of: dict[int, set[str]] = {}

    def taken(self, event: GuardsAsked) -> list[int]:
        """Take in what guards said; return the numbers of their answers."""
        numbers = []
        for said in event.answers:
            number = self._number.setdefault(said, len(self._number))
            numbers.append(number)
            self._given[said.guard, "waived" if said.waived else said.verdict] += 1
            self._of.setdefault(number, set()).add(event.migration)
        return numbers

    def document(self) -> list[dict[str, Any]]:
        """Return the answers in the order of their numbers; ``migrations`` is to how many of them each was given."""
        return [
            {
                "guard": one.guard,
                "subject": one.subject,
                "verdict": one.verdict,
                "waived": one.waived,
                "evidence": one.evidence,
                "remedy": one.remedy,
                "migrations": len(self._of[number]),
            }
            for one, number in self._number.items()
        ]

    def table(self) -> list[dict[str, Any]]:
        """Return how often each guard gave which answer, in the order of the catalogue of guards."""
        rules: Mapping[str, Any] = GUARDS
        known = [*rules, *sorted({guard for guard, _ in self._given} - rules.keys())]
        return [
            {
                "guard": guard,
                "stages": "".join(sorted(stage.value for stage in rules[guard].stages)) if guard in rules else "",
                "asked": sum(self._given[guard, verdict] for verdict in (*VERDICTS, "waived")),
                **{verdict: self._given[guard, verdict] for verdict in (*VERDICTS, "waived")},
            }
            for guard in known
        ]
