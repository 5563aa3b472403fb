"""How long a session lives, whose it is, and how much of everything there may be."""

from __future__ import annotations

import threading

import pytest
import requests
from pypsrp.complex_objects import PSInvocationState, RunspacePoolState
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import SelectorSet

from orchestrator.lab.command import Result
from orchestrator.lab.wire.engine import Kind
from orchestrator.lab.wire.shells import Fidelity
from tests.lab.wire.conftest import Scripted
from tests.patience import PATIENCE

DISCONNECTED, STREAM_DISCONNECTED, ELSEWHERE, UNKNOWN = 2150859204, 2150859230, 2150859213, 2150858843
SHELLS, USERS, COMMANDS, TOO_LARGE, TOO_SMALL = 2150859173, 2150859179, 2150859241, 2150858805, 2150858878


@pytest.fixture
def far_with(opened_wire, tmp_path):
    """What opens a wire with a fidelity of the test's own."""
    return lambda **fidelity: opened_wire(Scripted(), tmp_path, fidelity=Fidelity(**fidelity))


def fault_of(work) -> int:
    with pytest.raises(WSManFaultError) as fault:
        work()
    return fault.value.code


def is_dead(work) -> bool:
    """Say that *work* met HTTP 400 with an empty body; anything else fails the test."""
    with pytest.raises(WinRMTransportError) as answer:
        work()
    return (answer.value.code, answer.value.response_text) == (400, "")


def listed(far) -> list[RunspacePool]:
    return RunspacePool.get_runspace_pools(far.client())


def state(pool: RunspacePool) -> str:
    return pool.shell._get_shell()["State"]


def delete(client, pool: RunspacePool) -> None:
    named = SelectorSet()
    named.add_option("ShellId", pool.id)
    client.delete(pool.shell.resource_uri, selector_set=named)


def ask(far, pool: RunspacePool) -> PowerShell:
    return far.invoke(("Get-Thing", {}), pool=pool)


def test_a_session_without_traffic_shows_disconnected_and_comes_back_with_it(far):
    pool = far.pool()
    far.clock.now += 60
    assert state(pool) == "Connected"
    far.clock.now += 1
    assert state(pool) == "Disconnected"
    assert ask(far, pool).state == PSInvocationState.COMPLETED
    assert state(pool) == "Connected"


def test_a_connected_session_is_busy_and_a_disconnected_one_changes_hands(far):
    pool = far.pool()
    (other,) = listed(far)
    assert fault_of(other.connect) == ELSEWHERE
    assert ask(far, pool).state == PSInvocationState.COMPLETED
    pool.disconnect()
    other.connect()
    assert ask(far, other).state == PSInvocationState.COMPLETED
    assert fault_of(pool.connect) == ELSEWHERE


def test_a_busy_session_can_be_deleted_by_another_client(far):
    pool = far.pool()
    delete(far.client(), pool)
    assert fault_of(lambda: ask(far, pool)) == UNKNOWN


def test_whether_sessions_are_busy_can_be_had_both_ways(far_with):
    with far_with(busy=False) as far:
        far.pool()
        (other,) = listed(far)
        other.connect()
        assert ask(far, other).state == PSInvocationState.COMPLETED


def test_a_session_that_idled_to_death_is_dead_to_its_client_and_nobody_else(far):
    pool = far.pool()
    far.clock.now += 126
    assert is_dead(lambda: ask(far, pool))
    assert is_dead(lambda: state(pool))
    assert far.engine.seen == []
    (other,) = listed(far)
    other.connect()
    assert ask(far, other).state == PSInvocationState.COMPLETED
    delete(far.client(), other)
    assert far.engine.discarded


def test_death_is_not_healed_by_asking_again(far):
    pool = far.pool()
    far.clock.now += 126
    for _ in range(3):
        assert is_dead(lambda: ask(far, pool))


def test_a_dead_session_may_answer_nobody_until_the_host_deletes_it(far_with):
    with far_with(dead_to_everyone=True) as far:
        pool = far.pool(idle_timeout=900)
        far.clock.now += 126
        assert is_dead(lambda: delete(far.client(), pool))
        assert far.engine.discarded == []
        far.clock.now += 900
        assert fault_of(lambda: delete(far.client(), pool)) == UNKNOWN
        assert len(far.engine.discarded) == 1


def test_traffic_keeps_a_session_alive(far):
    pool = far.pool()
    for _ in range(5):
        far.clock.now += 100
        assert ask(far, pool).state == PSInvocationState.COMPLETED


def test_idle_times_can_be_switched_off(far_with):
    with far_with(idle_disconnects=None, idle_dies=None) as far:
        pool = far.pool()
        far.clock.now += 7000
        assert state(pool) == "Connected"
        assert ask(far, pool).state == PSInvocationState.COMPLETED


def test_a_host_deletes_a_session_after_its_idle_timeout(far_with):
    with far_with(idle_dies=None, shells=1) as far:
        pool = far.pool(idle_timeout=900)
        far.clock.now += 900
        assert fault_of(far.pool) == SHELLS
        assert len(listed(far)) == 1
        far.clock.now += 901
        assert listed(far) == []
        assert far.engine.discarded
        assert fault_of(lambda: ask(far, pool)) == UNKNOWN
        assert far.pool().state == RunspacePoolState.OPENED


