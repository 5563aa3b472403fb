"""Serves the board on a socket until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from orchestrator.board.app import application
from orchestrator.board.door import Key, hosts
from orchestrator.board.follower import Follower
from orchestrator.board.hub import Hub
from orchestrator.errors import InputInvalid

HERE = ("localhost", "127.0.0.1", "[::1]")
"""What the Host header may name on loopback."""
PATIENCE = 2
"""Seconds that open pages are given to go when the board ends."""


@dataclass(frozen=True)
class Place:
    """Where the board is served, and under which names. Whether that is allowed was asked before."""

    host: str
    port: int
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether an address is one that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def serve(follower: Follower, place: Place, token: Key | None, ready: Callable[[str], None]) -> int:
    """Serve until SIGINT or SIGTERM; return the number of the signal.

    Args:
        follower: what looks at the journal.
        place: where.
        token: what a request must bring.
        ready: is told the URL once somebody can connect.

    Raises:
        InputInvalid: the address cannot be used, or the certificate.
    """
    with _bound(place) as listening, contextlib.closing(follower):
        port = listening.getsockname()[1]
        hub = Hub(follower)
        app = application(hub, hosts((*HERE, *place.names) if place.is_loopback else place.names, port), token)
        server = uvicorn.Server(_loaded(app, place))
        return asyncio.run(_served(server, hub, listening, lambda: ready(_url(place, port))))


def _loaded(app: ASGIApp, place: Place) -> uvicorn.Config:
    """Return how the application is served; nothing of a proxy's is believed, and nothing of a request is logged."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        log_level="warning",
        server_header=False,
        lifespan="off",
        http="h11",
        ws="none",
        proxy_headers=False,
        timeout_graceful_shutdown=PATIENCE,
        ssl_certfile=place.certificate,
        ssl_keyfile=place.key,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise InputInvalid(
            f"the certificate {place.certificate} and its key {place.key} cannot be used: "
            f"{getattr(error, 'strerror', None) or error}. Both are PEM files, the key is not encrypted, and the "
            "certificate comes with whatever is between it and its root."
        ) from error
    return config


def _url(place: Place, port: int) -> str:
    """Return where a browser finds the board: under its name, which may come with the port of a proxy."""
    host = place.host if place.is_loopback else place.names[0]
    if place.is_loopback and ":" in host:
        host = f"[{host.strip('[]')}]"
    has_port = ":" in host.rpartition("]")[2]
    return f"{'https' if place.certificate else 'http'}://{host}{'' if has_port else f':{port}'}/"


async def _served(server: uvicorn.Server, hub: Hub, listening: socket.socket, ready: Callable[[], None]) -> int:
    loop = asyncio.get_running_loop()
    heard: list[int] = []

    def end() -> None:
        hub.end()
        server.should_exit = True

    def hear(number: int, _frame: object) -> None:
        heard.append(number)
        loop.call_soon_threadsafe(end)

    with _hearing(hear):
        await hub.look()
        looking = asyncio.create_task(hub.run())
        serving = asyncio.create_task(server._serve([listening]))  # serve() would take the signals
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            ready()
        await asyncio.wait({looking, serving}, return_when=asyncio.FIRST_COMPLETED)
        end()
        await serving
        await looking
    return heard[0] if heard else 0


@contextlib.contextmanager
def _hearing(hear: Callable[[int, object], None]) -> Iterator[None]:
    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _bound(place: Place) -> Iterator[socket.socket]:
    try:
        family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
        listening = socket.create_server((place.host.strip("[]"), place.port), family=family, backlog=512)
    except OSError as error:
        busy = error.errno == errno.EADDRINUSE
        remedy = "Another program listens there; name another --port" if busy else "Name another --host or --port"
        raise InputInvalid(
            f"the board cannot listen at {place.host} port {place.port}: {error.strerror or error}. {remedy}."
        ) from error
    with contextlib.closing(listening):
        yield listening
