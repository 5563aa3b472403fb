"""The whole in ten seconds: how many accounts are where, what needs a person, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.report.reading import Reading
from orchestrator.report.restart_times import p95_of, seconds
from orchestrator.report.totals import Totals
from orchestrator.views.moment import iso

MARKS = ("failed", "held", "waits", "moving", "back", "planned", "done")
"""How a migration stands, in one word; the worst first. ``back``: it is rolled back, and stays so."""
_WORDS = {
    "done": ("is completed", "are completed"),
    "moving": ("is under way", "are under way"),
    "waits": ("waits for time or others", "wait for time or others"),
    "held": ("is held: a person is needed", "are held: a person is needed"),
    "failed": ("has failed", "have failed"),
    "back": ("is rolled back", "are rolled back"),
    "planned": ("has not begun", "have not begun"),
}


def mark_of(migration: Mapping[str, Any], *, begun: bool) -> str:
    """Return the word for a migration of the status document; the marks are those of ``dmsa status``.

    Args:
        migration: as the document has it.
        begun: whether anything was written down of it.
    """
    if migration["failure"] == "failed":
        return "failed"
    if migration["held"]:
        return "held"
    if migration["phase"] == "completed" and migration["intention"] == "forward":
        return "done"
    if migration["phase"] == "rolled_back" and migration["intention"] == "back":
        return "back"
    if migration["phase"] == "planned" and not begun:
        return "planned"
    return "waits" if migration["waiting"] else "moving"


def glance(reading: Reading, totals: Totals, hosts: int) -> dict[str, Any]:
    """Return the summary of a report.

    Args:
        reading: what the rows tell.
        totals: what its migrations come to together.
        hosts: how many hosts the plan names.
    """
    counts = totals.marks
    restored = [one.document() for one in reading.ways_back if one.ended is not None]
    times = [one["seconds"] for one in restored if one["seconds"] is not None]
    took = [one.took for one in reading.restarts]
    return {
        "headline": headline(counts, len(totals.stands)),
        "mark": next((mark for mark in MARKS if counts[mark]), "done"),
        "counts": {mark: counts[mark] for mark in MARKS},
        "migrations": len(totals.stands),
        "hosts": hosts,
        "began": iso(reading.first_at),
        "last": iso(reading.state.last_at),
        "restarts": {
            "measured": len(took),
            "p95": p95_of(reading.restarts),
            "longest": seconds(max(took)) if took else None,
        },
        "restore": {"measured": len(times), "longest": max(times, default=None)},
        "drivers": list(dict.fromkeys(one["by"] for one in reading.runners)),
        "writes": totals.writes,
        "unknown_outcomes": totals.unknown_outcomes,
        "retries": totals.retries,
    }


def headline(counts: Mapping[str, int], total: int) -> str:
    """Say in one sentence how many accounts are where, what is done first and what is wrong next."""
    if total and counts["done"] == total:
        return f"All {total:,} accounts are completed." if total > 1 else "The account is completed."
    if total == 1:
        return f"The account {next(_WORDS[mark][0] for mark in MARKS if counts[mark])}."
    first = f"{counts['done']:,} of {total:,} accounts {_WORDS['done'][counts['done'] != 1]}"
    others = [
        f"{counts[mark]:,} {_WORDS[mark][counts[mark] != 1]}" for mark in MARKS if mark != "done" and counts[mark]
    ]
    return "; ".join((first, *others)) + "."


__all__ = ["MARKS", "glance", "headline", "mark_of"]
