"""How long each workload's restarts took, measured as :mod:`orchestrator.model.restarts` measures them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from orchestrator.model.restarts import Restarts, p95
from orchestrator.views.moment import iso


class Measured(NamedTuple):
    """One restart that ended well: of what, where, when it began, and what it took."""

    migration: str
    host: str
    workload: str
    at: datetime
    took: timedelta


class Begun(NamedTuple):
    """What had begun before an event that may prove that it ended well."""

    host: str
    workload: str
    at: datetime


@dataclass(frozen=True)
class Before:
    """Where the measurements stood before an event."""

    measured: int
    begun: Begun | None


def before(restarts: Restarts, migration: str, subject: str) -> Before:
    """Return where the measurements stand, before an event about a migration's subject is folded in."""
    known = restarts.begun.get(migration, {}).get(subject)
    return Before(restarts.measured, Begun(subject, known.what, known.at) if known else None)


def after(restarts: Restarts, event: Any, was: Before) -> Measured | None:
    """Return the restart that *event* proved to have ended well, once it is folded in."""
    if restarts.measured == was.measured or was.begun is None:
        return None
    return Measured(event.migration, *was.begun, restarts.own[event.migration][-1])


def restarts_of(found: Iterable[Measured], planned: timedelta) -> dict[str, Any]:
    """Return what is measured of one migration, workload by workload, beside what its plan expects of one restart."""
    found = list(found)
    workloads: dict[tuple[str, str], list[Measured]] = {}
    for one in found:
        workloads.setdefault((one.host, one.workload), []).append(one)
    return {
        "planned": int(planned.total_seconds()),
        "p95": p95_of(found),
        "workloads": [
            {
                "host": host,
                "name": name,
                "restarts": [{"at": iso(one.at), "seconds": seconds(one.took)} for one in each],
            }
            for (host, name), each in workloads.items()
        ],
    }


def p95_of(found: Iterable[Measured]) -> int | None:
    """Return the 95th percentile in whole seconds, rounded up; None where nothing was measured."""
    took = [one.took for one in found]
    return int(p95(took).total_seconds()) if took else None


def seconds(took: timedelta) -> float:
    """Return a time as documents write it: seconds, to the millisecond."""
    return round(took.total_seconds(), 3)
