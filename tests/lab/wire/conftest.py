"""A wire with a scripted engine behind it, and the unmodified pypsrp client in front."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from orchestrator.lab.command import Request, Result
from orchestrator.lab.jea import Entry
from orchestrator.lab.wire.auth import Account, Basic
from orchestrator.lab.wire.engine import Endpoint, Fault, Kind
from orchestrator.lab.wire.operations import Operation
from orchestrator.lab.wire.server import Server
from orchestrator.lab.wire.shells import Fidelity
from tests.patience import PATIENCE

HOST, OTHER = "dc01.corp.example", "app01.corp.example"
BOOT = datetime(2026, 1, 1, tzinfo=UTC)
PASSWORD = "Correct horse: battery-staple"


@dataclass
class Scripted:
    """An engine that does what the test says, and remembers what it saw."""

    does: Callable[[Request], Result] = lambda _: Result()
    strikes: list[tuple[Operation, Fault]] = field(default_factory=list)
    seen: list[Request] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    booted: dict[str, datetime | None] = field(default_factory=lambda: {HOST: BOOT, OTHER: BOOT})
    discarded: list[UUID] = field(default_factory=list)
    open_calls: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def endpoints(self) -> dict[str, Endpoint]:
        return {HOST: Endpoint("127.77.0.1"), OTHER: Endpoint("127.77.0.2")}

    def boots(self) -> dict[str, datetime | None]:
        return dict(self.booted)

    def entry(self, _host: str, _configuration: str, _principal: str) -> Entry:
        return Entry.OPEN

    def fault(self, _host: str, operation: Operation, _request: Request | None) -> Fault | None:
        self.operations.append(operation)
        for strike in self.strikes:
            if strike[0] == operation:
                self.strikes.remove(strike)
                return strike[1]
        return None

    @contextmanager
    def open_call(self) -> Iterator[None]:
        with self._lock:
            self.open_calls += 1
        try:
            yield
        finally:
            with self._lock:
                self.open_calls -= 1

    def discard(self, shell: UUID) -> None:
        self.discarded.append(shell)

    def strike(self, operation: Operation, kind: Kind, delay: float = 0.0) -> None:
        """Let *kind* befall the next request of this operation."""
        self.strikes.append((operation, Fault(kind, delay)))

    def execute(self, request: Request) -> Result:
        with self._lock:
            self.seen.append(request)
        return self.does(request)


class Running:
    """A server on a thread of its own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.do(server.__aenter__())

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def close(self) -> None:
        self.do(self.server.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass
class Hands:
    """A clock that goes on when the test says so."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Wire:
    """Everything a test needs: the engine, the running server and ways to reach it."""

    engine: Scripted
    running: Running
    ca: str
    clock: Hands
    clients: list[WSMan] = field(default_factory=list)

    def client(self, host: str = HOST, **changes) -> WSMan:
        server = self.running.server
        listening = server.addresses if changes.get("ssl", True) else server.http_addresses
        address, port = listening[host].split(":")
        options = {
            "port": int(port),
            "username": "operator",
            "password": PASSWORD,
            "auth": "basic",
            "cert_validation": self.ca,
            "read_timeout": PATIENCE,
            "operation_timeout": 4,
        }
        client = WSMan(address, **(options | changes))
        self.clients.append(client)
        return client

    def pool(self, client: WSMan | None = None, **changes) -> RunspacePool:
        pool = RunspacePool(client or self.client(), **changes)
        pool.open()
        return pool

    def invoke(self, *statements: tuple[str, dict[str, object]], pool: RunspacePool | None = None) -> PowerShell:
        shell = PowerShell(pool or self.pool())
        for name, parameters in statements:
            if shell.commands:
                shell.add_statement()
            shell.add_cmdlet(name).add_parameters(parameters)
        shell.invoke()
        return shell


@contextmanager
def wire(engine: Scripted, folder, *schemes, **options) -> Iterator[Wire]:
    accounts = {
        "operator": Account("CORP\\operator", PASSWORD),
        "other": Account("CORP\\other", PASSWORD),
    }
    clock = Hands()
    running = Running(Server(engine, *(schemes or (Basic(accounts),)), monotonic=clock, **options))
    ca = folder / "ca.pem"
    ca.write_bytes(running.server.ca)
    opened = Wire(engine, running, str(ca), clock)
    try:
        yield opened
    finally:
        for client in opened.clients:
            client.close()
        running.close()


@pytest.fixture
def opened_wire():
    """What opens a wire with an engine of the test's own."""
    return wire


@pytest.fixture
def far(tmp_path) -> Iterator[Wire]:
    """A wire whose engine answers nothing until the test says what."""
    with wire(Scripted(), tmp_path, fidelity=Fidelity(shells=5)) as opened:
        yield opened
