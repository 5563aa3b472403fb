"""A far side for the transport's tests: the lab's wire, with hosts that answer what a test tells them to."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from orchestrator.lab.command import Command, LabObject, Request, Result
from orchestrator.lab.jea import Entry
from orchestrator.lab.wire.auth import Account, Basic, Scheme
from orchestrator.lab.wire.certificates import Authority
from orchestrator.lab.wire.engine import Endpoint, Fault, Kind
from orchestrator.lab.wire.operations import Operation
from orchestrator.lab.wire.server import Server
from orchestrator.model.plan import Connection, Estate, Tls
from orchestrator.remote.connection import Connections
from orchestrator.remote.psrp import PsrpTransport
from tests.patience import PATIENCE

HOST = "app01.corp.example"
OTHER = "app02.corp.example"
USER, PASSWORD = "CORP\\runner", "correct horse"


@dataclass
class FarSide:
    """What stands behind the wire; it remembers everything that arrived."""

    addresses: dict[str, str] = field(default_factory=dict)
    http_addresses: dict[str, str] = field(default_factory=dict)
    authority: Authority | None = None
    ca: Path = Path()
    requests: list[Request] = field(default_factory=list)
    operations: list[tuple[str, str]] = field(default_factory=list)
    discarded: list[UUID] = field(default_factory=list)
    strikes: list[tuple[Operation, Kind]] = field(default_factory=list)
    """Weather to come: the next request of that operation is struck, once."""
    answer: Callable[[Command], Result] = lambda command: Result((command.name,))
    hold: threading.Event | None = None
    later: float = 0.0
    """Seconds by which the hosts' clocks for idle sessions are ahead of real time."""

    def endpoints(self) -> dict[str, Endpoint]:
        return {HOST: Endpoint("127.77.9.1"), OTHER: Endpoint("127.77.9.2")}

    def boots(self) -> dict[str, datetime | None]:
        return dict.fromkeys((HOST, OTHER), datetime(2026, 1, 1, tzinfo=UTC))

    def entry(self, _host: str, _configuration: str, _principal: str) -> Entry:
        return Entry.OPEN

    def fault(self, host: str, operation: Operation, request: Request | None) -> Fault | None:
        if operation is not Operation.COMMAND or request is not None:
            self.operations.append((host, operation.value))
        for strike in self.strikes:
            if strike[0] is operation and (operation is not Operation.COMMAND or request is not None):
                self.strikes.remove(strike)
                return Fault(strike[1])
        return None

    def open_call(self) -> AbstractContextManager[None]:
        return nullcontext()

    def execute(self, request: Request) -> Result:
        self.requests.append(request)
        if self.hold is not None:
            assert self.hold.wait(PATIENCE)
        results = [self.answer(pipeline[-1]) for pipeline in request.statements]
        failure = next((result.failure for result in results if result.failure), None)
        return Result(
            tuple(item for result in results for item in result.output),
            tuple(error for result in results for error in result.errors),
            failure,
        )

    def discard(self, shell: UUID) -> None:
        self.discarded.append(shell)

    @property
    def commands(self) -> list[Command]:
        """Every command that arrived, in order."""
        return [command for request in self.requests for pipeline in request.statements for command in pipeline]


def service(name: str, state: str = "Running") -> LabObject:
    """Return a service as CIM gives it."""
    kind = "Microsoft.Management.Infrastructure.CimInstance#root/cimv2/Win32_Service"
    return LabObject((kind,), {"Name": name, "State": state})


@contextmanager
def serving(folder: Path, *schemes: Scheme, **options: Any) -> Iterator[FarSide]:
    """Run a server on its own loop, in its own thread."""
    far = FarSide()
    started = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        running.append((asyncio.get_running_loop(), stop))
        clock = {"monotonic": lambda: time.monotonic() + far.later}
        async with Server(far, *schemes, **clock, **options) as server:
            far.addresses, far.http_addresses, far.authority = server.addresses, server.http_addresses, server.authority
            far.ca = folder / "ca.pem"
            far.ca.write_bytes(server.ca)
            started.set()
            await stop.wait()
        for _ in range(5):  # let the loop close the connections that the server cut
            await asyncio.sleep(0)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(PATIENCE)
    try:
        yield far
    finally:
        ((loop, stop),) = running
        loop.call_soon_threadsafe(stop.set)
        thread.join(PATIENCE)


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., AbstractContextManager[FarSide]]:
    """What runs a server that logs callers on by the schemes it is given."""
    return partial(serving, tmp_path)


@pytest.fixture
def far_side(tmp_path: Path) -> Iterator[FarSide]:
    """A server that takes a name and a password."""
    with serving(tmp_path, Basic({USER: Account(USER, PASSWORD)})) as far:
        yield far


@pytest.fixture
def estate(far_side: FarSide) -> Estate:
    """The estate of a plan that reaches the far side."""
    connection = Connection(
        match="*.corp.example",
        auth="basic",
        username=USER,
        password="${env:PW}",
        tls=Tls(ca=str(far_side.ca)),
        timeout="60s",
    )
    return Estate(domain="corp.example", addresses=far_side.addresses, connections=(connection,))


@pytest.fixture
def connections(estate: Estate, tmp_path: Path) -> Connections:
    return Connections(estate, tmp_path, {"PW": PASSWORD}.get)


@pytest.fixture
def dialled() -> Iterator[Callable[..., PsrpTransport]]:
    """Make transports that are closed with the test."""
    with ExitStack() as stack:

        def make(*arguments: object, **options: object) -> PsrpTransport:
            transport = PsrpTransport(*arguments, **options)
            stack.callback(transport.close)
            return transport

        yield make


@pytest.fixture
def transport(connections: Connections, dialled: Callable[..., PsrpTransport]) -> PsrpTransport:
    return dialled(connections.settings)
