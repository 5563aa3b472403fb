"""Whether a moment lies in a change window, by the clock on the wall: said a second time, so that two may disagree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.model.lifecycle import Trigger
from orchestrator.model.plan import Blackout, Wave, Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_GATES = {
    Trigger.START: "start",
    Trigger.REGISTRY: "start",
    Trigger.RESTART: "start",
    Trigger.COMPLETE: "complete",
}


def may_begin(wave: Wave, step: Trigger, at: datetime | None) -> bool:
    """Whether a step that goes forward may begin in a wave at a moment; None, a time that nobody knows, is outside."""
    gate = _GATES.get(step)
    if gate is None:
        return True
    window = getattr(wave.windows, gate) if wave.windows is not None else wave.window
    if window is None and not wave.blackout:
        return True
    if at is None:
        return False
    if window is None:
        halves = (wave.windows.start, wave.windows.complete) if wave.windows is not None else ()
        zone = next((half.zone for half in halves if half is not None), "UTC")
        return not _black(at.astimezone(ZoneInfo(zone)).date(), wave.blackout)
    return _inside(window, wave.blackout, at)


def _inside(window: Window, blackout: Sequence[Blackout], at: datetime) -> bool:
    wall = _shown(at, ZoneInfo(window.zone))
    opens, closes = time.fromisoformat(window.open), time.fromisoformat(window.close)
    for day in (wall.date(), wall.date() - timedelta(days=1)):
        if _DAYS[day.weekday()] not in window.days or _black(day, blackout):
            continue
        end = datetime.combine(day, closes)
        if closes <= opens:
            after = day + timedelta(days=1)
            end = datetime.combine(after, time.min if _black(after, blackout) else closes)
        if datetime.combine(day, opens) <= wall < end:
            return True
    return False


def _shown(at: datetime, zone: ZoneInfo) -> datetime:
    """Return the latest time that the clock on the wall has shown: in an hour that comes again, its last one."""
    local = at.astimezone(zone)
    again = False
    while local.fold and local.replace(fold=0).utcoffset() != local.utcoffset():
        following = local.replace(second=0, microsecond=0) + timedelta(minutes=1)
        local, again = following.replace(fold=1), True  # a sum is always the first of two
    return local.replace(tzinfo=None) - timedelta(microseconds=again)


def _black(day: date, blackout: Sequence[Blackout]) -> bool:
    return any(span.from_ <= day <= span.to for span in blackout)
