"""Bits of ``userAccountControl`` (MS-ADTS 2.2.16) and the directory's way to write times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

DISABLED = 0x2
LOCKOUT = 0x10
PASSWORD_NOT_REQUIRED = 0x20
NORMAL_ACCOUNT = 0x200
WORKSTATION_TRUST = 0x1000
SERVER_TRUST = 0x2000
PASSWORD_NEVER_EXPIRES = 0x10000
TRUSTED_FOR_DELEGATION = 0x80000
TRUSTED_TO_AUTHENTICATE = 0x1000000

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
NEVER = 0x7FFFFFFFFFFFFFFF


def filetime(when: datetime) -> int:
    """Return a time as the directory stores it: 100 ns since 1601."""
    return (when - _EPOCH) // timedelta(microseconds=1) * 10


def from_filetime(value: int) -> datetime:
    """Return the time that a stored value means."""
    return _EPOCH + timedelta(microseconds=value // 10)
