"""Moments as the directory stores them: steps of 100 nanoseconds since 1601 (MS-DTYP 2.3.3, FILETIME)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.model.observation import Unreadable

NEVER = 0x7FFFFFFFFFFFFFFF
"""As an expiry: never (MS-ADA1, accountExpires; MS-ADTS 3.1.1.4.5.36)."""

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def ticks(value: Any, what: str) -> int:
    """Return a stored moment as its number; a snapshot keeps it as digits, for JSON has no such numbers.

    Raises:
        Unreadable: it is none, or did not come back.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Unreadable(f"{what} did not come back")
    try:
        return int(value)
    except ValueError:
        raise Unreadable(f"{what} is not a number: {value!r}") from None


def moment(number: int) -> datetime | None:
    """Return the moment that a number means; None for one beyond every calendar, as *never* is."""
    try:
        return _EPOCH + timedelta(microseconds=number // 10)
    except OverflowError:
        return None
