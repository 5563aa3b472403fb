"""How long restarts take: measured from the journal's rows, in estate time.

One restart is one call that stops and starts a service or an application pool, from its first intent to the end of the
call after which it was found well: one that had to be repeated counts with all its tries, one that a person had to mend
does not count. That a call succeeded proves nothing; that its step went on at the host, or was done there, does.
Reboots are not measured. Only the youngest are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from orchestrator.model.event import (
    AttemptFinished,
    AttemptStarted,
    Held,
    Moved,
    Released,
    SubjectDone,
    WayBackAsked,
)
from orchestrator.model.observation import Outcome
from orchestrator.model.state import thing

MEASURED = frozenset({"Restart-Service", "Restart-WebAppPool"})
OWN_ENOUGH, ENOUGH = 5, 20
"""How many restarts of one migration, or of the whole run, must have been measured before they count."""
OWN_KEPT, KEPT = 20, 200
LEAST = timedelta(minutes=1)
"""What is measured is the call, and what it started may need a moment more: no measurement shortens below this."""


class Expected(NamedTuple):
    """What one restart is expected to take, and by what that is known."""

    takes: timedelta
    basis: str


class _Begun(NamedTuple):
    """A restart that has begun: of what, when, whether its call is in the air, and what it took if it was well."""

    what: str
    at: datetime
    under_way: bool = True
    took: timedelta | None = None


@dataclass(slots=True)
class Restarts:
    """The measured restarts of one run. Changed by :meth:`take_in` alone."""

    own: dict[str, tuple[timedelta, ...]] = field(default_factory=dict)
    """Of each migration, the youngest last; replaced by another when one is measured, never changed."""
    every: tuple[timedelta, ...] = ()
    """Of the whole run, the youngest last."""
    measured: int = 0
    """How many were measured in all: while it is the same, so is every answer."""
    begun: dict[str, dict[str, _Begun]] = field(default_factory=dict)
    """By migration and host: the restart that has begun and is not known to have ended well yet."""
    _long: timedelta = timedelta(0)

    def copied(self) -> Restarts:
        """Return the same, to fold other events into."""
        return replace(self, own=dict(self.own), begun={id_: dict(hosts) for id_, hosts in self.begun.items()})

    def take_in(self, event: Any, at: datetime | None) -> None:
        """Fold an event in; most say nothing of a restart. Never raises."""
        match event:
            case AttemptStarted():
                self._begins(event, at)
            case AttemptFinished():
                self._ends(event, at)
            case SubjectDone():
                self._found_well(event.migration, event.subject)
                self.begun.get(event.migration, {}).pop(event.subject, None)
            case Held() | Released() | WayBackAsked() | Moved():
                self.begun.pop(event.migration, None)

    def expected(self, id_: str, planned: timedelta) -> Expected:
        """Return what one restart of a migration is expected to take.

        Its own restarts are the best witness, and may say less than the plan does; those of others only say more.

        Args:
            id_: the migration.
            planned: its ``restart_takes``.
        """
        return self.expected_by_its_own(id_, planned) or self.expected_of_any(planned)

    def expected_by_its_own(self, id_: str, planned: timedelta) -> Expected | None:
        """Return what one restart is expected to take by the migration's own; None while too few were measured."""
        own = self.own.get(id_, ())
        if len(own) < OWN_ENOUGH:
            return None
        return Expected(max(p95(own), min(planned, LEAST)), f"p95 of its {len(own)} measured restarts")

    def expected_of_any(self, planned: timedelta) -> Expected:
        """Return what one restart is expected to take of a migration that has too few of its own."""
        if len(self.every) >= ENOUGH and self._long > planned:
            return Expected(self._long, f"p95 of {len(self.every)} measured restarts of this run")
        return Expected(planned, "restart_takes")

    def _begins(self, event: AttemptStarted, at: datetime | None) -> None:
        id_, host, what = event.migration, event.subject, thing(event.parameters)
        known = self.begun.get(id_, {}).get(host)
        if known is not None and known.what != what:
            self._found_well(id_, host)
        if event.cmdlet in MEASURED and at is not None:
            since = known.at if known is not None and known.what == what else at
            self.begun.setdefault(id_, {})[host] = _Begun(what, since)
        elif known is not None:
            self.begun[id_][host] = known._replace(under_way=False, took=None)

    def _ends(self, event: AttemptFinished, at: datetime | None) -> None:
        hosts = self.begun.get(event.migration, {})
        known = hosts.get(event.subject)
        if known is None or not known.under_way:
            return
        well = event.outcome is Outcome.SUCCEEDED and at is not None and at >= known.at
        hosts[event.subject] = known._replace(under_way=False, took=at - known.at if well and at else None)

    def _found_well(self, id_: str, host: str) -> None:
        """Count the restart of a host, if its call had ended: whatever follows there follows because it is well."""
        known = self.begun.get(id_, {}).get(host)
        if known is not None and known.took is not None:
            self._measure(id_, known.took)

    def _measure(self, id_: str, took: timedelta) -> None:
        self.own[id_] = (*self.own.get(id_, ()), took)[-OWN_KEPT:]
        self.every = (*self.every, took)[-KEPT:]
        self.measured += 1
        self._long = p95(self.every)


def p95(durations: Sequence[timedelta]) -> timedelta:
    """Return the 95th percentile by nearest rank (of fewer than 20 the longest), in whole seconds and rounded up."""
    found = sorted(durations)[math.ceil(len(durations) * 0.95) - 1]
    return timedelta(seconds=math.ceil(found.total_seconds()))
