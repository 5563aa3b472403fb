"""A report as one flat table: a line for every entry of every account's history, and for every answer of a guard."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.report.shown import shown
from orchestrator.views.cell import harmless

COLUMNS = (
    *("wave", "dmsa", "account", "attempt", "row", "at", "step", "kind", "where", "said"),
    *("outcome", "ended", "seconds", "times", "settled", "fault", "evidence"),
)
"""The columns. ``row`` is the journal's, ``step`` the one that the entry led to (empty where it has not ended);
``kind`` is the entry's, or ``answer`` for what one guard said before a write: then ``where`` is whom it is about,
``outcome`` its verdict (``waived`` where people did without), and ``evidence`` what it saw."""


def flat(document: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the table, piece by piece, as CSV (RFC 4180, UTF-8) that a spreadsheet shows and does not run."""
    lines = _Lines()
    out = csv.writer(lines, lineterminator="\r\n")
    out.writerow(COLUMNS)
    for row in _rows(document):
        out.writerow([harmless(_text(row.get(name))) for name in COLUMNS])
        if len(lines.written) >= TOGETHER:
            yield lines.taken()
    yield lines.taken()


TOGETHER = 1_000
"""How many lines are written at once."""


def _rows(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in document["migrations"]:
        whose = {name: one[name] for name in ("wave", "dmsa", "account")}
        for chapter in one["history"]:
            there = {**whose, "attempt": chapter["attempt"], "step": chapter["step"]}
            for entry in chapter["entries"]:
                fault = f"{entry['fault']['code']}: {entry['fault']['message']}" if entry["fault"] else None
                yield {**there, **entry, "fault": fault, "evidence": entry["read"]}
                for number in entry["answers"]:
                    yield {**there, **_answer(document["answers"][number]), "row": entry["row"], "at": entry["at"]}


def _answer(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": "answer",
        "where": said["subject"],
        "said": said["guard"],
        "outcome": "waived" if said["waived"] else said["verdict"],
        "evidence": said["evidence"],
    }


class _Lines:
    """Takes in what a CSV writer writes."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)

    def taken(self) -> bytes:
        """Return what was written since, and keep nothing of it."""
        text, self.written = "".join(self.written), []
        return text.encode("utf-8")


def _text(value: Any) -> str:
    return "" if value is None else shown(value)
