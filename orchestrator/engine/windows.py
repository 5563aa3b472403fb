"""When a change window is open. A window's days are the days on which it opens; it may cross midnight.

Times of day are in the window's zone, so that an hour that daylight saving skips or repeats is the zone's affair:
the window opens and closes when the wall clock there says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from orchestrator.model.plan import Blackout, Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON = timedelta(days=800)
"""How far ahead an opening is looked for."""


def openings(window: Window, blackout: Sequence[Blackout], at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans (UTC) in which the window is open, from the one that is open at *at* on."""
    zone = ZoneInfo(window.zone)
    first = at.astimezone(zone).date() - timedelta(days=2)
    opens, closes = time.fromisoformat(window.open), time.fromisoformat(window.close)
    for offset in range(HORIZON.days):
        day = first + timedelta(days=offset)
        if _DAYS[day.weekday()] not in window.days or _blacked_out(day, blackout):
            continue
        last = day + timedelta(days=1) if closes <= opens else day
        begin = datetime.combine(day, opens, zone).astimezone(UTC)
        end = datetime.combine(last, closes, zone).astimezone(UTC)
        if end > at:
            yield begin, end


def open_until(window: Window, blackout: Sequence[Blackout], at: datetime) -> datetime | None:
    """Return when the window that is open now closes; None if it is closed."""
    begin, end = next(openings(window, blackout, at), (None, None))
    return end if begin is not None and begin <= at else None


def next_opening(window: Window, blackout: Sequence[Blackout], at: datetime) -> datetime | None:
    """Return when the window opens next; None if it does not within :data:`HORIZON`."""
    return next((begin for begin, _ in openings(window, blackout, at) if begin > at), None)


def _blacked_out(day: date, blackout: Sequence[Blackout]) -> bool:
    return any(span.from_ <= day <= span.to for span in blackout)
