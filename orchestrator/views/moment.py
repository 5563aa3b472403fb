"""How documents and people are told a moment, and how long it is until then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SAME_YEAR = timedelta(days=300)


def iso(at: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def brief(at: datetime, now: datetime | None) -> str:
    """Return a time in UTC where there is little room: ``20:01Z`` today, else ``16 Mar 20:01Z``, or ``16 Mar 2027``."""
    at = at.astimezone(UTC)
    day = f"{at.day} {_MONTHS[at.month - 1]}"
    if now is None or abs(at - now) > _SAME_YEAR:
        return f"{day} {at.year}"
    return f"{at:%H:%M}Z" if now.astimezone(UTC).date() == at.date() else f"{day} {at:%H:%M}Z"


def span(length: timedelta, units: int = 2) -> str:
    """Return a length of time in its largest units: ``4 d 9 h``, ``2 h 59 min``, ``12 min``, ``45 s``."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h" if hours and days < 10 and units > 1 else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes and units > 1 else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"
