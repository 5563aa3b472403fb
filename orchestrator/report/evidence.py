"""What guards answered: each answer once, by number, and how often each guard passed, refused or did not know."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from orchestrator.model.event import GuardsAsked
from orchestrator.model.guard_ids import GUARDS
from orchestrator.report.shelf import Shelf, Shelved

VERDICTS = ("pass", "refuse", "unknown")
_SAID = ("guard", "subject", "verdict", "waived", "evidence", "remedy")


class Answers:
    """Every answer of a run's guards. Most are given many times, in the same words: each is put aside once."""

    def __init__(self, shelf: Shelf) -> None:
        self.said = Shelved(shelf)
        """The answers in the order of their numbers."""
        self._number: dict[bytes, int] = {}
        self._given: Counter[tuple[str, str]] = Counter()
        self._waived: list[int] = []

    def taken(self, event: GuardsAsked) -> list[int]:
        """Take in what guards said; return the numbers of their answers."""
        numbers = []
        for one in event.answers:
            self._given[one.guard, "waived" if one.waived else one.verdict] += 1
            said = (one.guard, one.subject, one.verdict, one.waived, one.evidence, one.remedy)
            key = blake2b(repr(said).encode("utf-8"), digest_size=16).digest()
            number = self._number.setdefault(key, len(self.said))
            if number == len(self.said):
                self.said.append(dict(zip(_SAID, said, strict=True)))
                if one.waived:
                    self._waived.append(number)
            numbers.append(number)
        return numbers

    def waived(self) -> list[dict[str, Any]]:
        """Return those that people decided to do without."""
        return [self.said[number] for number in self._waived]

    def guards(self) -> set[str]:
        """Return the guards that gave any."""
        return {guard for guard, _ in self._given}

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


class Given(Shelved):
    """The answers, each with ``migrations``: to how many of those that were counted it was given."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(answers.said.shelf, answers.said.places)
        self._of = array("L", bytes(array("L").itemsize * len(self)))

    def count(self, numbers: Iterable[int]) -> None:
        """Count one migration, with the numbers of all that it was given."""
        for number in set(numbers):
            self._of[number] += 1

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return an answer by its number."""
        return {**super().__getitem__(number), "migrations": self._of[number]}
