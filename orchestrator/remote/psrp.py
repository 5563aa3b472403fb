"""PowerShell Remoting: the transport that talks to real hosts (and to a lab behind TCP).

It keeps a few sessions with each host and lends one to each call. All that needs a lock is who holds which
session; a session itself belongs to one thread at a time. Sessions are reused last in, first out, so that a
few stay warm and the others may grow old.

A session costs more to open than a warm one takes for a call, and it counts against the host's quota. So calls wait
for the one there is, and an endpoint gets another only where its sessions were never free for a while: under a long
call (a restart), or a rush that lasts. How many at most: :mod:`~orchestrator.remote.endpoint`. How many hosts at the
same time, and how many log-ons: :mod:`~orchestrator.remote.traffic`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from uuid import UUID, uuid4

from orchestrator.model.call import Call, Ticket, Write
from orchestrator.model.observation import Reply
from orchestrator.remote import gate
from orchestrator.remote.connection import Settings, Unconfigured
from orchestrator.remote.dial import dial
from orchestrator.remote.endpoint import CROWDED_FOR, SESSIONS, Endpoint, Lent
from orchestrator.remote.session import Session, delete_shell
from orchestrator.remote.traffic import Traffic
from orchestrator.remote.transport import Leave

CLOSING_TAKES = 2.0
"""Seconds for closing all sessions at the same time; who drives next deletes what remains by its id."""

_log = logging.getLogger(__name__)


class PsrpTransport:
    """Carries calls over WSMan and PSRP (MS-WSMV, MS-PSRP). See :class:`orchestrator.remote.transport.Transport`.

    Args:
        settings: what a host is reached with; asked again whenever a connection is made.
        sessions: how many sessions one host may have at a time.
        crowded_for: seconds of waiting after which a host that has a session gets another.
        traffic: the places for hosts and the log-ons, shared by all transports of a process.
        clock: seconds from anywhere, for the age of sessions.
    """

    def __init__(
        self,
        settings: Callable[[str], Settings],
        *,
        sessions: int = SESSIONS,
        crowded_for: float = CROWDED_FOR,
        clock: Callable[[], float] = time.monotonic,
        traffic: Traffic | None = None,
    ) -> None:
        self._settings, self._traffic = settings, traffic or Traffic()
        self._most, self._crowded_for = sessions, crowded_for
        self._clock = clock
        self._lock = threading.Lock()
        self._endpoints: dict[str, Endpoint] = {}
        self._gone: list[Ticket] = []

    def ticket(self, endpoint: str) -> Ticket | None:
        """Announce the ids of the next call to *endpoint*.

        None while there is no place for a host, or the endpoint's sessions are lent and it gets no other. Either ends
        when a call that is in the air does, or is late.
        """
        pipeline = uuid4()
        if not self._traffic.admit(pipeline, endpoint):
            return None
        with self._lock:
            known = self._endpoints.setdefault(endpoint.lower(), Endpoint(self._most))
            session = self._session(known, endpoint)
            if session is not None:
                ticket = Ticket(endpoint, session.prepare(), pipeline)
                known.lent[pipeline] = Lent(session, ticket)
                return ticket
        self._traffic.leave(pipeline, None)
        return None

    def honour(self, ticket: Ticket) -> bool:
        """Take a ticket of another process; see :meth:`Carrier.honour <orchestrator.remote.transport.Carrier.honour>`.

        Its shell is opened on a connection that is kept: that costs two requests, and no log-on.
        """
        if not self._traffic.admit(ticket.pipeline, ticket.endpoint):
            return False
        with self._lock:
            known = self._endpoints.setdefault(ticket.endpoint.lower(), Endpoint(self._most))
            session = self._session(known, ticket.endpoint)
            if session is not None:
                session.take(ticket.shell)
                known.lent[ticket.pipeline] = Lent(session, ticket)
                return True
        self._traffic.leave(ticket.pipeline, None)
        return False

    def _session(self, known: Endpoint, endpoint: str) -> Session | None:
        """Return a session; a host that hangs gets no other."""
        if known.lent and self._traffic.hangs(endpoint):
            return None

        def make() -> Session:
            log_on = partial(self._traffic.log_on, endpoint)
            return Session(lambda: self._settings(endpoint), self._clock, partial(self._is_gone, endpoint), log_on)

        return known.session(self._clock(), self._crowded_for, make)

    def give_back(self, ticket: Ticket) -> None:
        """Take a ticket back that was not used."""
        with self._lock:
            known = self._endpoints.get(ticket.endpoint.lower(), Endpoint(self._most))
            lent = known.lent.get(ticket.pipeline)
            if lent is None or lent.running:
                return
            known.idle.append(known.lent.pop(ticket.pipeline).session)
        self._traffic.leave(ticket.pipeline, None)

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry out one call, and wait for its end.

        Raises:
            Refused: the gate did not let the call through.
            ValueError: the ticket is not for this call, was used, or was given back.
        """
        session, reply = self._take(ticket), None
        try:
            gate.check(call)
            if call.endpoint != ticket.endpoint:
                raise ValueError(f"a ticket for {ticket.endpoint} was used for {call.endpoint}")
            reply = session.carry(call, ticket.pipeline, leave)
        finally:
            others = self._give_back(ticket, reply)
        # Another session of ours may carry at once what this one had no room for.
        return replace(reply, again=True) if others and not isinstance(call, Write) else reply

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell; True when the host acknowledges, or does not know it.

        The request travels on a connection of its own, for the shell's own may be waiting for an answer. A
        ticket for this shell that was not used yet is given back; if its shell was never opened, there is
        nothing on the far side and the host is not asked.
        """
        if self._never_opened(endpoint, shell):
            self._is_gone(endpoint, shell)
            return True
        try:
            settings = self._settings(endpoint)
            wsman = dial(settings, partial(self._traffic.log_on, endpoint))
            try:
                delete_shell(wsman, settings.configuration, shell)
                self._is_gone(endpoint, shell)
                return True
            finally:
                wsman.close()
        except Unconfigured as error:
            _log.debug("%s", error)
        except Exception as error:  # noqa: BLE001 - a host that cannot be asked has acknowledged nothing
            _log.debug("%s: shell not deleted: %s", endpoint, type(error).__name__, exc_info=True)
        return False

    def gone(self) -> list[Ticket]:
        """Return the shells that were found to be no longer on their hosts since this was last asked."""
        with self._lock:
            gone, self._gone = self._gone, []
            return gone

    def _is_gone(self, endpoint: str, shell: UUID) -> None:
        with self._lock:
            self._gone.append(Ticket(endpoint, shell, shell))

    def close(self) -> None:
        """Close idle sessions and delete their shells, all at once, so that a host that hangs delays nobody for long.

        Calls that still run keep their sessions, and their threads.
        """
        with self._lock:
            sessions = [session for known in self._endpoints.values() for session in known.idle if session.warm]
            for known in self._endpoints.values():
                known.idle.clear()
        closing = [threading.Thread(target=session.close, name="closing", daemon=True) for session in sessions]
        for thread in closing:
            thread.start()
        deadline = time.monotonic() + CLOSING_TAKES
        for thread in closing:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _take(self, ticket: Ticket) -> Session:
        with self._lock:
            known = self._endpoints.get(ticket.endpoint.lower())
            lent = known.lent.get(ticket.pipeline) if known else None
            if lent is None or lent.running or lent.ticket != ticket:
                raise ValueError(f"the ticket for {ticket.endpoint} was not issued here, or was used before")
            lent.running = True
            return lent.session

    def _give_back(self, ticket: Ticket, reply: Reply | None) -> bool:
        """Take a session back from its call; say whether the endpoint had no room for it, and has other sessions."""
        full = reply is not None and not reply.again and reply.fault is not None and reply.fault.busy
        with self._lock:
            known = self._endpoints[ticket.endpoint.lower()]
            own = known.lent.pop(ticket.pipeline).session
            known.idle.insert(0 if full else len(known.idle), own)  # what comes next takes the last one
            if full:
                known.has_no_room(self._clock())
            surplus = known.surplus(self._clock())
            others = bool(known.lent) or any(session.opened for session in known.idle if session is not own)
        self._traffic.leave(ticket.pipeline, reply)
        for session in surplus:
            session.close()
        return full and others

    def _never_opened(self, endpoint: str, shell: UUID) -> bool:
        """Forget a shell that is about to be deleted; say whether it was ours and was never opened."""
        with self._lock:
            known = self._endpoints.get(endpoint.lower(), Endpoint(self._most))
            for lent in [each for each in known.lent.values() if each.ticket.shell == shell and not each.running]:
                known.idle.append(known.lent.pop(lent.ticket.pipeline).session)
                self._traffic.leave(lent.ticket.pipeline, None)
            for session in known.idle:
                if session.shell == shell:
                    opened = session.opened
                    session.forget()
                    return not opened
        return False
