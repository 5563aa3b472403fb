"""Many conversations at the same time: each asks one endpoint, one read after the other, at its own pace.

A read that came to nothing because its session had died, or for a fault that may pass, is repeated once. What cannot be
read then is an answer too. A host that was talked to is hung up on, so that hundreds of them cost no more sessions than
are in the air.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar
from uuid import UUID

from orchestrator.cli.trips import rest
from orchestrator.model.call import Call, Read, Ticket
from orchestrator.model.observation import FaultKind, Outcome, Reply
from orchestrator.remote.pool import CallPool
from orchestrator.remote.traffic import HOSTS_AT_ONCE
from orchestrator.remote.transport import Leave, Transport

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
TRIES = 2
"""How often a read is sent that may work the next time."""
ASK_AGAIN_FOR_A_SESSION = 0.1
"""Seconds after which an endpoint whose sessions are all lent is asked for one again."""
PATIENCE = 5.0
"""Seconds for which threads are waited for whose hosts do not answer."""


class Separately:
    """A transport for each endpoint, so that one can be hung up on while the others go on."""

    def __init__(self, make: Callable[[], Transport]) -> None:
        self._make = make
        self._open: dict[str, Transport] = {}
        self._lock = threading.Lock()

    def _of(self, endpoint: str) -> Transport:
        with self._lock:
            known = self._open.get(endpoint.lower())
            if known is None:
                known = self._open[endpoint.lower()] = self._make()
            return known

    @property
    def endpoints(self) -> frozenset[str]:
        """Whom nobody has hung up on, in small letters."""
        with self._lock:
            return frozenset(self._open)

    def ticket(self, endpoint: str) -> Ticket | None:
        """Announce the ids of the next call to *endpoint*."""
        return self._of(endpoint).ticket(endpoint)

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used."""
        self._of(ticket.endpoint).give_back(ticket)

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry out one call."""
        return self._of(call.endpoint).run(call, ticket, leave)

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Hang up on an endpoint: every shell there is deleted, whichever is named."""
        del shell
        with self._lock:
            known = self._open.pop(endpoint.lower(), None)
        if known is not None:
            known.close()
        return True

    def gone(self) -> list[Ticket]:
        """Return nothing: no shell outlives its conversation."""
        return []

    def close(self) -> None:
        """Hang up on everybody."""
        with self._lock:
            left, self._open = list(self._open.values()), {}
        for one in left:
            one.close()


@dataclass
class _Talk(Generic[K, T]):
    """A conversation; ``wants`` is what it asks for, or asked for last, ``ends`` what it came to, once it has."""

    key: K
    course: Generator[Read, Reply, T]
    wants: Read | None = None
    tries: int = 0
    turned_away: int = 0
    due: float = 0.0
    shell: UUID | None = None
    ends: list[T] = field(default_factory=list)

    def goes_on(self, reply: Reply | None) -> bool:
        """Tell it the answer, None at first; say whether it asks for more."""
        try:
            self.wants = next(self.course) if reply is None else self.course.send(reply)
        except StopIteration as ended:
            self.ends.append(ended.value)
            return False
        self.tries = self.turned_away = 0
        return True

    def rests(self, reply: Reply) -> bool:
        """Take in that its endpoint had no room; False where it had, or never has."""
        seconds = rest(reply, self.turned_away)
        if seconds is None:
            return False
        self.turned_away, self.tries, self.due = self.turned_away + 1, self.tries - 1, time.monotonic() + seconds
        return True

    @property
    def end(self) -> tuple[K, T]:
        """Its key, and what it came to."""
        return self.key, self.ends[0]


class Conversations:
    """Holds conversations over one transport; for one thread. ``stopped`` is asked between any two reads."""

    def __init__(
        self, transport: Transport, stopped: Callable[[], bool] = lambda: False, at_once: int = HOSTS_AT_ONCE
    ) -> None:
        """Hold at most *at_once* conversations at the same time."""
        self._transport, self._stopped, self._at_once = transport, stopped, at_once
        self._pool: CallPool[int] = CallPool(transport, at_once)
        self._numbers = 0

    def close(self) -> None:
        """Ask nothing more."""
        self._pool.close(0.0 if self._stopped() else PATIENCE)

    def hold(
        self, courses: Iterable[tuple[K, Generator[Read, Reply, T]]], *, hang_up: bool = False
    ) -> Iterator[tuple[K, T]]:
        """Hold them all, and yield what each came to, in the order in which they end; less, once it was stopped.

        Args:
            courses: each with the key under which its end is told.
            hang_up: delete the session with an endpoint once its conversation has ended.

        Raises:
            Refused: a call was outside the catalogue; it was not sent.
        """
        coming = iter(courses)
        waiting: deque[_Talk[K, T]] = deque()
        under_way: dict[int, _Talk[K, T] | None] = {}
        while not self._stopped():
            for key, course in islice(coming, self._at_once - len(waiting) - len(under_way)):
                talk = _Talk(key, course)
                if talk.goes_on(None):
                    waiting.append(talk)
                else:
                    yield talk.end
            self._send(waiting, under_way)
            if not waiting and not under_way:
                return
            talk_and_reply = self._next(under_way)
            if talk_and_reply is None:
                continue
            talk, reply = talk_and_reply
            if talk.rests(reply) or (talk.tries < TRIES and _worth_repeating(reply)):
                waiting.append(talk)
            elif talk.goes_on(reply):
                waiting.appendleft(talk)
            else:
                if hang_up:
                    self._hang_up(talk, under_way)
                yield talk.end

    def _next(self, under_way: dict[int, _Talk[K, T] | None]) -> tuple[_Talk[K, T], Reply] | None:
        """Return what finished next; None where nothing did yet, or only somebody was hung up on."""
        if not under_way:
            time.sleep(ASK_AGAIN_FOR_A_SESSION)  # whoever is left rests
        finished = self._pool.next_finished(ASK_AGAIN_FOR_A_SESSION)
        if finished is None:
            return None
        token, result = finished
        talk = under_way.pop(token)
        if isinstance(result, Exception):
            raise result
        return (talk, result) if talk is not None and isinstance(result, Reply) else None

    def _send(self, waiting: deque[_Talk[K, T]], under_way: dict[int, _Talk[K, T] | None]) -> None:
        """Send what an endpoint has a session for; the rest goes on waiting."""
        for _ in range(len(waiting)):
            talk = waiting.popleft()
            assert talk.wants is not None, "it goes on"
            rests = talk.due > time.monotonic()
            ticket = None if rests else self._transport.ticket(talk.wants.endpoint)
            if ticket is None:
                waiting.append(talk)
                continue
            talk.tries += 1
            talk.shell = ticket.shell
            self._numbers += 1
            under_way[self._numbers] = talk
            self._pool.start(self._numbers, talk.wants, ticket)

    def _hang_up(self, talk: _Talk[K, T], under_way: dict[int, _Talk[K, T] | None]) -> None:
        if talk.wants is not None and talk.shell is not None:
            self._numbers += 1
            under_way[self._numbers] = None
            self._pool.end_shell(self._numbers, talk.wants.endpoint, talk.shell)


def _worth_repeating(reply: Reply) -> bool:
    if reply.again or reply.outcome is Outcome.UNKNOWN:
        return True
    return reply.fault is not None and not reply.errors and reply.fault.kind is FaultKind.TRANSIENT
