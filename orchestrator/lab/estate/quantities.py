"""The value types of the estate file: durations, times of day, and models that refuse unknown keys."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Spec(BaseModel):
    """Frozen, and without room for a key that nobody defined."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a duration such as 45s, 10m, 6h or 14d, found {value!r}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _time_of_day(value: object) -> time:
    if isinstance(value, time):
        return value
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f'expected a quoted time of day such as "02:00", found {value!r}')
    return time.fromisoformat(value)


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(_duration)]
TimeOfDay: TypeAlias = Annotated[
    time, BeforeValidator(_time_of_day), PlainSerializer(lambda value: f"{value:%H:%M}", when_used="json")
]
Name: TypeAlias = Annotated[str, Field(min_length=1)]
