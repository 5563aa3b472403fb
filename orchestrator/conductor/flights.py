"""Calls in the air: what has been sent for which subject, and what has come back.

A flight is everything that is under way for one subject of one migration: the reads of one observation, one write, or
the end of a shell. It is boarded first and takes off only once its intent is on disk.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from orchestrator.conductor.fence import Fence, Intended
from orchestrator.model.call import Read, Ticket, Write
from orchestrator.model.event import DIRECTORY
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.observation import Reply
from orchestrator.remote.pool import About, Pool
from orchestrator.remote.transport import Transport

Key: TypeAlias = tuple[str, str]
"""A migration's id and one of its subjects."""


ROOM = 64
"""How many calls may wait before no migration begins anything that is not under way: some seconds' worth of them.

Of a hundred migrations that begin at once each would wait for all the others' calls, and what is read for a write may
be half a minute old at most.
"""


@dataclass
class Flight:
    """What is under way for one subject; ``stage`` is where its migration stood when it took off, ``step`` what for.

    ``at``: the estate time when it was boarded. ``more`` adds to what was seen before. ``guarded``: the guards' probes
    are among the reads. ``disruptive``: a workload or the host restarts.
    """

    key: Key
    stage: tuple[Phase, Intention]
    at: datetime | None = None
    more: bool = False
    guarded: bool = False
    disruptive: bool = False
    step: str = ""
    todo: list[Read] = field(default_factory=list)
    repeated: list[Read] = field(default_factory=list)
    replies: list[tuple[Read, Reply]] = field(default_factory=list)
    open: int = 0


@dataclass(frozen=True)
class Landed:
    """A flight that has ended. ``result``: None for an observation, whose replies the flight has."""

    flight: Flight
    result: Reply | bool | None


@dataclass(frozen=True)
class _Boarded:
    """A call that is ready to go: how it starts, once its intent is on disk, and the ticket that goes back if it may
    not.
    """

    flight: Flight
    start: Callable[[int, Intended], None]
    read: Read | None = None
    ticket: Ticket | None = None


