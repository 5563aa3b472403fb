"""When a change window is open. A window's days are the days on which it opens; it may cross midnight.

Nothing begins on a blacked-out date, in the window's zone: a window does not open on it, and one that opened the
evening before closes at midnight.

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
    """Yield the spans (UTC) in which the window is open, from the one that is open at *at* on.

    A span that daylight saving leaves nothing of is not among them.
    """
    zone = ZoneInfo(window.zone)
    first = at.astimezone(zone).date() - timedelta(days=2)
    opens, closes = time.fromisoformat(window.open), time.fromisoformat(window.close)
    for offset in range(HORIZON.days):
        day = first + timedelta(days=offset)
        if _DAYS[day.weekday()] not in window.days or blacked_out(day, blackout):
            continue
        next_day = day + timedelta(days=1)
        begin = datetime.combine(day, opens, zone).astimezone(UTC)
        if closes > opens:
            end = datetime.combine(day, closes, zone).astimezone(UTC)
        else:
            until = time.min if blacked_out(next_day, blackout) else closes
            end = datetime.combine(next_day, until, zone).astimezone(UTC)
        if end > max(at, begin):
            yield begin, end


def open_until(window: Window, blackout: Sequence[Blackout], at: datetime) -> datetime | None:
    """Return when the window that is open now closes; None if it is closed."""
    begin, end = next(openings(window, blackout, at), (None, None))
    return end if begin is not None and begin <= at else None


def next_opening(window: Window, blackout: Sequence[Blackout], at: datetime) -> datetime | None:
    """Return when the window opens next; None if it does not within :data:`HORIZON`."""
    return next((begin for begin, _ in openings(window, blackout, at) if begin > at), None)


def steady_until(window: Window, blackout: Sequence[Blackout], at: datetime) -> datetime:
    """Return until when, that moment not included, the window stays open or closed, for the same reason."""
    local = at.astimezone(ZoneInfo(window.zone))
    midnight = datetime.combine(local.date() + timedelta(days=1), time.min, ZoneInfo(window.zone)).astimezone(UTC)
    spans = (next(openings(window, dark, at), (None, None)) for dark in (blackout, ()))
    edges = (end if begin is not None and begin <= at else begin for begin, end in spans)
    return min([midnight, *(edge for edge in edges if edge is not None)])


def blacked_out(day: date, blackout: Sequence[Blackout]) -> Blackout | None:
    """Return the blackout that a date lies in."""
    return next((span for span in blackout if span.from_ <= day <= span.to), None)
