"""Requests that get lost, replies that get lost, endpoints that refuse, and machines that go down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool

from orchestrator.lab.command import Result
from orchestrator.lab.wire.engine import Kind

HOST = "dc01.corp.example"
LOST = requests.exceptions.ConnectionError


def begun(far) -> PowerShell:
    return PowerShell(far.pool()).add_cmdlet("Set-ADUser")


def test_a_lost_command_never_ran(far):
    shell = begun(far)
    far.engine.strike("Command", Kind.LOST_REQUEST)
    with pytest.raises(LOST) as lost:
        shell.begin_invoke()
    assert not isinstance(lost.value, requests.exceptions.SSLError)
    assert far.engine.seen == []
    (pool,) = RunspacePool.get_runspace_pools(far.client())
    assert pool.pipelines == {}


def test_a_command_whose_reply_was_lost_ran_before_the_connection_broke(far):
    far.engine.does = lambda _: Result(output=("done",))
    shell = begun(far)
    far.engine.strike("Command", Kind.LOST_REPLY)
    with pytest.raises(LOST) as lost:
        shell.begin_invoke()
    assert not isinstance(lost.value, requests.exceptions.SSLError)
    assert len(far.engine.seen) == 1
    far.clock.now += 61
    (pool,) = RunspacePool.get_runspace_pools(far.client())
    assert list(pool.pipelines) == [shell.id]
    pool.connect()
    (again,) = pool.create_disconnected_power_shells()
    assert again.connect() == ["done"]


def test_a_lost_create_leaves_an_orphan_only_if_it_was_the_reply(far):
    for kind, left in ((Kind.LOST_REQUEST, 0), (Kind.LOST_REPLY, 1)):
        far.engine.strike("Create", kind)
        with pytest.raises(LOST):
            far.pool()
        assert len(RunspacePool.get_runspace_pools(far.client())) == left


def test_a_lost_delete_reply_leaves_nothing(far):
    pool = far.pool()
    far.engine.strike("Delete", Kind.LOST_REPLY)
    with pytest.raises(LOST):
        pool.close()
    assert RunspacePool.get_runspace_pools(far.client()) == []


def test_an_unavailable_service_says_so_and_did_nothing(far):
    shell = begun(far)
    far.engine.strike("Command", Kind.UNAVAILABLE)
    with pytest.raises(WinRMTransportError) as refused:
        shell.begin_invoke()
    assert (refused.value.code, far.engine.seen) == (503, [])


@pytest.mark.parametrize(("kind", "code"), [(Kind.DENIED, 5), (Kind.BUSY, 2150859174)])
def test_a_refusal_is_a_fault_and_nothing_ran(far, kind, code):
    shell = begun(far)
    far.engine.strike("Command", kind)
    with pytest.raises(WSManFaultError) as fault:
        shell.begin_invoke()
    assert (fault.value.code, far.engine.seen) == (code, [])
    assert far.invoke(("Get-ADUser", {}), pool=shell.runspace_pool).state == PSInvocationState.COMPLETED


def test_a_slow_command_is_carried_out_at_once_and_counts_as_open_until_it_is_answered(far):
    shell = begun(far)
    far.engine.strike("Command", Kind.SLOW, 0.5)
    shell.begin_invoke()
    with pytest.raises(WSManFaultError):
        shell.runspace_pool.connection.receive("x", None)
    assert (len(far.engine.seen), far.engine.open_calls) == (1, 1)
    shell.end_invoke()
    assert far.engine.open_calls == 0


def test_the_fault_of_a_command_is_asked_for_with_its_request(far):
    asked = []
    plain = far.engine.fault
    far.engine.fault = lambda host, operation, request: (
        asked.append((operation, request)) or plain(host, operation, request)
    )
    far.invoke(("Get-ADUser", {"Identity": "x" * 400_000}))
    with_request = [(operation, request.statements[0][0].name) for operation, request in asked if request]
    assert with_request == [("Send", "Get-ADUser"), ("Receive", "Get-ADUser")]


def go_down(far) -> None:
    """Let the next command take its own host down."""

    def work(_):
        far.engine.booted[HOST] = None
        return Result(output=("going down",))

    far.engine.does = work


def come_up(far, *, reboots: bool) -> None:
    """Let the host be up again by the end of a command on the other one."""
    far.engine.booted[HOST] = datetime(2026, 1, 1, reboots, tzinfo=UTC)
    far.engine.does = lambda _: Result()
    far.invoke(("Get-ADRootDSE", {}), pool=far.pool(far.client("app01.corp.example")))


@pytest.mark.parametrize("reboots", [True, False])
def test_a_host_that_goes_down_says_its_last_words_and_answers_nothing_more(far, reboots):
    where = far.running.server.addresses
    pool = far.pool()
    go_down(far)
    shell = far.invoke(("Restart-Computer", {"Force": True}), pool=pool)
    assert shell.output == ["going down"]
    with pytest.raises(LOST):
        far.invoke(("Get-Service", {}), pool=pool)
    with pytest.raises(LOST) as refused:
        far.pool()
    assert "Connection refused" in str(refused.value)
    assert len(far.engine.seen) == 1

    come_up(far, reboots=reboots)
    assert far.running.server.addresses == where
    if reboots:
        with pytest.raises(WSManFaultError) as fault:
            far.invoke(("Get-Service", {}), pool=pool)
        assert fault.value.code == 2150858843
    assert far.invoke(("Get-Service", {}), pool=far.pool() if reboots else pool).state == PSInvocationState.COMPLETED
