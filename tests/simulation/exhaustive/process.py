"""The process of the small world: the product's conductor, taken step by step, and forked between two steps.

Nothing of the conductor is rebuilt: its take-over, and what its ``run`` calls in a loop, are called in the same order.
The pool holds every call until the search says how it ends.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Collection
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestrator.conductor import Assignment, Conductor
from orchestrator.conductor.agenda import Agenda
from orchestrator.conductor.fence import Fence, Intended
from orchestrator.conductor.flightdeck import FlightDeck
from orchestrator.conductor.flights import Flight, Flights
from orchestrator.conductor.shells import Shells
from orchestrator.conductor.tenure import Tenure
from orchestrator.engine.standing import Standing
from orchestrator.journal import Lease
from orchestrator.journal.memory import MemoryJournal, _Store
from orchestrator.model.call import Call, Read, Ticket, Write
from orchestrator.model.observation import Outcome, Reply
from orchestrator.model.run import RunState
from orchestrator.remote.pool import NOTHING, About
from orchestrator.remote.transport import Leave

UNHEARD = ""
"""The run whose words the fence listens to: none, for every write here had passed it when somebody spoke."""
AT_ONCE = Intended(0.0, 0)


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

    Only the shells that a take-over deletes end at once: all but those on the hosts that are ``deaf``.
    """

    def __init__(self, line: Line, deaf: Collection[str] = ()) -> None:
        self.waiting: tuple[Waiting, ...] = ()
        self.ended: deque[tuple[int, Reply | bool | Exception]] = deque()
        self.swept: set[UUID] = set()
        self.air: dict[int, tuple[Flight, Read | None]] = {}
        self._line, self._deaf = line, deaf

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out."""
        return len(self.waiting) + len(self.ended)

    @property
    def backlog(self) -> int:
        """How many calls no thread has taken up yet: none."""
        return 0

    def start(
        self, token: int, call: Call, ticket: Ticket, leave: Leave | None = None, _about: About = NOTHING
    ) -> None:
        """Let a call wait."""
        self.waiting = (*self.waiting, Waiting(token, self.air[token][0], call, ticket, leave))

    def end_shell(self, token: int, endpoint: str, shell: UUID, _about: About = NOTHING) -> None:
        """Let the end of a shell wait; one that a take-over deletes is gone at once, or its host says nothing."""
        if token in self.air:
            ticket = Ticket(endpoint, shell, shell)
            self.waiting = (*self.waiting, Waiting(token, self.air[token][0], None, ticket))
        elif endpoint not in self._deaf:
            self.swept.add(shell)
            self._line.discard(endpoint, shell)
            self.ended.append((token, True))

    def end(self, one: Waiting, result: Reply | bool) -> None:
        """Let a call end; its shell carries the next one, unless nobody knows what became of it."""
        self.waiting = tuple(other for other in self.waiting if other.token != one.token)
        self.ended.append((one.token, result))
        if isinstance(result, Reply) and result.outcome is not Outcome.UNKNOWN:
            self._line.give_back(one.ticket)
        elif isinstance(one.call, Read) or result is True:
            self._line.discard(one.ticket.endpoint, one.ticket.shell)

    def next_finished(self, _timeout: float | None) -> tuple[int, Reply | bool | Exception] | None:
        """Hand out a call that has ended."""
        return self.ended.popleft() if self.ended else None

    def close(self, _timeout: float) -> bool:
        """Forget everything."""
        self.waiting = ()
        return True


class Line:
    """Tickets of one process: the ids count up, so that no two calls of one history share a pipeline."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self._idle: dict[str, tuple[UUID, ...]] = {}
        self._gone: list[Ticket] = []

    def fork(self) -> Line:
        """Return the tickets of the same process in another world."""
        other = Line(self.number)
        other._idle, other._gone = dict(self._idle), list(self._gone)
        return other

    def ticket(self, endpoint: str) -> Ticket:
        """Return the ids of the next call, in a shell that is open and idle, if there is one."""
        self.number += 2
        shell, *idle = self._idle.get(endpoint, ()) or (UUID(int=self.number - 1),)
        self._idle[endpoint] = tuple(idle)
        return Ticket(endpoint, shell, UUID(int=self.number))

    def give_back(self, ticket: Ticket) -> None:
        """Let a shell serve the next call."""
        self._idle[ticket.endpoint] = (*self._idle.get(ticket.endpoint, ()), ticket.shell)

    def run(self, _call: Call, _ticket: Ticket, _leave: Leave | None = None) -> Reply:
        """Never: the pool holds the calls."""
        raise AssertionError("a search carries calls itself")

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Take in that a shell is gone."""
        self._gone.append(Ticket(endpoint, shell, shell))
        return True

    def gone(self) -> list[Ticket]:
        """Return the shells that are gone since this was last asked."""
        gone, self._gone = self._gone, []
        return gone

    def close(self) -> None:
        """Nothing is left to be done."""


class Watch:
    """Estate time as the process sees it: read anew whenever it is asked for."""

    apart, silent, refused, unread = timedelta(0), False, False, None

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """Return what the estate's clock shows."""
        found: datetime = self._clock.now
        return found

    ask = reckoned = now

    def ask_soon(self) -> None:
        """Do nothing: it is asked whenever it is needed."""


