"""What the conductor may expect of whatever carries its calls: real hosts, or a lab in the same process."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from orchestrator.model.call import Call, Ticket
from orchestrator.model.observation import Reply


class Transport(Protocol):
    """Carries calls to endpoints. Every method may be called from any thread.

    A caller asks for a ticket, journals its ids, and then runs exactly one call with it, so that the far side
    of a write can be found again by an id that was on disk before the write was sent.
    """

    def ticket(self, endpoint: str) -> Ticket | None:
        """Announce the ids of the shell and pipeline that the next call to *endpoint* will have.

        Never touches the network. None: every session to this endpoint is busy; ask again later. A ticket
        that will not be used is given back with :meth:`discard` of its shell.
        """

    def run(self, call: Call, ticket: Ticket) -> Reply:
        """Carry out one call and wait for its end.

        Remote trouble is in the reply and never raised. A write is sent at most once, in the shell and
        pipeline of the ticket. A read may be repeated once, in another shell, if its shell has died.

        Raises:
            Refused: the call is outside the catalogue; nothing was sent.
            ValueError: the ticket was not issued here for this endpoint, or was used before.
        """

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell on the far side, and with it whatever still runs in it.

        True: the host acknowledged, or says that it does not know the shell. False: it could not be asked, or
        gave another answer; nothing is known then.
        """

    def close(self) -> None:
        """Close every session politely, in bounded time. Calls that still run end with a fault."""
