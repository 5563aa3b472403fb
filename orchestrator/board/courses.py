"""What the drawings of the board are made of: who came onto a ledger when, and when each wave was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.model.state import MigrationState
from orchestrator.views.moment import iso

Times = Mapping[str, str | None]
"""Of one migration: when it was ``prepared``, ``linked``, right before Complete (``switching``), and moved ``last``."""


def times_of(state: MigrationState) -> Times:
    """Return when a migration came how far, in this attempt."""
    return {
        "prepared": iso(state.snapshot_at),
        "linked": iso(state.converged_at),
        "switching": iso(state.repeated_at),
        "last": iso(state.since),
    }


def wave_course(wave: Mapping[str, Any], times: Mapping[str, Times]) -> dict[str, Any]:
    """Return when a wave was, as :func:`orchestrator.report.drawings.wave_timeline` takes it."""
    of_wave = [times[one["dmsa"]] for one in wave["migrations"] if one["dmsa"] in times]
    return {
        "name": wave["name"],
        "state": wave["state"],
        "began": _span(one["prepared"] for one in of_wave)["first"],
        "last": _span(one["last"] for one in of_wave)["last"],
        "start": _span(one["linked"] for one in of_wave),
        "complete": _span(one["switching"] for one in of_wave),
    }


def _span(found: Iterable[str | None]) -> dict[str, str | None]:
    known = [one for one in found if one is not None]
    return {"first": min(known, default=None), "last": max(known, default=None)}


def ledger_course(migration: Mapping[str, Any]) -> dict[str, Any]:
    """Return how those who may use a dMSA now came onto its ledger, as the drawing of a ledger takes it."""
    ledger = migration["ledger"] or {"hosts": [], "unknown": [], "read": None}
    came = [(one["first_seen"], name) for name in ("hosts", "unknown") for one in ledger[name] if one["first_seen"]]
    counted, points = {"hosts": 0, "unknown": 0}, list[dict[str, Any]]()
    for at, name in sorted(came):
        counted[name] += 1
        point = {"at": at, "hosts": counted["hosts"], "others": counted["unknown"]}
        if points and points[-1]["at"] == at:
            points[-1] = point
        else:
            points.append(point)
    return {"points": points, "expected": len(migration["hosts"]), "last": ledger["read"]}
