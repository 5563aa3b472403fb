"""Two ways to the far side as one: remoting for hosts, LDAP for what a domain controller says as a second witness; and
remoting for all calls but the reading of estate time, which has a session of its own.
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


class Beside:
    """A transport that stands for another one too, which somebody else uses: what became of its shells is told as well.

    Estate time is read over the other one. Else a wave that keeps every session with the domain controller busy would
    keep the time unread, by which everything waits.
    """

    def __init__(self, calls: Transport, other: Transport) -> None:
        self._calls, self._other = calls, other

    def ticket(self, endpoint: str) -> Ticket | None:
        """Announce the ids of the next call to *endpoint*."""
        return self._calls.ticket(endpoint)

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used."""
        self._calls.give_back(ticket)

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry out one call."""
        return self._calls.run(call, ticket, leave)

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell on the far side."""
        return self._calls.discard(endpoint, shell)

    def gone(self) -> list[Ticket]:
        """Return the shells that are no longer on the far side, of both."""
        return [*self._other.gone(), *self._calls.gone()]

    def close(self) -> None:
        """Close both."""
        self._other.close()
        self._calls.close()
