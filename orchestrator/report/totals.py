"""What a report says of all migrations together, added up while each of them is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator.report.traced import SHOWN


class Stand(NamedTuple):
    """How a migration stands, when it began, and since when it stands so."""

    mark: str
    began: str | None
    since: str | None


@dataclass
class Totals:
    """Every migration of a report as far as it was told. Changed by :meth:`take_in` alone."""

    stands: dict[str, Stand] = field(default_factory=dict)
    writes: int = 0
    unknown_outcomes: int = 0
    retries: int = 0
    unread: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Attributes that no reading showed, by the cmdlet that wrote them, and of how many migrations."""
    settled: list[str] = field(default_factory=list)
    """Writes whose outcome nobody knew until somebody looked."""
    unsettled: list[str] = field(default_factory=list)
    """Writes of which nobody knows whether they took effect."""
    _shown: Counter[str] = field(default_factory=Counter)

    def take_in(self, one: Mapping[str, Any]) -> None:
        """Take in a migration as the report has it."""
        self.stands[one["dmsa"]] = Stand(one["mark"], one["began"], one["since"])
        self.writes += len(one["writes"])
        self.unread.update(dict.fromkeys(_unread(one["writes"]), 1))
        self._shown.update(each["shown"] for write in one["writes"] for each in write["changes"] if each["sure"])
        for entry in (entry for chapter in one["history"] for entry in chapter["entries"]):
            if entry["kind"] == "retry":
                self.retries += 1
            elif entry["kind"] == "write":
                self._wrote(one["dmsa"], entry)

    def _wrote(self, dmsa: str, entry: Mapping[str, Any]) -> None:
        self.unknown_outcomes += entry["outcome"] == "unknown"
        said = f"{dmsa}: {entry['said']} (row {entry['row']})"
        if entry["settled"]:
            self.settled.append(said)
        elif entry["outcome"] in {"open", "unknown"}:
            self.unsettled.append(said)

    @property
    def marks(self) -> Counter[str]:
        """How many migrations have each mark."""
        return Counter(one.mark for one in self.stands.values())

    @property
    def shown(self) -> dict[str, int]:
        """How many expected changes were shown by what; those that are expected for sure alone."""
        return {name: self._shown[name] for name in SHOWN}


def _unread(writes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for write in writes:
        for change in write["changes"]:
            if change["sure"] and change["shown"] == "not-read":
                yield write["cmdlet"], str(change["attribute"])
