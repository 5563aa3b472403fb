"""When a change window is open. A window's days are the days on which it opens; it may cross midnight.

Nothing begins on a blacked-out date, in the window's zone: a window does not open on it, and one that opened the
evening before closes at midnight.

Times of day are in the window's zone, and daylight saving is the zone's affair. A time of day is the moment at which
the clock on the wall shows it, or a later one, for the first time on that date: one that the clock skips in spring is
the moment of the jump, and one that it shows twice in autumn is the first of the two. Spans that meet are one span, so
that a window of whole days does not close at midnight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from orchestrator.model.plan import Blackout, Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HORIZON = timedelta(days=800)
"""How far ahead an opening is looked for."""
FOREVER = datetime.max.replace(tzinfo=UTC)
"""When a window closes that never does."""


def openings(window: Window, blackout: Sequence[Blackout], at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the spans (UTC) in which the window is open, from the one that is open at *at* on.

    A span that daylight saving leaves nothing of is not among them.
    """
    spans = _spans(window, blackout, at)
    begin, end = next(spans, (None, None))
    while begin is not None and end is not None:
        following = next(spans, (None, None))
        if following[0] is not None and following[0] <= end:
            end = following[1]
            continue
        if end > at:
            yield begin, end
        begin, end = following


def _spans(window: Window, blackout: Sequence[Blackout], at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield what opens on each day, from two days before *at* on; what would never close again to its end at once."""
    zone = ZoneInfo(window.zone)
    opens, closes = time.fromisoformat(window.open), time.fromisoformat(window.close)
    endless = opens == closes and len(set(window.days)) == len(_DAYS)
    day = at.astimezone(zone).date() - timedelta(days=2)
    last = day + HORIZON
    while day < last:
        following = day + timedelta(days=1)
        if _DAYS[day.weekday()] in window.days and not blacked_out(day, blackout):
            begin = moment(day, opens, zone)
            if endless:
                dark = min((span.from_ for span in blackout if span.from_ > day), default=None)
                yield begin, FOREVER if dark is None else moment(dark, time.min, zone)
                if dark is None:
                    return
                day = dark
                continue
            end = moment(day, closes, zone) if closes > opens else _on_the_next(following, closes, zone, blackout)
            if end > begin:
                yield begin, end
        day = following


def _on_the_next(day: date, closes: time, zone: ZoneInfo, blackout: Sequence[Blackout]) -> datetime:
    return moment(day, time.min if blacked_out(day, blackout) else closes, zone)


def moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return when (UTC) the clock on the wall shows a time of day, or a later one, for the first time on a date."""
    first = datetime.combine(day, clock, zone)
    known = first.astimezone(UTC)
    if known.astimezone(zone).replace(tzinfo=None) == first.replace(tzinfo=None):
        return known
    # The clock jumps over it. PEP 495: fold 1 is reckoned with the offset after the jump, and lies before it.
    early, late = first.replace(fold=1).astimezone(UTC), known
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        early, late = (middle, late) if middle.astimezone(zone).utcoffset() == before else (early, middle)
    return late


@lru_cache(maxsize=256)
def open_until(window: Window, blackout: tuple[Blackout, ...], at: datetime) -> datetime | None:
    """Return when the window that is open now closes (:data:`FOREVER` if it does not); None if it is closed."""
    begin, end = next(openings(window, blackout, at), (None, None))
    return end if begin is not None and begin <= at else None


@lru_cache(maxsize=256)
def next_opening(
    window: Window, blackout: tuple[Blackout, ...], at: datetime, lasting: timedelta = timedelta(0)
) -> datetime | None:
    """Return when the window opens next for so long; None if it does not within :data:`HORIZON`."""
    spans = openings(window, blackout, at)
    return next((begin for begin, end in spans if begin > at and end - begin >= lasting), None)


@lru_cache(maxsize=256)
def steady_until(window: Window, blackout: tuple[Blackout, ...], at: datetime) -> datetime:
    """Return until when, that moment not included, the window stays open or closed, for the same reason."""
    local = at.astimezone(ZoneInfo(window.zone))
    midnight = datetime.combine(local.date() + timedelta(days=1), time.min, ZoneInfo(window.zone)).astimezone(UTC)
    spans = (next(openings(window, dark, at), (None, None)) for dark in (blackout, ()))
    edges = (end if begin is not None and begin <= at else begin for begin, end in spans)
    return min([midnight, *(edge for edge in edges if edge is not None)])


def blacked_out(day: date, blackout: Sequence[Blackout]) -> Blackout | None:
    """Return the blackout that a date lies in."""
    return next((span for span in blackout if span.from_ <= day <= span.to), None)
