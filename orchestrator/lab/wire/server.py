"""Every host of an estate on an address of its own, in one process."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from orchestrator.lab.wire.auth import Scheme
from orchestrator.lab.wire.certificates import Authority
from orchestrator.lab.wire.engine import Endpoint, Engine
from orchestrator.lab.wire.http import Front
from orchestrator.lab.wire.shells import Fidelity
from orchestrator.lab.wire.work import Boots, Work
from orchestrator.lab.wire.wsman import Service

_LOOPBACK = "127.0.0.1"
_BACKLOG = 128
_LOOK = 0.25


class _Host:
    """One host's listener. The port stays bound while the host is down, so that nobody else takes it."""

    def __init__(self, service: Service, runner: web.AppRunner, at: Endpoint, authority: Authority) -> None:
        self.service = service
        self._runner = runner
        self._socket: socket.socket | None = _bound(at)
        address, port = self._socket.getsockname()
        self.at = Endpoint(str(address), int(port))
        self._context = authority.context(service.host, self.at.address)
        self._site: web.SockSite | None = None

    async def listen(self) -> None:
        """Open the port."""
        if self._site is None:
            taken, self._socket = self._socket or _bound(self.at), None
            self._site = web.SockSite(self._runner, taken, ssl_context=self._context, backlog=_BACKLOG)
            await self._site.start()

    async def deafen(self) -> None:
        """Close the port."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
            self._socket = _bound(self.at)

    async def close(self) -> None:
        """Stop for good; connections are cut, for a client that keeps one open would be waited for."""
        self.service.down()
        if self._socket is not None:
            self._socket.close()
        if self._site is not None:
            await self._site.stop()
        connections = self._runner.server.connections if self._runner.server is not None else ()
        for connection in connections:
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()


class Server:
    """The wire of one estate: ``async with Server(...)`` listens, and has let go of everything afterwards.

    ``addresses`` maps each host's name to ``address:port``; ``ca`` is the certificate, in PEM, that signed
    theirs. Ports in *preferred* (host to ``address:port``) are taken where they are free, so that a restarted
    server is found again.

    Raises:
        OSError: an address or a port that the estate asks for cannot be had.
    """

    def __init__(
        self,
        engine: Engine,
        scheme: Scheme,
        *,
        preferred: Mapping[str, str] | None = None,
        fidelity: Fidelity | None = None,
    ) -> None:
        self._engine = engine
        self._scheme = scheme
        self._preferred = dict(preferred or {})
        self._fidelity = fidelity or Fidelity()
        self._hosts: dict[str, _Host] = {}
        self._authority = Authority()
        self._watch: asyncio.Task[None] | None = None
        self.ca = self._authority.pem

    @property
    def addresses(self) -> dict[str, str]:
        """Where each host listens."""
        return {name: f"{host.at.address}:{host.at.port}" for name, host in self._hosts.items()}

    async def __aenter__(self) -> Self:
        self._work = Work(self._engine, before=self._raise_up, after=self._take_down)
        try:
            for name, at in self._engine.endpoints().items():
                self._hosts[name] = await self._host(name, at)
            await self._raise_up(self._engine.boots())
        except BaseException:
            await self._close()
            raise
        self._watch = asyncio.create_task(self._look())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _host(self, name: str, at: Endpoint) -> _Host:
        service = Service(name, self._engine, self._work, self._fidelity)
        application = Front(service, self._scheme).application()
        runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        return _Host(service, runner, self._place(name, at), self._authority)

    def _place(self, name: str, at: Endpoint) -> Endpoint:
        """Return where *name* should listen: the port it had before, if the estate leaves the choice."""
        address, _, port = self._preferred.get(name, "").rpartition(":")
        if at.port is not None or address != at.address or not _is_free(address, int(port)):
            return at
        return Endpoint(address, int(port))

    async def _raise_up(self, boots: Boots) -> None:
        """Open the ports of the hosts that came up."""
        for name, host in self._hosts.items():
            since = boots[name]
            if since is not None:
                host.service.up(since)
                await host.listen()

    async def _take_down(self, boots: Boots) -> None:
        """Close the ports of the hosts that went down."""
        for name, host in self._hosts.items():
            if boots[name] is None:
                host.service.down()
                await host.deafen()

    async def _look(self) -> None:
        """Follow the hosts whose time has come while nobody asked anything."""
        while True:
            await asyncio.sleep(_LOOK)
            boots = await asyncio.to_thread(self._engine.boots)
            await self._raise_up(boots)
            await self._take_down(boots)

    async def _close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.gather(*(host.close() for host in self._hosts.values()))
        await self._work.stop()


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


def _is_free(address: str, port: int) -> bool:
    """Say whether *port* could be listened on just now."""
    try:
        with _bound(Endpoint(address, port)) as probe:
            probe.listen(1)
    except OSError:
        return False
    return True
