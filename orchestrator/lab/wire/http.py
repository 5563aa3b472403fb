"""HTTP in front of one host's WSMan service: path, authentication, status codes, and broken connections."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

from orchestrator.lab.wire import faults, soap
from orchestrator.lab.wire.auth import Scheme
from orchestrator.lab.wire.engine import Kind
from orchestrator.lab.wire.shells import Caller
from orchestrator.lab.wire.wsman import Service, Struck

_LARGEST_REQUEST = 8 * 1024 * 1024
_CONTENT_TYPE = "application/soap+xml;charset=UTF-8"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Front:
    """Turns requests into envelopes and answers into responses."""

    def __init__(self, service: Service, scheme: Scheme) -> None:
        self._service = service
        self._scheme = scheme

    def application(self) -> web.Application:
        """Return the application that serves ``/wsman``."""
        application = web.Application(client_max_size=_LARGEST_REQUEST)
        application.router.add_post("/wsman", self._post)
        return application

    async def _post(self, request: web.Request) -> web.Response:
        principal = self._scheme.principal(request.headers.get("Authorization", ""))
        if principal is None:
            await request.read()
            return web.Response(status=401, headers={"WWW-Authenticate": self._scheme.challenge})
        try:
            envelope = soap.parse(await request.read())
        except soap.NotAnEnvelope as error:
            return web.Response(status=400, text=str(error))
        try:
            answer = await self._service.answer(envelope, Caller(principal, request.remote or ""))
        except faults.WsmanFault as fault:
            answer = soap.fault_reply(fault, envelope.message_id, self._service.host)
            return _soap(answer, status=500)
        except Struck as struck:
            return await _strike(request, struck.kind)
        return _soap(answer, status=200)


def _soap(answer: bytes, status: int) -> web.Response:
    return web.Response(status=status, body=answer, headers={"Content-Type": _CONTENT_TYPE})


async def _strike(request: web.Request, kind: Kind) -> web.Response:
    """Let the weather have this request."""
    if kind is Kind.HANG:
        await asyncio.Event().wait()  # until the client gives up, which cancels this
    if kind is not Kind.UNAVAILABLE:
        reset(request.transport)
    return web.Response(status=503)


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Break a connection so that the other side sees a reset, not an orderly end."""
    if transport is None:
        return
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()  # type: ignore[attr-defined]  # every stream transport has it