def forked_journal(journal: MemoryJournal) -> MemoryJournal:
    """Return a journal with the same rows, held by the same lease, if by any."""
    other, store = MemoryJournal(journal._now), journal._store
    other._store = _Store(list(store.records), store.epoch, store.lease, other if store.alive else None)
    return other


def no_time() -> float:
    """Return the seconds of a process that no call keeps waiting."""
    return 0.0


def begun(
    job: Assignment,
    journal: MemoryJournal,
    lease: Lease,
    line: Line,
    watch: Watch,
    state: RunState,
    deaf: Collection[str] = (),
) -> Conductor:
    """Return a process that has opened the journal, whose rows amount to *state*, and has taken over.

    The hosts that are *deaf* say nothing when it deletes the shells that were left open.
    """
    pool = HeldPool(line, deaf)
    blank = MemoryJournal(journal._now)
    process = Conductor(job, blank, lease, line, watch, pool=pool, seconds=no_time)  # type: ignore[arg-type]
    pool.air = process._flights._air
    log = process._log
    log._journal = process._deck._fence._journal = journal
    log._head = log._told = journal.head()
    log.state = state
    process._tenure.take_over(process._who, process._beginning)
    return process


def forked(process: Conductor, journal: MemoryJournal, line: Line, watch: Watch) -> Conductor:
    """Return the same process in another world, between two of its steps."""
    other = copy(process)
    other._transport, other._clock = line, watch  # type: ignore[assignment]
    other._agenda = _agenda(process._agenda)
    other._log = copy(process._log)
    other._log._journal, other._log._now = journal, watch.now
    other._log._pending, other._log.state = list(process._log._pending), process.state.copied()
    other._deck = _deck(process._deck, other, journal)
    other._flights = other._deck.flights
    other._tenure = Tenure(other._deck, other._log, other._clock, other._transport)
    return other


def _deck(deck: FlightDeck, owner: Conductor, journal: MemoryJournal) -> FlightDeck:
    other = copy(deck)
    other._log, other._agenda, other._clock = owner._log, owner._agenda, owner._clock
    other._fence = Fence(UNHEARD, journal, deck._fence._lease, deck._fence._seconds)
    other.shells = Shells(other._log, owner._transport)
    other.shells._gone = set(deck.shells._gone)
    other._seen = {id_: dict(seen) for id_, seen in deck._seen.items()}
    other._landed, other._taken_in = list(deck._landed), list(deck._taken_in)
    other.flights = _flights(deck.flights, other._fence, other.shells, owner._transport)  # type: ignore[arg-type]
    return other


def _flights(flights: Flights, fence: Fence, shells: Shells, line: Line) -> Flights:
    """Calls that wait have flights of their own in the other world; everything else is between two steps empty."""
    assert not flights._boarded
    assert not flights._short
    old: HeldPool = flights._pool  # type: ignore[assignment]
    copies = {id(one): _flight(one) for one in flights._busy.values()}
    pool = HeldPool(line)
    other = Flights(line, pool, fence, shells.announce)
    pool.ended, pool.air = deque(old.ended), other._air
    pool.waiting = tuple(
        replace(
            one,
            flight=copies[id(one.flight)],
            leave=one.leave and fence.leave(one.ticket.endpoint, one.migration, AT_ONCE),
        )
        for one in old.waiting
    )
    other._air.update((token, (copies[id(flight)], read)) for token, (flight, read) in flights._air.items())
    other._tokens = itertools.count(max(flights._air, default=-1) + 1)
    other._busy = {key: copies[id(flight)] for key, flight in flights._busy.items()}
    other._disruptive = Counter(flights._disruptive)
    other._migrations = Counter(flights._migrations)
    return other


def _flight(flight: Flight) -> Flight:
    other = copy(flight)
    other.todo, other.replies, other.repeated = list(flight.todo), list(flight.replies), list(flight.repeated)
    return other


def _agenda(agenda: Agenda) -> Agenda:
    other = copy(agenda)
    other._waves = {name: _standing(one) for name, one in agenda._waves.items()}
    other._stirred = defaultdict(set, {name: set(ids) for name, ids in agenda._stirred.items()})
    other._again = {id_: dict(dues) for id_, dues in agenda._again.items()}
    other._dues = list(agenda._dues)
    assert not any(agenda._put_off.values()), "no call waits for a thread here"
    other._put_off = {name: [] for name in agenda._put_off}
    return other


def _standing(standing: Standing) -> Standing:
    other = copy(standing)
    for name, value in vars(standing).items():
        if isinstance(value, dict | list | set) and name != "places":
            setattr(other, name, copy(value))
    other._those_in = {known: list(ids) for known, ids in standing._those_in.items()}
    return other