class Flights:
    """All calls in the air. For one thread, the conductor's.

    *announce* hears of the ticket of every read that is boarded; who boards a write has written its ids down.
    """

    def __init__(self, transport: Transport, pool: Pool[int], fence: Fence, announce: Callable[[Ticket], None]) -> None:
        self._transport, self._pool, self._fence, self._announce = transport, pool, fence, announce
        self._tokens = itertools.count()
        self._air: dict[int, tuple[Flight, Read | None]] = {}
        self._busy: dict[Key, Flight] = {}
        self._boarded: list[_Boarded] = []
        self._short: dict[Key, Flight] = {}
        """Flights with reads for which there was no session."""
        self._disruptive: Counter[str] = Counter()
        self._migrations: Counter[str] = Counter()
        self._grounded = False

    @property
    def any(self) -> bool:
        """Whether anything is in the air that can still land: what the pool no longer carries never will."""
        return bool(self._air) and bool(self._pool.in_flight)

    @property
    def crowded(self) -> bool:
        """Whether more calls wait than are soon carried: for a thread, or for a session with the directory.

        Never when nothing is in the air: then nothing that lands would say that there is room again.
        """
        if not self._air and not self._boarded:
            return False
        short = sum(len(flight.todo) for (_, subject), flight in self._short.items() if subject == DIRECTORY)
        return self._pool.backlog + len(self._boarded) + short >= ROOM

    def under_way(self, id_: str) -> bool:
        """Whether something is under way for a migration."""
        return self._migrations[id_] > 0

    def busy(self, key: Key) -> bool:
        """Whether something is under way for a subject."""
        return key in self._busy

    def disrupted(self, host: str) -> bool:
        """Whether something restarts at a host right now."""
        return self._disruptive[host] > 0

    def observe(self, flight: Flight) -> bool:
        """Board as many of a flight's reads as there are sessions for; the others follow. Say whether any could."""
        if self._grounded:
            return False
        wanted, flight.todo = flight.todo, []
        for read in wanted:
            ticket = self._transport.ticket(read.endpoint)
            if ticket is None:
                flight.todo.append(read)
            else:
                self._announce(ticket)
                self._board(_Boarded(flight, self._reads(flight, read, ticket), read, ticket))
        if flight.todo and flight.key in self._busy:
            self._short[flight.key] = flight
        return len(flight.todo) < len(wanted)

    def perform(self, flight: Flight, write: Write, ticket: Ticket) -> None:
        """Board a write under a ticket whose ids are being written down."""
        endpoint = write.endpoint

        def start(token: int, intended: Intended) -> None:
            leave = self._fence.leave(endpoint, flight.key[0], intended)
            self._pool.start(token, write, ticket, leave, self._about(flight, intended))

        self._board(_Boarded(flight, start, None, ticket))

    def end_shell(self, flight: Flight, endpoint: str, shell: UUID) -> None:
        """Board the end of a shell."""

        def start(token: int, intended: Intended) -> None:
            self._pool.end_shell(token, endpoint, shell, self._about(flight, intended))

        self._board(_Boarded(flight, start))

    def sweep(self, shells: Mapping[UUID, str], patience: float) -> None:
        """Delete shells that no call of ours needs, all at once; wait so many seconds at most."""
        waiting = set()
        for shell, endpoint in shells.items():
            token = next(self._tokens)
            waiting.add(token)
            self._pool.end_shell(token, endpoint, shell)
        deadline = time.monotonic() + patience
        while waiting and (left := deadline - time.monotonic()) > 0:
            finished = self._pool.next_finished(left)
            if finished is None:
                break
            waiting.discard(finished[0])

    def board_again(self) -> None:
        """Board reads that found every session of their endpoint lent, if one is free.

        A flight that has nothing in the air is otherwise never looked at again.
        """
        short, self._short = self._short, {}
        for flight in short.values():
            self.observe(flight)

    def take_off(self, intended: Intended) -> None:
        """Send what was boarded; its intents are on disk."""
        boarded, self._boarded = self._boarded, []
        for one in boarded:
            token = next(self._tokens)
            self._air[token] = (one.flight, one.read)
            one.start(token, intended)

    def abandon(self) -> None:
        """Let nothing of what was boarded go: its intents are not on disk. Reads of a flight under way board again."""
        boarded, self._boarded = self._boarded, []
        for one in boarded:
            one.flight.open -= 1
            if one.read is not None:
                one.flight.todo.append(one.read)
            if one.ticket is not None:
                self._transport.give_back(one.ticket)
        for one in boarded:
            if one.flight.open:
                self._short[one.flight.key] = one.flight
            else:
                self._end(one.flight)

    def ground(self) -> None:
        """Let nothing board any more; what is in the air may land."""
        self._grounded = True
        self.abandon()

    def landed(self, timeout: float) -> Iterator[Landed]:
        """Yield what has ended, waiting *timeout* seconds for the first.

        Raises:
            Exception: what a call raised, a refusal of the gate or a defect.
        """
        finished = self._pool.next_finished(timeout)
        while finished is not None:
            token, result = finished
            if token in self._air:
                flight, read = self._air.pop(token)
                flight.open -= 1
                if isinstance(result, Exception):
                    raise result
                if read is not None and isinstance(result, Reply):
                    self._read(flight, read, result)
                if not flight.open and not flight.todo:
                    self._end(flight)
                    yield Landed(flight, None if read is not None else result)
            finished = self._pool.next_finished(0.0)

    def _read(self, flight: Flight, read: Read, reply: Reply) -> None:
        """Keep an answer, or ask again at once, but once only, where a session had died; then ask what is left."""
        if read in flight.repeated and reply.fault is not None:  # whatever came of it: at first the host was reached
            reply = replace(reply, fault=replace(reply.fault, reached=True))
        if reply.again and read not in flight.repeated:
            flight.repeated.append(read)
            flight.todo.append(read)
        else:
            flight.replies.append((read, reply))
        if flight.todo:
            self.observe(flight)

    def close(self, timeout: float) -> None:
        """Take no more calls; wait so many seconds for those in the air."""
        self._pool.close(timeout)

    def _reads(self, flight: Flight, read: Read, ticket: Ticket) -> Callable[[int, Intended], None]:
        return lambda token, intended: self._pool.start(token, read, ticket, None, self._about(flight, intended))

    def _about(self, flight: Flight, intended: Intended) -> About:
        return self._fence.about(flight.key[0], flight.step, intended)

    def _board(self, boarded: _Boarded) -> None:
        flight = boarded.flight
        if flight.key not in self._busy:
            self._busy[flight.key] = flight
            self._migrations[flight.key[0]] += 1
            self._disruptive[flight.key[1]] += flight.disruptive
        flight.open += 1
        self._boarded.append(boarded)

    def _end(self, flight: Flight) -> None:
        if self._busy.pop(flight.key, None) is not None:
            self._migrations[flight.key[0]] -= 1
            self._short.pop(flight.key, None)
            self._disruptive[flight.key[1]] -= flight.disruptive
