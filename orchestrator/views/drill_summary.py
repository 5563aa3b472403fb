"""Drills for people and for the trend: what one came to, and a line for each that there was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from orchestrator.views.certificate import Drill
from orchestrator.views.certificate_html import VERDICTS, spoken
from orchestrator.views.status import iso


def summary(document: dict[str, Any]) -> str:
    """Return what a person reads of a drill that has ended."""
    return "\n".join(_lines(document))


def _lines(document: dict[str, Any]) -> Iterator[str]:
    where = "a real estate" if document["estate"] == "real" else "a lab"
    yield f"Drill {document['drill']} of {document['plan']} to {document['to']} and back, on {where}."
    if document["origin"] is not None:
        yield from _origin(document["origin"])
    yield VERDICTS[document["verdict"]]
    width = max(len(one["dmsa"]) for one in document["migrations"])
    for one in document["migrations"]:
        yield f"  {one['dmsa']:<{width}}  {one['verdict']:<12}  reached {one['reached']}{_so(one['why'])}"
        yield from (f"    {line}" for line in _not_well(one))
    yield f"Time to restore, from the word to the last account: {spoken(document['restore']['seconds'])}"
    hosts = [(host["seconds"], host["name"], one["dmsa"]) for one in document["migrations"] for host in one["hosts"]]
    known = [host for host in hosts if host[0] is not None]
    for seconds, name, dmsa in sorted(known, key=lambda one: (-one[0], one[1], one[2])):
        yield f"  {spoken(seconds):>8}  {name} ({dmsa})"


def _origin(origin: dict[str, Any]) -> Iterator[str]:
    seen = ", ".join(origin["snapshots"]) or "nothing"
    yield f"The lab stands in for the real estate. From snapshots: {seen}. Made up: {'; '.join(origin['made_up'])}."


def _so(why: str | None) -> str:
    return f": {why}" if why else ""


def _not_well(one: dict[str, Any]) -> Iterator[str]:
    if one["held"]:
        yield one["held"]
    yield from (one["steady"]["after"] or {"troubles": ["it was not looked at afterwards"]})["troubles"]
    for verdict in ("failed", "foreign"):
        for found in one["snapshot"]["differences"][verdict]:
            by_hand = f"; by hand: {found['by_hand']}" if found["by_hand"] else ""
            yield f"{verdict}: {found['object']} {found['name']}: {found['why']}{by_hand}"


def history(plan: str, drills: Iterable[Drill]) -> dict[str, Any]:
    """Return a line for each drill of a run; one that is under way has no verdict yet."""
    return {"plan": plan, "drills": [_line(drill) for drill in drills]}


def _line(drill: Drill) -> dict[str, Any]:
    began = drill.began
    made = drill.document() if drill.ended else None
    return {
        "drill": began.number,
        "began": {"estate": iso(drill.at), "clock": iso(began.clock)},
        "by": began.by,
        "estate": began.estate,
        "to": began.to.value,
        "migrations": len(began.migrations),
        "verdict": made["verdict"] if made else None,
        "seconds": made["restore"]["seconds"] if made else None,
        "slowest": made["restore"]["slowest"] if made else None,
        "head": made["head"] if made else None,
    }


def table(document: dict[str, Any]) -> str:
    """Return the history for a terminal: the trend of the time to restore."""
    if not document["drills"]:
        return f"{document['plan']} was never drilled."
    head = ("drill", "when", "by", "to", "accounts", "verdict", "restored in", "slowest host")
    rows = [head, *(_row(one) for one in document["drills"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    slowest = one["slowest"]
    return (
        str(one["drill"]),
        one["began"]["clock"],
        one["by"],
        one["to"],
        str(one["migrations"]),
        one["verdict"] or "under way",
        spoken(one["seconds"]),
        f"{slowest['host']} {spoken(slowest['seconds'])}" if slowest else "-",
    )
