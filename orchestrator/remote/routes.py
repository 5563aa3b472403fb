"""Two ways to the far side as one: remoting for hosts, LDAP for what a domain controller says as a second witness; and
what has a session to spare for the reading of estate time.
"""

from __future__ import annotations

from uuid import UUID

from orchestrator.model.call import Call, Ticket
from orchestrator.model.observation import Reply
from orchestrator.model.witness import WITNESS
from orchestrator.remote.transport import Leave, Transport


class Routes:
    """A transport that hands each call to the one that its endpoint names."""

    def __init__(self, hosts: Transport, witness: Transport) -> None:
        self._hosts, self._witness = hosts, witness

    def _to(self, endpoint: str) -> Transport:
        return self._witness if endpoint.startswith(WITNESS) else self._hosts

    def ticket(self, endpoint: str) -> Ticket | None:
        """Announce the ids of the next call to *endpoint*."""
        return self._to(endpoint).ticket(endpoint)

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used."""
        self._to(ticket.endpoint).give_back(ticket)

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry out one call."""
        return self._to(call.endpoint).run(call, ticket, leave)

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell on the far side."""
        return self._to(endpoint).discard(endpoint, shell)

    def gone(self) -> list[Ticket]:
        """Return the shells that are no longer on the far side."""
        return [*self._witness.gone(), *self._hosts.gone()]

    def close(self) -> None:
        """Close both."""
        self._witness.close()
        self._hosts.close()


class WithSpare:
    """A transport with a spare one, which carries what finds no session; what became of its shells is told as well.

    Estate time is read like that. Else a wave that keeps every session with the domain controller busy would keep the
    time unread, by which everything waits. The spare one is no more than that: where there is room for one shell only,
    that is the other's.
    """

    def __init__(self, calls: Transport, spare: Transport) -> None:
        self._calls, self._spare = calls, spare
        self._spared: set[Ticket] = set()

    def ticket(self, endpoint: str) -> Ticket | None:
        """Announce the ids of the next call to *endpoint*, for whoever can wait."""
        return self._calls.ticket(endpoint)

    def urgent(self, endpoint: str) -> Ticket | None:
        """Announce them for one call that is not to wait; carried by the thread that asks."""
        ticket = self._calls.ticket(endpoint)
        if ticket is None:
            ticket = self._spare.ticket(endpoint)
            self._spared |= {ticket} if ticket else set()
        return ticket

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used."""
        self._calls.give_back(ticket)

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry out one call."""
        if ticket in self._spared:
            self._spared.discard(ticket)
            return self._spare.run(call, ticket, leave)
        return self._calls.run(call, ticket, leave)

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell on the far side."""
        return self._calls.discard(endpoint, shell)

    def gone(self) -> list[Ticket]:
        """Return the shells that are no longer on the far side, of both."""
        return [*self._spare.gone(), *self._calls.gone()]

    def close(self) -> None:
        """Close both."""
        self._spare.close()
        self._calls.close()
