"""What the conductor may expect of whatever carries its calls: real hosts, or a lab in the same process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias
from uuid import UUID

from orchestrator.model.call import Call, Ticket
from orchestrator.model.observation import Fault, FaultKind, Reply

Leave: TypeAlias = Callable[[], Fault | None]
"""Asked right before a write leaves, in the thread that carries it: None, or why it may not."""

NOT_SENT = "not-sent"
"""The code of a fault that a :data:`Leave` gives: nothing of the write has left."""


def not_sent(endpoint: str, why: str) -> Fault:
    """Return the fault of a write that got no leave; *why* is a clause that follows "for"."""
    remedy = "none is needed: nothing of it was sent, and the state is read before it is sent again"
    return Fault(FaultKind.TRANSIENT, NOT_SENT, f"{endpoint}: the write was not sent, for {why}", remedy)


class Transport(Protocol):
    """Carries calls to endpoints. Every method may be called from any thread.

    A caller asks for a ticket, journals its ids, and then runs exactly one call with it, so that the far side
    of a write can be found again by an id that was on disk before the write was sent.
    """

    def ticket(self, endpoint: str) -> Ticket | None:
        """Announce the ids of the shell and pipeline that the next call to *endpoint* will have.

        Never touches the network. None: every session to this endpoint is busy; ask again later. A ticket
        that will not be used is given back with :meth:`give_back`.
        """

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used. Never touches the network; its shell serves the next call."""

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry out one call and wait for its end.

        Remote trouble is in the reply and never raised. A call is sent at most once, in the shell and pipeline of the
        ticket, and in no other. *leave* has the last word on a write: it is asked once the shell is open, so that
        nothing but the write itself lies between its answer and the wire.

        Raises:
            Refused: the call is outside the catalogue; nothing was sent.
            ValueError: the ticket was not issued here for this endpoint, or was used before.
        """

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell on the far side, and with it whatever still runs in it.

        True: the host acknowledged, or says that it does not know the shell. False: it could not be asked, or
        gave another answer; nothing is known then.
        """

    def gone(self) -> list[Ticket]:
        """Return the shells that, since this was last asked, were found to be no longer on their endpoints.

        Deleted and acknowledged, unknown there, or never opened. Pipelines of these tickets say nothing.
        """

    def close(self) -> None:
        """Delete the shells of sessions that carry nothing, in bounded time; calls that still run keep theirs."""


class Carrier(Transport, Protocol):
    """A transport that also carries calls under tickets that another process has issued, and written down."""

    def honour(self, ticket: Ticket) -> bool:
        """Take a ticket of another process, so that :meth:`run` carries the call that it is for.

        Never touches the network. The call will travel in a shell with the ticket's id, opened for it alone and deleted
        right after it, unless what became of a write is unknown. False: every session to this endpoint is busy; ask
        again later. A ticket that will not be used is given back with :meth:`give_back`.
        """
