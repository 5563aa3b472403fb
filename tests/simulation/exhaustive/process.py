"""The process of the small world: the product's conductor, taken step by step, and forked between two steps.

Nothing of the conductor is rebuilt: its own ``_hear`` and ``_turn``, its deck's ``collect`` and its tenure's
``take_over`` are called in the order in which its ``run`` calls them. The pool holds every call until the search says
how it ends.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict, deque
from copy import copy
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestrator.agenda import Agenda
from orchestrator.conductor import Assignment, Conductor
from orchestrator.engine.standing import Standing
from orchestrator.fence import Fence
from orchestrator.flightdeck import FlightDeck
from orchestrator.flights import Flight, Flights
from orchestrator.journal import Lease
from orchestrator.journal.memory import MemoryJournal, _Store
from orchestrator.model.call import Call, Read, Ticket, Write
from orchestrator.model.observation import Outcome, Reply
from orchestrator.model.run import RunState
from orchestrator.remote.transport import Leave
from orchestrator.runlog import RunLog
from orchestrator.tenure import Tenure


@dataclass(frozen=True)
class Waiting:
    """A call in the air: a read or a write under its ticket, or (``call`` is None) the end of a shell."""

    token: int
    flight: Flight
    call: Call | None
    ticket: Ticket
    leave: Leave | None = None

    @property
    def migration(self) -> str:
        """Whose it is."""
        return self.flight.key[0]

    def __str__(self) -> str:
        """Return the call as a person would name it."""
        id_, subject = self.flight.key
        what = f"the end of a shell on {self.ticket.endpoint}"
        if isinstance(self.call, Write):
            what = named(self.call)
        elif isinstance(self.call, Read):
            what = f"a look at {self.call.endpoint}"
        return f"{id_}/{subject.partition('.')[0]}: {what}"


def named(write: Write) -> str:
    """Return a write in a few words."""
    given = write.statement.parameters
    about = given.get("Name") or given.get("Identity") or given.get("Path") or ""
    return f"{write.statement.name} {str(about).partition(',')[0]}".strip()


class HeldPool:
    """The contract of :class:`orchestrator.remote.pool.CallPool`: no call ends before :meth:`end` says how.

    The exception is the end of a shell that is no flight's, which is a take-over's sweep: it ends at once, as
    *acknowledges* says. ``swept``: the shells whose end was acknowledged so.
    """

    def __init__(self, line: Line, acknowledges: bool = True) -> None:
        self.waiting: tuple[Waiting, ...] = ()
        self.ended: deque[tuple[int, Reply | bool | Exception]] = deque()
        self.flights: Flights | None = None
        self.swept = set[UUID]()
        self._line, self._acknowledges = line, acknowledges

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out."""
        return len(self.waiting) + len(self.ended)

    def start(self, token: int, call: Call, ticket: Ticket, leave: Leave | None = None) -> None:
        """Let a call wait."""
        assert self.flights is not None
        self.waiting = (*self.waiting, Waiting(token, self.flights._air[token][0], call, ticket, leave))

    def end_shell(self, token: int, endpoint: str, shell: UUID) -> None:
        """Let the end of a shell wait, or let it end at once where no flight waits for it."""
        assert self.flights is not None
        ticket = Ticket(endpoint, shell, shell)
        if token in self.flights._air:
            self.waiting = (*self.waiting, Waiting(token, self.flights._air[token][0], None, ticket))
            return
        if self._acknowledges:
            self.swept.add(shell)
            self._line.deleted(ticket)
        self.ended.append((token, self._acknowledges))

    def end(self, one: Waiting, result: Reply | bool) -> None:
        """Let a call end."""
        self.waiting = tuple(other for other in self.waiting if other.token != one.token)
        self.ended.append((one.token, result))
        if isinstance(result, Reply):
            self._line.answered(one.ticket, result)
        elif result:
            self._line.deleted(one.ticket)

    def next_finished(self, _timeout: float | None) -> tuple[int, Reply | bool | Exception] | None:
        """Hand out a call that has ended."""
        return self.ended.popleft() if self.ended else None

    def close(self, _timeout: float) -> bool:
        """Forget everything."""
        self.waiting = ()
        return True


class Line:
    """Tickets of one process: a shell carries one call after the other, as long as none stays unanswered in it."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self._idle: dict[str, tuple[UUID, ...]] = {}
        self._gone: tuple[Ticket, ...] = ()

    def fork(self) -> Line:
        """Return the same line, in another world."""
        other = copy(self)
        other._idle = dict(self._idle)
        return other

    def ticket(self, endpoint: str) -> Ticket:
        """Return the ids of the next call; ids that were never used count up."""
        idle = self._idle.get(endpoint, ())
        if idle:
            self._idle[endpoint] = idle[:-1]
        return Ticket(endpoint, idle[-1] if idle else self._id(), self._id())

    def _id(self) -> UUID:
        self.number += 1
        return UUID(int=self.number)

    def give_back(self, ticket: Ticket) -> None:
        """Let the shell of a ticket that was not used serve the next call."""
        self._idle[ticket.endpoint] = (*self._idle.get(ticket.endpoint, ()), ticket.shell)

    def answered(self, ticket: Ticket, reply: Reply) -> None:
        """Let the shell of a call that was answered serve the next one."""
        if reply.outcome is not Outcome.UNKNOWN:
            self.give_back(ticket)

    def deleted(self, ticket: Ticket) -> None:
        """Remember that a shell is gone, and let no call into it."""
        self._idle[ticket.endpoint] = tuple(one for one in self._idle.get(ticket.endpoint, ()) if one != ticket.shell)
        self._gone = (*self._gone, ticket)

    def gone(self) -> list[Ticket]:
        """Return the shells that were deleted since this was last asked."""
        gone, self._gone = self._gone, ()
        return list(gone)

    def run(self, _call: Call, _ticket: Ticket, _leave: Leave | None = None) -> Reply:
        """Never: the pool holds the calls."""
        raise NotImplementedError

    def discard(self, _endpoint: str, _shell: UUID) -> bool:
        """Never: the pool holds the calls."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing is closed: a process of the small world dies, or stands still."""


