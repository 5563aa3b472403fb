"""The rest between two turns: whether there is something to wait for, and the wait until it is due or somebody speaks.

A runner that stays (``watch``) has something to wait for until every migration is at its end: a time, a person's word,
the domain controller that does not answer. It waits with its sessions closed, so that no host keeps a shell for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from orchestrator.clock import EstateClock, lasting
from orchestrator.conductor.attending import Attending
from orchestrator.conductor.flightdeck import FlightDeck
from orchestrator.engine.outcome import at_its_end
from orchestrator.model.lifecycle import Phase
from orchestrator.remote.transport import Transport

HANGS_UP_AFTER = 60.0
"""Seconds of rest after which no session stays open: a host soon ends one that is idle for so long."""
SWEEPS_EVERY = 3600.0
"""Seconds after which shells are deleted that could not be when their session was closed, for their host was away."""


class Rest:
    """When the loop has nothing to do. For one thread, the conductor's."""

    def __init__(
        self,
        deck: FlightDeck,
        clock: EstateClock,
        transport: Transport,
        interrupted: Callable[[], bool],
        attending: Attending,
        seconds: Callable[[], float] = lasting,
    ) -> None:
        self._deck, self._clock, self._transport = deck, clock, transport
        self._spoken_to, self._attending, self._seconds = interrupted, attending, seconds
        self._hung_up = self._swept = seconds()
        self._due: datetime | None = None
        self._told: str | None = None

    def until(self, due: datetime | None) -> None:
        """Wait until estate time is *due* (None: for ever), somebody interrupts, or the time can be read again."""
        self._due, self._hung_up = due, self._seconds()
        self._tell()
        self._clock.wait_until(due, self._interrupted)

    def _tell(self) -> None:
        self._told = self._clock.unread
        self._attending.rests(self._deck.state, self._clock.reckoned(), self._due, self._told)

    def is_short(self, due: datetime | None, patience: timedelta | None) -> bool:
        """Whether what is due may be waited for by a runner that does not stay."""
        at = self._clock.now() if due is not None else None
        return due is not None and at is not None and (patience is None or due - at <= patience)

    def all_ended(self, chosen: Collection[str], until: Phase | None) -> bool:
        """Whether nothing is left to wait for, whatever people say."""
        return all(at_its_end(self._deck.state[id_], until) for id_ in chosen)

    def _interrupted(self) -> bool:
        self._attending.beats()
        if self._told != self._clock.unread:
            self._tell()
        now = self._seconds()
        if now - self._hung_up > HANGS_UP_AFTER:
            self._transport.close()
            self._hung_up = now
            self._tell()
            if now - self._swept > SWEEPS_EVERY:
                self._deck.flights.sweep(self._deck.shells.left(), 0.0)
                self._swept = now
        return self._spoken_to()
