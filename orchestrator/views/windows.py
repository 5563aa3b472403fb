"""How the windows of a wave stand, in words: open until when, or when they open next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.engine.windows import HORIZON

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def windows(found: dict[str, Any] | None) -> Iterator[str]:
    """Yield a line for each window of a wave, one where both gates have the same.

    Args:
        found: ``windows`` of a wave in the status document.
    """
    if found is None:
        return
    start, complete = found["start"], found["complete"]
    if start == complete:
        yield f"  window: {_stands(start)}"
        return
    for name, one in (("start", start), ("complete", complete)):
        yield f"  {name} window: {_stands(one) if one else 'any time'}"


def _stands(one: dict[str, Any]) -> str:
    zone = one["zone"]
    if one["open"]:
        return f"open until {_there(one['closes'], zone)}" if one["closes"] else "open, and does not close"
    dark = f"; {one['blackout']}" if one["blackout"] else ""
    if one["opens"] is None:
        return f"does not open within {HORIZON.days} days: `dmsa amend` its days or the blackout{dark}"
    return f"closed, opens {_there(one['opens'], zone)}{dark}"


def _there(at: str, zone: str) -> str:
    """Return a moment of the document as the clock on the wall shows it where the window is, beside UTC."""
    local = datetime.fromisoformat(at).astimezone(ZoneInfo(zone))
    return f"{_DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M} {zone} ({at})"
