"""Every operation of WSMan, and everything that may befall it: what its client sees, and whether it was done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import pytest
import requests
from pypsrp.complex_objects import RunspacePoolState
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import SignalCode
from pypsrp.wsman import SelectorSet

from orchestrator.lab.command import Request, Result
from orchestrator.lab.estate.weather_spec import OperationName
from orchestrator.lab.wire.engine import Kind
from orchestrator.lab.wire.operations import Operation
from tests.patience import PATIENCE

LOST = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)
LATE = requests.exceptions.ReadTimeout
SEEN = {
    Kind.LOST_REQUEST: (LOST, False),
    Kind.LOST_REPLY: (LOST, True),
    Kind.RESET: (LOST, True),
    Kind.HANG: (LATE, True),
    Kind.SILENCE: (LATE, False),
    Kind.UNAVAILABLE: (WinRMTransportError, False),
    Kind.DENIED: (WSManFaultError, False),
    Kind.BUSY: (WSManFaultError, False),
}
"""What a client meets, and whether its message took effect."""


@dataclass
class Scene:
    """A client with one open pool and, in it, one pipeline that runs until it is told to end."""

    far: object
    pool: RunspacePool
    shell: PowerShell
    go: threading.Event

    def pools(self) -> list[RunspacePool]:
        return RunspacePool.get_runspace_pools(self.far.client())

    def state(self) -> str:
        named = SelectorSet()
        named.add_option("ShellId", self.pool.id)
        asked = self.far.client().get("http://schemas.microsoft.com/wbem/wsman/1/windows/shell", selector_set=named)
        return next(each.text for each in asked.iter() if each.tag.endswith("}State"))

    def fetched(self) -> bool:
        """Say whether the pipeline's output has left: what a client did not get, it does not get by asking anew."""
        self.pool.connection.transport.read_timeout = PATIENCE
        try:
            self.shell.poll_invoke()
        except WSManFaultError:
            return True
        return False

    def comes_true(self, what: Callable[[], bool]) -> None:
        """Wait for what the other side does without saying so."""
        deadline = time.monotonic() + PATIENCE
        while not what() and time.monotonic() < deadline:
            self.go.wait(0.01)

    def send_larger(self) -> None:
        PowerShell(self.pool).add_cmdlet("Set-Thing").add_parameter("Text", "x" * 600_000).begin_invoke()


def patience(kind: Kind) -> float:
    """Return how long a client waits. A hang ends with that; it must not before the message was read."""
    return {Kind.HANG: 2, Kind.SILENCE: 0.3}.get(kind, PATIENCE)


Act = Callable[[Scene], object]
ACTS: dict[Operation, tuple[Act | None, Act, Callable[[Scene], bool]]] = {
    # what comes before, the act, and whether it took effect
    Operation.CREATE: (None, lambda s: RunspacePool(s.pool.connection).open(), lambda s: len(s.pools()) == 2),
    Operation.COMMAND: (
        None,
        lambda s: PowerShell(s.pool).add_cmdlet("Get-Thing").begin_invoke(),
        lambda s: len(s.far.engine.seen) == 2,
    ),
    Operation.SEND: (None, Scene.send_larger, lambda s: len(s.far.engine.seen) == 2),
    Operation.RECEIVE: (lambda s: s.go.set(), lambda s: s.shell.poll_invoke(), Scene.fetched),
    Operation.SIGNAL: (
        None,
        lambda s: s.pool.shell.signal(SignalCode.TERMINATE, s.shell.id),
        lambda s: not s.pools()[0].pipelines,
    ),
    Operation.DELETE: (None, lambda s: s.pool.close(), lambda s: not s.pools()),
    Operation.DISCONNECT: (None, lambda s: s.pool.disconnect(), lambda s: s.state() == "Disconnected"),
    Operation.RECONNECT: (
        lambda s: s.pool.disconnect(),
        lambda s: s.pool.connect(),
        lambda s: s.state() == "Connected",
    ),
}


@pytest.fixture
def scene(far):
    go = threading.Event()

    def work(request: Request) -> Result:
        if request.statements[0][0].name == "Slow":
            assert go.wait(PATIENCE)
        return Result(output=("done",))

    far.engine.does = work
    client = far.client(operation_timeout=1)
    pool = far.pool(client)
    shell = PowerShell(pool).add_cmdlet("Slow")
    shell.begin_invoke()
    yield Scene(far, pool, shell, go)
    go.set()


@pytest.mark.parametrize("kind", SEEN)
@pytest.mark.parametrize("operation", ACTS)
def test_it_befalls_this_operation(scene, operation, kind):
    before, act, took_effect = ACTS[operation]
    if before is not None:
        before(scene)
    scene.far.engine.strike(operation, kind)
    scene.pool.connection.transport.read_timeout = patience(kind)
    error, done = SEEN[kind]
    if operation in REPEATED and error is LATE:
        act(scene)
        assert scene.shell.output == ["done"]
        return
    with pytest.raises(error):
        act(scene)
    if error is LATE:  # the client no longer waited for the other side, which may be slower than it
        scene.comes_true(lambda: scene.far.engine.strikes == [] and took_effect(scene) is done)
    assert scene.far.engine.strikes == []
    assert took_effect(scene) is done


REPEATED = frozenset({Operation.RECEIVE})
"""What pypsrp repeats word for word when it waited in vain, and then gets."""


@pytest.mark.parametrize("kind", SEEN)
def test_it_befalls_an_enumeration(scene, kind):
    client = scene.far.client(read_timeout=patience(kind))
    scene.far.engine.strike(Operation.ENUMERATE, kind)
    with pytest.raises(SEEN[kind][0]):
        RunspacePool.get_runspace_pools(client)
    assert len(scene.pools()) == 1


@pytest.mark.parametrize("kind", SEEN)
def test_it_befalls_a_connect(scene, kind):
    scene.far.clock.now += 61
    (pool,) = RunspacePool.get_runspace_pools(scene.far.client())
    pool.connection.transport.read_timeout = patience(kind)
    scene.far.engine.strike(Operation.CONNECT, kind)
    error, done = SEEN[kind]
    with pytest.raises(error):
        pool.connect()
    if error is LATE:
        scene.comes_true(lambda: scene.far.engine.strikes == [] and (scene.state() == "Connected") is done)
    assert (scene.state() == "Connected") is done
    assert pool.state != RunspacePoolState.OPENED


def test_the_estate_file_names_the_operations_of_the_wire():
    assert {*get_args(OperationName), "Identify"} == set(Operation)
