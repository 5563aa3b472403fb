"""A port of a simulated host. It stays bound while the host is down, so that nobody else takes it."""

from __future__ import annotations

import errno
import socket
import ssl

from aiohttp import web

from orchestrator.lab.wire.engine import Endpoint

_LOOPBACK = "127.0.0.1"
_BACKLOG = 128


class Port:
    """Where *runner* listens, with TLS if there is a *context*; bound from the beginning, open when told.

    Raises:
        OSError: the address or the port cannot be had.
    """

    def __init__(self, runner: web.AppRunner, at: Endpoint, context: ssl.SSLContext | None) -> None:
        self._runner = runner
        self._context = context
        self._socket: socket.socket | None = _bound(at)
        address, port = self._socket.getsockname()
        self._at = Endpoint(str(address), int(port))
        self._site: web.SockSite | None = None

    @property
    def shown(self) -> str:
        """The port as ``address:port``."""
        return f"{self._at.address}:{self._at.port}"

    async def listen(self) -> None:
        """Open the port."""
        if self._site is None:
            taken, self._socket = self._socket or _bound(self._at), None
            self._site = web.SockSite(self._runner, taken, ssl_context=self._context, backlog=_BACKLOG)
            await self._site.start()

    async def deafen(self) -> None:
        """Close the port."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
            self._socket = _bound(self._at)

    async def close(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()
        if self._site is not None:
            await self._site.stop()


def _bound(at: Endpoint) -> socket.socket:
    """Return a socket at *at*; at 127.0.0.1 where the system has no such address (macOS without an alias)."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            bound.bind((at.address, at.port or 0))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            bound.bind((_LOOPBACK, at.port or 0))
    except OSError:
        bound.close()
        raise
    return bound


def is_free(address: str, port: int) -> bool:
    """Say whether *port* of *address* could be listened on just now."""
    try:
        with _bound(Endpoint(address, port)) as probe:
            probe.listen(1)
    except OSError:
        return False
    return True
