"""Every host of an estate on an address of its own, in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from aiohttp import web

from orchestrator.lab.wire.auth import ClientCertificate, Scheme
from orchestrator.lab.wire.certificates import Authority
from orchestrator.lab.wire.engine import Endpoint, Engine
from orchestrator.lab.wire.http import Front
from orchestrator.lab.wire.port import Port, is_free
from orchestrator.lab.wire.shells import Fidelity
from orchestrator.lab.wire.visits import Visits
from orchestrator.lab.wire.work import Boots, Work
from orchestrator.lab.wire.wsman import Service

_LOOK = 0.25


class _Host:
    """One host: a service behind one port, or two."""

    def __init__(self, service: Service, runner: web.AppRunner, ports: Sequence[Port]) -> None:
        self.service = service
        self.ports = ports
        self._runner = runner

    async def listen(self) -> None:
        """Open the ports."""
        for port in self.ports:
            await port.listen()

    async def deafen(self) -> None:
        """Close the ports."""
        for port in self.ports:
            await port.deafen()

    async def close(self) -> None:
        """Stop for good; connections are cut, for a client that keeps one open would be waited for."""
        self.service.down()
        for port in self.ports:
            await port.close()
        connections = self._runner.server.connections if self._runner.server is not None else ()
        for connection in connections:
            if connection.transport is not None:
                connection.transport.abort()
        await self._runner.cleanup()


class Server:
    """The wire of one estate: ``async with Server(...)`` listens, and has let go of everything afterwards.

    Callers log on by one of *schemes*. ``addresses`` maps each host's name to ``address:port``; ``authority`` signed
    the certificates there. With *http* each host has a second port, without TLS, in ``http_addresses``. Ports in
    *preferred* (host to ``address:port``) are taken where they are free, so that a restarted server is found again.
    *monotonic* is the clock of the shells' idle times; *visits* hears who comes and goes.

    Raises:
        OSError: an address or a port that the estate asks for cannot be had.
    """

    def __init__(
        self,
        engine: Engine,
        *schemes: Scheme,
        preferred: Mapping[str, str] | None = None,
        fidelity: Fidelity | None = None,
        http: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        visits: Visits | None = None,
    ) -> None:
        self._engine, self._visits = engine, visits or Visits()
        self._schemes = schemes
        self._http = http
        self._preferred = dict(preferred or {})
        self._fidelity = fidelity or Fidelity()
        self._monotonic = monotonic
        self._hosts: dict[str, _Host] = {}
        self._followed: dict[str, datetime | None] = {}
        self._watch: asyncio.Task[None] | None = None
        self.authority = Authority()
        self.ca = self.authority.pem

    @property
    def addresses(self) -> dict[str, str]:
        """Where each host listens."""
        return {name: host.ports[0].shown for name, host in self._hosts.items()}

    @property
    def http_addresses(self) -> dict[str, str]:
        """Where each host listens without TLS; nowhere unless that was asked for."""
        return {name: host.ports[1].shown for name, host in self._hosts.items() if self._http}

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
        service = Service(name, self._engine, self._work, self._fidelity, self._monotonic, self._visits)
        place = self._place(name, at)
        asks = any(isinstance(scheme, ClientCertificate) for scheme in self._schemes)
        identity = self.authority.identity(name, place.address, ask=asks)
        runners: list[web.AppRunner] = []

        def connections() -> int:
            server = runners[0].server if runners else None
            return len(server.connections) if server is not None else 0

        front = Front(service, self._schemes, identity.binding, self._visits, connections)
        application = front.application()
        runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        runners.append(runner)
        await runner.setup()
        ports = [Port(runner, place, identity.context)]
        if self._http:
            ports.append(Port(runner, Endpoint(place.address), None))
        return _Host(service, runner, ports)

    def _place(self, name: str, at: Endpoint) -> Endpoint:
        """Return where *name* should listen: the port it had before, if the estate leaves the choice."""
        address, _, port = self._preferred.get(name, "").rpartition(":")
        if at.port is not None or address != at.address or not is_free(address, int(port)):
            return at
        return Endpoint(address, int(port))

    async def _raise_up(self, boots: Boots) -> None:
        """Open the ports of the hosts that came up."""
        for name, since in self._others(boots):
            if since is not None:
                host = self._hosts[name]
                host.service.up(since)
                await host.listen()
                self._followed[name] = since

    async def _take_down(self, boots: Boots) -> None:
        """Close the ports of the hosts that went down."""
        for name, since in self._others(boots):
            if since is None:
                host = self._hosts[name]
                host.service.down()
                await host.deafen()
                self._followed[name] = None

    def _others(self, boots: Boots) -> list[tuple[str, datetime | None]]:
        """Return the hosts whose ports have not followed: few of many, and this is asked for every pipeline."""
        if boots == self._followed:
            return []
        followed = self._followed
        return [(name, since) for name, since in boots.items() if name not in followed or followed[name] != since]

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
