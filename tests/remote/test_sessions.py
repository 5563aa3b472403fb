"""Sessions that die, are disconnected, or are full: what the transport makes of them, and what it leaves behind."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from orchestrator.lab.wire.auth import Account, Basic
from orchestrator.lab.wire.engine import Kind
from orchestrator.lab.wire.operations import Operation
from orchestrator.lab.wire.shells import Fidelity
from orchestrator.model.call import Read, Write, cmdlet
from orchestrator.model.observation import FaultKind, Outcome
from orchestrator.remote import psrp, session
from orchestrator.remote.connection import Connections
from tests.remote.conftest import HOST, OTHER, PASSWORD, USER

READ = Read(HOST, (cmdlet("Get-Service", Name="ErpApi"),))
WRITE = Write(HOST, cmdlet("Restart-Service", Name="ErpApi", Force=True))
LONG = Read(HOST, (cmdlet("Get-Service", Name=("Erp" * 80,) * 5),) * 200)
"""It takes more than one message."""
DIES = 126


def run(transport, call):
    return transport.run(call, transport.ticket(call.endpoint))


@pytest.fixture
def narrow(serve, estate, dialled, tmp_path):
    """Make a transport to a far side of its own, whose sessions have such limits; returns both."""
    opened = []

    def make(**limits):
        far = serve(Basic({USER: Account(USER, PASSWORD)}), fidelity=Fidelity(**limits))
        side = far.__enter__()
        opened.append(far)
        there = estate.model_copy(update={"addresses": side.addresses})
        connections = Connections(there, tmp_path, {"PW": PASSWORD}.get)
        return side, dialled(connections.settings, crowded_for=0.0)

    yield make
    for far in opened:
        far.__exit__(None, None, None)


def test_a_read_whose_session_idled_to_death_may_be_asked_again_and_the_old_one_is_deleted(far_side, transport):
    first = transport.ticket(HOST)
    transport.run(READ, first)
    far_side.later += DIES
    reply = run(transport, READ)
    assert (reply.again, reply.fault.code) == (True, "shell-died")
    assert run(transport, READ).outcome is Outcome.SUCCEEDED
    assert far_side.requests[-1].shell != first.shell
    assert far_side.discarded == [first.shell]
    assert [ticket.shell for ticket in transport.gone()] == [first.shell]


def test_a_write_whose_session_idled_to_death_is_unknown_and_settled_by_ending_it(far_side, transport):
    run(transport, READ)
    far_side.later += DIES
    far_side.requests.clear()
    ticket = transport.ticket(HOST)
    reply = transport.run(WRITE, ticket)
    assert (reply.outcome, reply.fault.kind, reply.fault.code) == (Outcome.UNKNOWN, FaultKind.UNKNOWN, "shell-died")
    assert far_side.requests == []
    assert transport.discard(HOST, ticket.shell)
    assert far_side.discarded == [ticket.shell]
    assert run(transport, WRITE).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("operation", "outcome"), [(Operation.COMMAND, Outcome.FAILED), (Operation.RECEIVE, Outcome.UNKNOWN)]
)
def test_a_write_in_a_session_that_was_disconnected(far_side, transport, operation, outcome):
    run(transport, READ)
    ticket = transport.ticket(HOST)
    far_side.strikes.append((operation, Kind.DISCONNECTED))
    reply = transport.run(WRITE, ticket)
    assert (reply.outcome, reply.fault.code) == (outcome, "session-disconnected")
    assert run(transport, READ).outcome is Outcome.SUCCEEDED
    assert [command.name for command in far_side.commands].count("Restart-Service") <= (outcome is Outcome.UNKNOWN)
    assert (ticket.shell in far_side.discarded) == (outcome is Outcome.FAILED), "an unknown one is the engine's to end"


@pytest.mark.parametrize("kind", [Kind.DIED, Kind.DISCONNECTED])
@pytest.mark.parametrize("operation", [Operation.COMMAND, Operation.RECEIVE])
def test_a_read_never_travels_in_a_shell_that_was_not_announced(far_side, transport, operation, kind):
    """Who asked takes another ticket, so that the ids of the second shell can be written down as well."""
    run(transport, READ)
    far_side.strikes.append((operation, kind))
    assert run(transport, READ).again
    ticket = transport.ticket(HOST)
    assert transport.run(READ, ticket).outcome is Outcome.SUCCEEDED
    assert far_side.requests[-1].shell == ticket.shell
    transport.close()
    shells = {request.shell for request in far_side.requests} | {*far_side.discarded}
    assert len(far_side.discarded) == len(shells) == 2
    assert {ticket.shell for ticket in transport.gone()} == shells


def test_a_full_shell_is_replaced_and_its_measure_remembered(narrow):
    far, transport = narrow(commands=2)
    outcomes = [run(transport, WRITE).outcome for _ in range(9)]
    assert outcomes.count(Outcome.FAILED) == 1
    assert len(far.requests) == 8
    assert len({request.shell for request in far.requests}) == 4


def test_a_read_that_found_its_shell_full_is_asked_again_and_the_measure_remembered(narrow):
    _, transport = narrow(commands=1)
    assert [run(transport, READ).again for _ in range(5)] == [False, True, False, False, False]


def test_a_spent_quota_of_sessions_means_later_and_is_named(narrow):
    _, transport = narrow(shells=1)
    first, second = transport.ticket(HOST), transport.ticket(HOST)
    transport.run(READ, first)
    reply = transport.run(WRITE, second)
    assert (reply.outcome, reply.fault.kind) == (Outcome.FAILED, FaultKind.TRANSIENT)
    assert "MaxShellsPerUser" in reply.fault.message + reply.fault.remedy
    transport.close()
    assert run(transport, WRITE).outcome is Outcome.SUCCEEDED


def test_half_as_many_sessions_where_there_was_no_room_and_the_others_carry_it(narrow):
    far, transport = narrow(shells=3, taken=1)
    tickets = [transport.ticket(HOST) for _ in range(4)]
    replies = [transport.run(READ, ticket) for ticket in tickets]
    assert [reply.again for reply in replies] == [False, False, True, False], "two fit beside the other tool's"
    assert replies[2].fault.busy
    assert replies[3].outcome is Outcome.SUCCEEDED, "one that was idle made room for it"
    assert far.discarded == [tickets[1].shell] or far.discarded == [tickets[0].shell]
    alive = [transport.ticket(HOST) for _ in range(3)]
    assert [ticket is not None for ticket in alive] == [True, True, False]
    assert [transport.run(READ, ticket).outcome for ticket in alive[:2]] == [Outcome.SUCCEEDED] * 2


def test_where_its_own_old_session_takes_the_room_that_goes_first(narrow):
    far, transport = narrow(shells=1, idle_dies=None)
    first = transport.ticket(HOST)
    transport.run(READ, first)
    transport._endpoints[HOST].idle[0]._last_used -= session.LONGEST_IDLE + 1
    assert run(transport, READ).outcome is Outcome.SUCCEEDED
    assert far.discarded == [first.shell]


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.COMMAND])
@pytest.mark.parametrize("call", [READ, WRITE])
def test_what_was_turned_away_did_not_run_and_is_repeated_later(far_side, transport, operation, call):
    far_side.strikes.append((operation, Kind.BUSY))
    reply = run(transport, call)
    assert (reply.outcome, reply.fault.kind, reply.fault.busy) == (Outcome.FAILED, FaultKind.TRANSIENT, True)
    assert far_side.requests == []
    assert run(transport, call).outcome is Outcome.SUCCEEDED
    assert len(far_side.requests) == 1


@pytest.mark.parametrize("call", [READ, WRITE])
def test_a_session_whose_pipeline_was_turned_away_is_kept(far_side, transport, call):
    """A busy host is not asked for another shell, and for another log-on, instead."""
    first = transport.ticket(HOST)
    transport.run(READ, first)
    for _ in range(3):
        far_side.strikes.append((Operation.COMMAND, Kind.BUSY))
        reply = run(transport, call)
        assert (reply.fault.busy, reply.again) == (True, False), "there is no other that could carry it at once"
    reply = run(transport, call)
    assert (reply.outcome, far_side.requests[-1].shell, far_side.discarded) == (Outcome.SUCCEEDED, first.shell, [])
    assert len(far_side.requests) == 2


def test_another_session_is_asked_before_the_one_that_was_turned_away(narrow):
    far, transport = narrow()
    for ticket in [transport.ticket(HOST) for _ in range(2)]:
        transport.run(READ, ticket)
    turned_away = transport.ticket(HOST)
    far.strikes.append((Operation.COMMAND, Kind.BUSY))
    assert transport.run(READ, turned_away).again
    assert [transport.ticket(HOST).shell == turned_away.shell for _ in range(2)] == [False, True]


def test_one_whose_pipeline_had_begun_to_arrive_is_not(far_side, transport):
    """Its first part was taken, and waits there for the others."""
    first = transport.ticket(HOST)
    far_side.strikes.append((Operation.SEND, Kind.BUSY))
    assert transport.run(LONG, first).fault.busy
    assert run(transport, LONG).outcome is Outcome.SUCCEEDED
    assert far_side.discarded == [first.shell]


@pytest.mark.parametrize("call", [READ, WRITE])
def test_a_pipeline_that_runs_is_asked_again_for_what_it_has_to_say(far_side, transport, call, monkeypatch):
    run(transport, READ)
    far_side.requests.clear()
    monkeypatch.setattr(session, "ASK_AGAIN", 0.001)
    far_side.strikes += [(Operation.RECEIVE, Kind.BUSY)] * 3
    assert run(transport, call).outcome is Outcome.SUCCEEDED
    assert (len(far_side.requests), far_side.strikes) == (1, [])


def test_a_session_that_came_into_being_is_not_taken_for_gone(far_side, transport):
    """The shell was made, and there was no room for the question how it is: it is deleted before the next is made."""
    far_side.strikes.append((Operation.RECEIVE, Kind.BUSY))
    ticket = transport.ticket(HOST)
    assert transport.run(READ, ticket).fault.busy
    assert transport.gone() == []
    assert run(transport, READ).outcome is Outcome.SUCCEEDED
    assert far_side.discarded == [ticket.shell]
    assert [each.shell for each in transport.gone()] == [ticket.shell]


@pytest.mark.parametrize("call", [READ, WRITE])
def test_a_session_that_came_into_being_is_not_made_again_where_an_older_one_is_left(far_side, transport, call):
    """Its own is what would be refused then: there is a shell of that id already."""
    made = []
    for _ in range(2):
        far_side.strikes.append((Operation.RECEIVE, Kind.BUSY))
        made.append(transport.ticket(HOST))
        assert transport.run(call, made[-1]).fault.busy
    assert transport.gone() == []
    assert run(transport, call).outcome is Outcome.SUCCEEDED
    assert {*far_side.discarded} == {ticket.shell for ticket in made}


def test_a_message_that_the_host_takes_for_too_large_is_for_a_person(narrow):
    far, transport = narrow(envelope=40 * 1024)
    large = replace(READ, statements=READ.statements * 60)
    reply = run(transport, large)
    assert (reply.outcome, reply.fault.kind, reply.fault.code) == (
        Outcome.FAILED,
        FaultKind.PERMANENT,
        "request-too-large",
    )
    assert "MaxEnvelopeSizekb" in reply.fault.remedy
    assert far.requests == []
    assert run(transport, READ).outcome is Outcome.SUCCEEDED


def test_a_host_that_hangs_does_not_keep_the_others_from_being_closed(far_side, transport, monkeypatch):
    """All sessions are closed at once, and the hosts that answer are not made to wait for the one that does not."""
    hangs, goes_on = threading.Event(), threading.Event()
    delete = session.delete_shell

    def deleted(wsman, configuration, shell):
        if shell == first.shell:
            hangs.set()
            assert goes_on.wait(60)
        return delete(wsman, configuration, shell)

    first, second = transport.ticket(HOST), transport.ticket(OTHER)
    transport.run(READ, first)
    transport.run(replace(READ, endpoint=OTHER), second)
    monkeypatch.setattr(session, "delete_shell", deleted)
    monkeypatch.setattr(psrp, "CLOSING_TAKES", 0.5)
    transport.close()
    try:
        assert hangs.is_set()
        assert first.shell not in {ticket.shell for ticket in transport.gone()}
    finally:
        goes_on.set()
    for thread in threading.enumerate():
        if thread.name == "closing":
            thread.join(60)
    assert {first.shell, second.shell} <= {*far_side.discarded}
