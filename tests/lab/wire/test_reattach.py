"""Coming back: to a shell of one's own, from another process, to data that did not arrive."""

from __future__ import annotations

import threading

import pytest
import requests
from pypsrp.complex_objects import PSInvocationState, RunspacePoolState
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool

from orchestrator.lab.command import Result
from orchestrator.lab.wire.engine import Kind
from tests.patience import PATIENCE


def from_elsewhere(far, shell: PowerShell, configuration: str = "Microsoft.PowerShell") -> PowerShell:
    """Return the same pipeline as another process would rebuild it, knowing nothing but the two ids.

    The first process is gone for so long that the host takes its session for disconnected.
    """
    far.clock.now += 61
    pool = RunspacePool(far.client(), configuration_name=configuration)
    pool.id = pool.shell.id = shell.runspace_pool.id
    pool.shell.opened, pool._new_client, pool.state = True, True, RunspacePoolState.DISCONNECTED
    again = PowerShell(pool)
    again.id = again._command_id = shell.id
    again.state = PSInvocationState.DISCONNECTED
    pool.pipelines[again.id] = again
    return again


@pytest.fixture
def gate(far):
    """Commands begin, and end when the test says so."""
    go = threading.Event()
    far.engine.does = lambda _: Result(output=("done",)) if go.wait(PATIENCE) else Result()
    yield go
    go.set()


@pytest.mark.parametrize("configuration", ["Microsoft.PowerShell", "DmsaMigration"])
def test_another_process_finds_a_running_pipeline_by_its_ids(far, gate, configuration):
    shell = PowerShell(far.pool(configuration_name=configuration)).add_cmdlet("Slow")
    shell.begin_invoke()
    again = from_elsewhere(far, shell, configuration)
    again.runspace_pool.connect()
    again.connect_async()
    gate.set()
    assert again.end_invoke() == ["done"]
    assert again.state == PSInvocationState.COMPLETED
    assert len(far.engine.seen) == 1
    far.engine.does = lambda _: Result(output=("next",))
    assert far.invoke(("Next", {}), pool=again.runspace_pool).output == ["next"]


def test_what_ended_meanwhile_is_kept(far, gate):
    gate.set()
    shell = PowerShell(far.pool()).add_cmdlet("Slow")
    shell.begin_invoke()
    again = from_elsewhere(far, shell)
    again.runspace_pool.connect()
    assert again.connect() == ["done"]


def test_pools_and_pipelines_can_be_listed(far, gate):
    shell = PowerShell(far.pool()).add_cmdlet("Slow")
    shell.begin_invoke()
    far.clock.now += 61
    (pool,) = RunspacePool.get_runspace_pools(far.client())
    pool.connect()
    (again,) = pool.create_disconnected_power_shells()
    assert again.id == shell.id
    gate.set()
    assert again.connect() == ["done"]


def test_the_same_client_disconnects_and_reconnects(far):
    pool = far.pool()
    pool.disconnect()
    (shown,) = RunspacePool.get_runspace_pools(far.client())
    state = pool.shell._get_shell()["State"]
    assert (shown.id, state) == (pool.id, "Disconnected")
    pool.connect()
    assert pool.shell._get_shell()["State"] == "Connected"
    assert far.invoke(("Get-Thing", {}), pool=pool).state == PSInvocationState.COMPLETED


def test_a_lost_parcel_comes_again_after_a_connect(far):
    far.engine.does = lambda _: Result(output=("done",))
    shell = PowerShell(far.pool()).add_cmdlet("Get-Thing")
    shell.begin_invoke()
    far.engine.strike("Receive", Kind.LOST_REPLY)
    with pytest.raises(requests.exceptions.ConnectionError):
        shell.end_invoke()
    again = from_elsewhere(far, shell)
    again.runspace_pool.connect()
    assert again.connect() == ["done"]


def test_a_lost_parcel_does_not_come_again_without_one(far):
    far.engine.does = lambda _: Result(output=("done",))
    shell = PowerShell(far.pool()).add_cmdlet("Get-Thing")
    shell.begin_invoke()
    far.engine.strike("Receive", Kind.LOST_REPLY)
    with pytest.raises(requests.exceptions.ConnectionError):
        shell.end_invoke()
    with pytest.raises(WSManFaultError) as fault:
        shell.end_invoke()
    assert fault.value.code == 2150858843


def test_a_receive_repeated_word_for_word_is_answered_word_for_word(far, monkeypatch):
    far.engine.does = lambda _: Result(output=("done",))
    client = far.client()
    shell = PowerShell(far.pool(client)).add_cmdlet("Get-Thing")
    shell.begin_invoke()
    sent = []
    real = client.transport.send
    monkeypatch.setattr(
        client.transport, "send", lambda message, **named: sent.append(message) or real(message, **named)
    )
    assert shell.end_invoke() == ["done"]
    first, second = real(sent[-1]), real(sent[-1])
    assert first == second
    assert far.engine.operations.count("Receive") == 3


def test_a_client_that_waits_in_vain_repeats_itself_and_gets_everything(far):
    far.engine.does = lambda _: Result(output=("done",))
    client = far.client(read_timeout=1, operation_timeout=1, reconnection_backoff=0.01)
    shell = PowerShell(far.pool(client)).add_cmdlet("Get-Thing")
    shell.begin_invoke()
    far.engine.strike("Receive", Kind.HANG)
    assert shell.end_invoke() == ["done"]


def test_the_new_client_gets_the_data_and_not_the_old_one_that_still_waits(far, gate):
    shell = PowerShell(far.pool()).add_cmdlet("Slow")
    shell.begin_invoke()
    old = threading.Thread(target=shell.poll_invoke)
    old.start()
    while far.engine.operations[-1] != "Receive":
        gate.wait(0.01)
    again = from_elsewhere(far, shell)
    again.runspace_pool.connect()
    again.connect_async()
    gate.set()
    assert again.end_invoke() == ["done"]
    old.join(PATIENCE)
    assert shell.output == []


def test_damaged_connect_messages_leave_the_shell_usable(far):
    pool = far.pool()
    again = from_elsewhere(far, PowerShell(pool))
    again.runspace_pool._fragmenter.fragment = lambda *_: [b"\x00" * 40]
    with pytest.raises(WSManFaultError) as fault:
        again.runspace_pool.connect()
    assert fault.value.code == 87
    assert far.invoke(("Get-Thing", {}), pool=pool).state == PSInvocationState.COMPLETED
