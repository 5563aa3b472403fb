"""Tickets for calls that runners of other sites carry, and what became of their shells; the directory is called here.

Each such call travels in a shell of its own, whose id is made here and written down before anything is posted. So
whoever comes after can end it by its id, whichever runner opened it. How many there are at once: as many as there are
places (:mod:`~orchestrator.remote.places`), for each site apart, so that one that nobody serves holds up no other; and
:data:`AT_ONCE` to one host, however many runners its site has, for they share its quota of shells.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from uuid import UUID, uuid4

from orchestrator.model.call import Call, Ticket
from orchestrator.model.observation import Reply
from orchestrator.model.sites import DIRECTORY, Sites
from orchestrator.remote.traffic import Manners, Traffic
from orchestrator.remote.transport import Leave, Transport

AT_ONCE = 2
"""Calls to one host at the same time: one that takes long, a restart, and one beside it."""


class Abroad:
    """A :class:`~orchestrator.remote.transport.Transport` that carries what is the directory's, by *home*.

    For all other endpoints it has the tickets; who posts their calls says here what became of them.
    """

    def __init__(
        self,
        home: Transport,
        sites: Sites,
        manners: Manners | None = None,
        clock: Callable[[], float] = time.monotonic,
        ids: Callable[[], UUID] = uuid4,
    ) -> None:
        self._home, self.sites, self._ids = home, sites, ids
        self._traffic = {name: Traffic(manners, clock=clock) for name in sites.names}
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._gone: list[Ticket] = []

    def ticket(self, endpoint: str) -> Ticket | None:
        """Announce the ids of the next call to *endpoint*; None while there is no place for it."""
        site, host = self.sites.of(endpoint), endpoint.lower()
        if site == DIRECTORY:
            return self._home.ticket(endpoint)
        ticket = Ticket(endpoint, self._ids(), self._ids())
        with self._lock:
            if self._under_way[host] >= AT_ONCE or not self._traffic[site].admit(ticket.pipeline, endpoint):
                return None
            self._under_way[host] += 1
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used."""
        if self.sites.of(ticket.endpoint) == DIRECTORY:
            self._home.give_back(ticket)
            return
        self.landed(ticket, None, gone=True)

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry out a call to the directory.

        Raises:
            ValueError: it is for a runner of another site.
        """
        site = self.sites.of(call.endpoint)
        if site != DIRECTORY:
            raise ValueError(f"a call to {call.endpoint} is for a runner of site {site}")
        return self._home.run(call, ticket, leave)

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell of the directory's; False for all others, which only a runner of their site can ask."""
        return self.sites.of(endpoint) == DIRECTORY and self._home.discard(endpoint, shell)

    def landed(self, ticket: Ticket, reply: Reply | None, *, gone: bool) -> None:
        """Take in that a call has come back; *reply* None: it was not made. *gone*: its shell certainly is."""
        with self._lock:
            self._under_way[ticket.endpoint.lower()] -= 1
        self._traffic[self.sites.of(ticket.endpoint)].leave(ticket.pipeline, reply)
        if gone:
            self.is_gone(ticket.endpoint, ticket.shell)

    def is_gone(self, endpoint: str, shell: UUID) -> None:
        """Take in that a shell is certainly no longer on its host."""
        with self._lock:
            self._gone.append(Ticket(endpoint, shell, shell))

    def gone(self) -> list[Ticket]:
        """Return the shells that were found to be no longer on their endpoints since this was last asked."""
        with self._lock:
            gone, self._gone = self._gone, []
        return [*self._home.gone(), *gone]

    def close(self) -> None:
        """Close what is the directory's."""
        self._home.close()