class Watch:
    """Estate time as the process sees it: read anew whenever it is asked for."""

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """Return what the estate's clock shows."""
        found: datetime = self._clock.now
        return found

    ask = reckoned = now


def forked_journal(journal: MemoryJournal) -> MemoryJournal:
    """Return a journal with the same rows, held by the same lease."""
    other, store = MemoryJournal(journal._now), journal._store
    other._store = _Store(list(store.records), store.epoch, store.lease, other)
    return other


def forked_state(state: RunState) -> RunState:
    """Return the same state, to be changed by other events."""
    known = {one.name: getattr(state, one.name) for one in fields(state)}
    return replace(state, **{name: copy(value) for name, value in known.items() if isinstance(value, dict | list)})


def no_time() -> float:
    """Return the seconds of a process that no call keeps waiting."""
    return 0.0


def begun(
    job: Assignment, journal: MemoryJournal, lease: Lease, line: Line, watch: Watch, state: RunState, sweeps: bool
) -> Conductor:
    """Return a process that has just opened the journal, whose rows amount to *state*, and has taken over.

    *sweeps*: whether the hosts acknowledge that the shells which were left open are deleted.
    """
    pool = HeldPool(line, sweeps)
    empty = MemoryJournal(journal._now)
    process = Conductor(job, empty, lease, line, watch, pool=pool, seconds=no_time)  # type: ignore[arg-type]
    pool.flights = process._flights
    log = process._log
    log._journal = process._deck._fence._journal = journal
    log.state = state
    log._head = log._told = journal.head()
    process._tenure.take_over(process._who, process._beginning)
    return process


def forked(process: Conductor, journal: MemoryJournal, line: Line, watch: Watch) -> Conductor:
    """Return the same process in another world, between two of its steps."""
    other = copy(process)
    other._transport, other._clock = line, watch  # type: ignore[assignment]
    other._agenda = _agenda(process._agenda)
    other._log = _log(process._log, journal, watch, forked_state(process.state))
    other._deck = _deck(process._deck, other, journal)
    other._flights = other._deck.flights
    other._tenure = Tenure(other._deck, other._log, watch, line)  # type: ignore[arg-type]
    return other


def _deck(deck: FlightDeck, process: Conductor, journal: MemoryJournal) -> FlightDeck:
    """Return the deck of a process that is being forked, wired to everything else of it."""
    other = copy(deck)
    other._log, other._agenda, other._clock = process._log, process._agenda, process._clock
    other._fence = Fence(journal, deck._fence._lease, no_time)
    other.shells = copy(deck.shells)
    other.shells._log, other.shells._transport = process._log, process._transport
    other.shells._gone = set(deck.shells._gone)
    other.flights = _flights(deck.flights, other, process._transport)  # type: ignore[arg-type]
    other._seen = {id_: dict(seen) for id_, seen in deck._seen.items()}
    other._landed, other._taken_in = list(deck._landed), list(deck._taken_in)
    return other


def _log(log: RunLog, journal: MemoryJournal, watch: Watch, state: RunState) -> RunLog:
    other = copy(log)
    other._journal, other._now, other._pending, other.state = journal, watch.reckoned, list(log._pending), state
    return other


def _flights(flights: Flights, deck: FlightDeck, line: Line) -> Flights:
    """Calls that wait have flights of their own in the other world; everything else is between two steps empty."""
    assert not flights._boarded
    assert not flights._short
    old: HeldPool = flights._pool  # type: ignore[assignment]
    copies = {id(one): _flight(one) for one in flights._busy.values()}
    pool = HeldPool(line)
    other = Flights(line, pool, deck._fence, deck.shells.announce)
    pool.flights, pool.ended = other, deque(old.ended)
    pool.waiting = tuple(
        replace(one, flight=copies[id(one.flight)], leave=one.leave and deck._fence.leave(one.ticket.endpoint, 0.0))
        for one in old.waiting
    )
    other._air = {token: (copies[id(flight)], read) for token, (flight, read) in flights._air.items()}
    other._tokens = itertools.count(max(flights._air, default=-1) + 1)
    other._busy = {key: copies[id(flight)] for key, flight in flights._busy.items()}
    other._disruptive = Counter(flights._disruptive)
    return other


def _flight(flight: Flight) -> Flight:
    other = copy(flight)
    other.todo, other.replies = list(flight.todo), list(flight.replies)
    return other


def _agenda(agenda: Agenda) -> Agenda:
    other = copy(agenda)
    other._waves = {name: _standing(one) for name, one in agenda._waves.items()}
    other._stirred = defaultdict(set, {name: set(ids) for name, ids in agenda._stirred.items()})
    other._again = {id_: dict(dues) for id_, dues in agenda._again.items()}
    other._dues = list(agenda._dues)
    return other


def _standing(standing: Standing) -> Standing:
    other = copy(standing)
    for name, value in vars(standing).items():
        if isinstance(value, dict | list | set) and name != "places":
            setattr(other, name, copy(value))
    return other
