"""The ledger as it was read: how many hosts of the plan, and how many others, may use each dMSA, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from orchestrator.model.event import LedgerRead
from orchestrator.views.moment import iso


class Curve:
    """The readings of one migration's ledger: those that say something else than the one before, and the last."""

    def __init__(self) -> None:
        self.points: list[tuple[datetime, int, int]] = []
        self.readings = 0
        self.last: datetime | None = None

    def take_in(self, event: LedgerRead, at: datetime | None) -> None:
        """Take in a reading; one whose time nobody could read is counted and not drawn."""
        self.readings += 1
        if at is None:
            return
        hosts, others = len(event.hosts_present), len(event.principals) - len(event.hosts_present)
        if not self.points or self.points[-1][1:] != (hosts, others):
            self.points.append((at, hosts, others))
        self.last = at

    def document(self) -> dict[str, Any]:
        """Return it as JSON data."""
        points = [{"at": iso(at), "hosts": hosts, "others": others} for at, hosts, others in self.points]
        return {"readings": self.readings, "last": iso(self.last), "points": points}


MOST_POINTS = 200
"""How many points a curve of a whole run has at most."""


def together(curves: Mapping[str, Curve], wanted: Iterable[str], expected: int) -> dict[str, Any]:
    """Return the curves of several migrations added up.

    Args:
        curves: by migration.
        wanted: which of them.
        expected: how many hosts there are in the plan, counted once for each migration.
    """
    steps: list[tuple[datetime, int, int]] = []
    last: datetime | None = None
    for id_ in wanted:
        curve = curves.get(id_)
        if curve is None:
            continue
        hosts = others = 0
        for at, now, strangers in curve.points:
            steps.append((at, now - hosts, strangers - others))
            hosts, others = now, strangers
        last = max(filter(None, (last, curve.last)), default=None)
    return {"expected": expected, "last": iso(last), "points": _thinned(_added_up(sorted(steps)))}


def _added_up(steps: list[tuple[datetime, int, int]]) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = []
    hosts = others = 0
    for at, more, strangers in steps:
        hosts, others = hosts + more, others + strangers
        point = {"at": iso(at), "hosts": hosts, "others": others}
        if points and points[-1]["at"] == point["at"]:
            points[-1] = point
        else:
            points.append(point)
    return points


def _thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return so many points that they can be drawn and read; the first and the last are always among them."""
    if len(points) <= MOST_POINTS:
        return points
    kept = {round(number * (len(points) - 1) / (MOST_POINTS - 1)) for number in range(MOST_POINTS)}
    return [points[number] for number in sorted(kept)]