def test_a_disconnected_session_refuses_pipelines_until_it_is_reconnected(far):
    pool = far.pool()
    pool.disconnect()
    pool.state = RunspacePoolState.OPENED  # what a client believes that was not told
    assert fault_of(lambda: ask(far, pool)) == DISCONNECTED
    pool.state = RunspacePoolState.DISCONNECTED
    pool.connect()
    assert ask(far, pool).state == PSInvocationState.COMPLETED
    assert len(far.engine.seen) == 1


def test_a_receive_that_waits_ends_when_its_session_is_disconnected(far):
    go = threading.Event()
    far.engine.does = lambda _: Result(output=("done",)) if go.wait(PATIENCE) else Result()
    pool = far.pool()
    shell = PowerShell(pool).add_cmdlet("Slow")
    shell.begin_invoke()
    codes: list[int] = []
    waiting = threading.Thread(target=lambda: codes.append(fault_of(shell.poll_invoke)))
    waiting.start()
    while far.engine.operations[-1] != "Receive":
        go.wait(0.01)
    disconnecting = RunspacePool(far.client())
    disconnecting.id = disconnecting.shell.id = pool.id
    disconnecting.shell.opened, disconnecting.state = True, RunspacePoolState.OPENED
    disconnecting.shell._selector_set = pool.shell._selector_set
    disconnecting.disconnect()
    waiting.join(PATIENCE)
    go.set()
    assert codes == [STREAM_DISCONNECTED]


@pytest.mark.parametrize(("kind", "code"), [(Kind.DIED, 400), (Kind.DISCONNECTED, DISCONNECTED)])
def test_weather_kills_or_disconnects_the_session_that_a_message_names(far, kind, code):
    pool = far.pool()
    far.engine.strike("Command", kind)
    for _ in range(2):
        with pytest.raises(WinRMTransportError if kind is Kind.DIED else WSManFaultError) as met:
            ask(far, pool)
        assert met.value.code == code
    assert far.engine.seen == []
    assert far.pool().state == RunspacePoolState.OPENED


def test_so_many_users_may_have_sessions(far_with):
    with far_with(users=1) as far:
        pool, other = far.pool(), far.client(username="other")
        assert fault_of(lambda: far.pool(other)) == USERS
        assert far.pool().state == RunspacePoolState.OPENED
        for each in listed(far):
            delete(far.client(), each)
        assert pool.id not in {each.id for each in listed(far)}
        assert far.pool(other).state == RunspacePoolState.OPENED


def test_a_shell_knows_so_many_pipelines(far_with):
    with far_with(commands=2, shells=1) as far:
        pool = far.pool()
        first = ask(far, pool)
        ask(far, pool)
        assert fault_of(lambda: ask(far, pool)) == COMMANDS
        assert fault_of(far.pool) == SHELLS
        first.close()
        assert ask(far, pool).state == PSInvocationState.COMPLETED
        assert len(far.engine.seen) == 3


def test_a_request_may_be_so_large(far_with):
    with far_with(envelope=40 * 1024) as far:
        pool = far.pool()
        assert fault_of(lambda: far.invoke(("Set-Thing", {"Text": "x" * 50_000}), pool=pool)) == TOO_LARGE
        assert far.engine.seen == []
        assert ask(far, pool).state == PSInvocationState.COMPLETED


def test_a_reply_is_no_larger_than_the_service_allows(far_with):
    with far_with(envelope=40 * 1024) as far:
        far.engine.does = lambda _: Result(output=("y" * 100_000, "z"))
        sizes = []
        client = far.client()
        real = client.transport.send
        client.transport.send = lambda *given, **named: (answer := real(*given, **named), sizes.append(len(answer)))[0]
        assert far.invoke(("Get-Thing", {}), pool=far.pool(client)).output == ["y" * 100_000, "z"]
        assert max(sizes) <= 50 * 1024


def test_a_client_must_take_replies_of_eight_kilobytes(far):
    client = far.client(max_envelope_size=8191)
    assert fault_of(lambda: far.pool(client)) == TOO_SMALL


@pytest.mark.parametrize(("redeliver", "expected"), [(True, ["done"]), (False, [])])
def test_whether_a_connect_brings_the_last_parcel_again_can_be_had_both_ways(far_with, redeliver, expected):
    with far_with(redeliver=redeliver, busy=False) as far:
        far.engine.does = lambda _: Result(output=("done",))
        shell = PowerShell(far.pool()).add_cmdlet("Get-Thing")
        shell.begin_invoke()
        far.engine.strike("Receive", Kind.LOST_REPLY)
        with pytest.raises(requests.exceptions.ConnectionError):
            shell.end_invoke()
        (pool,) = listed(far)
        pool.connect()
        (again,) = pool.create_disconnected_power_shells()
        again.connect_async()
        again.poll_invoke()
        assert again.output == expected
