"""HTTP in front of one host's WSMan service: path, authentication, sealed bodies, status codes, broken connections."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

from aiohttp import web

from orchestrator.lab.wire import faults, soap
from orchestrator.lab.wire.auth import Admitted, Answer, Continued, Line, Logon, Scheme
from orchestrator.lab.wire.engine import Kind
from orchestrator.lab.wire.sealed import NotSealed
from orchestrator.lab.wire.shells import Caller
from orchestrator.lab.wire.strikes import Struck
from orchestrator.lab.wire.visits import Visits
from orchestrator.lab.wire.wsman import Service

_LARGEST_REQUEST = 8 * 1024 * 1024
_CONTENT_TYPE = "application/soap+xml;charset=UTF-8"
_SEALED = "multipart/encrypted"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Front:
    """Turns requests into envelopes and answers into responses.

    *binding* is the hash of the host's certificate, *connections* says how many are open; *visits* hears of them.
    Connections with TLS and without may come to the same front; without it, an envelope travels sealed or not at all.
    """

    def __init__(
        self,
        service: Service,
        schemes: Sequence[Scheme],
        binding: bytes,
        visits: Visits,
        connections: Callable[[], int],
    ) -> None:
        self._service, self._visits, self._connections = service, visits, connections
        self._schemes = schemes
        self._binding = binding
        self._lines: WeakKeyDictionary[asyncio.BaseTransport, Line] = WeakKeyDictionary()

    def application(self) -> web.Application:
        """Return the application that serves ``/wsman``."""
        application = web.Application(client_max_size=_LARGEST_REQUEST)
        application.router.add_post("/wsman", self._post)
        return application

    async def _post(self, request: web.Request) -> web.Response:
        body = await request.read()
        line = self._line(request)
        answer = self._admitted(request.headers.get("Authorization", ""), line)
        if not isinstance(answer, Admitted):
            return self._refusal(answer, line)
        if not line.known:
            line.known = True
            self._visits.logged_on(self._service.host, answer.logon.account.principal)
        response = await self._carry(request, body, line, answer.logon)
        if answer.challenge is not None:
            response.headers["WWW-Authenticate"] = answer.challenge
        return response

    def _line(self, request: web.Request) -> Line:
        transport = request.transport
        if transport is None:  # the client has gone meanwhile
            return Line(self._service.host)
        if transport not in self._lines:
            tls = transport.get_extra_info("ssl_object")
            shown = tls.getpeercert(binary_form=True) if tls is not None else None
            self._lines[transport] = Line(self._service.host, self._binding if tls is not None else None, shown)
            self._visits.connected(self._service.host, self._connections())
        return self._lines[transport]

    def _admitted(self, authorization: str, line: Line) -> Answer:
        """Return what the schemes make of this header; without one, the connection's own log-on counts."""
        if not authorization:
            return Admitted(line.logon) if line.logon is not None else None
        answers = (scheme.answer(authorization, line) for scheme in self._schemes)
        return next((answer for answer in answers if answer is not None), None)

    def _refusal(self, answer: Answer, line: Line) -> web.Response:
        if isinstance(answer, Continued):
            return web.Response(status=401, headers={"WWW-Authenticate": answer.challenge})
        response = web.Response(status=401)
        for scheme in self._schemes:
            for challenge in scheme.challenges(line):
                response.headers.add("WWW-Authenticate", challenge)
        return response

    async def _carry(self, request: web.Request, body: bytes, line: Line, logon: Logon) -> web.Response:
        sealer = line.sealer
        if sealer is not None and not body:  # a client that only wanted to log on, before it seals anything
            return web.Response(status=200)
        sealed = request.content_type == _SEALED
        if sealed if sealer is None else (not sealed and not line.secure):
            # Sealed without a handshake, or open to read without TLS; as Windows does (diyan/pywinrm issue 129).
            return web.Response(status=500)
        try:
            envelope = soap.parse(sealer.open(body) if sealed and sealer is not None else body)
        except soap.NotAnEnvelope as error:
            return web.Response(status=400, text=str(error))
        except NotSealed as error:
            return web.Response(status=500, text=str(error))
        try:
            answer, status = await self._answer(envelope, request, logon)
        except Struck as struck:
            return await _strike(request, struck)
        if sealed and sealer is not None:
            return web.Response(status=status, body=sealer.seal(answer), headers={"Content-Type": sealer.content_type})
        return web.Response(status=status, body=answer, headers={"Content-Type": _CONTENT_TYPE})

    async def _answer(self, envelope: soap.Envelope, request: web.Request, logon: Logon) -> tuple[bytes, int]:
        try:
            if not logon.account.remote:
                raise faults.access_denied()
            caller = Caller(logon.account.principal, request.remote or "", delegated=logon.delegated is not None)
            return await self._service.answer(envelope, caller), 200
        except faults.WsmanFault as fault:
            if fault.subcode == faults.QUOTA:
                self._visits.turned_away(self._service.host, logon.account.principal, fault.code)
            return soap.fault_reply(fault, envelope.message_id, self._service.host), 500


async def _strike(request: web.Request, struck: Struck) -> web.Response:
    """Let the weather have this request."""
    kind = struck.kind
    if kind in {Kind.HANG, Kind.SILENCE}:
        await asyncio.Event().wait()  # until the client gives up, which cancels this
    if kind is Kind.UNAVAILABLE:
        later = {} if struck.retry_after is None else {"Retry-After": str(round(struck.retry_after))}
        return web.Response(status=503, headers=later)
    if kind is Kind.DIED:
        return web.Response(status=400)
    if kind is Kind.RESET:
        begun = web.StreamResponse(headers={"Content-Type": _CONTENT_TYPE, "Content-Length": "4096"})
        await begun.prepare(request)
        await begun.write(b"<")
    reset(request.transport)
    return web.Response(status=503)  # which nobody sees


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Break a connection so that the other side sees a reset, not an orderly end."""
    if transport is None:
        return
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()  # type: ignore[attr-defined]  # every stream transport has it
