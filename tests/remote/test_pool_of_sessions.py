"""When a host that has a session gets another. The transport's clock is the test's."""

from __future__ import annotations

import pytest

from orchestrator.model.call import Read, cmdlet
from tests.remote.conftest import HOST

READ = Read(HOST, (cmdlet("Get-Service", Name="ErpApi"),))


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def ask(connections, dialled, now):
    transport = dialled(connections.settings, clock=lambda: now[0])

    def ask(after=0.0):
        now[0] += after
        return transport.ticket(HOST)

    ask.transport = transport
    return ask


def test_one_after_the_other_they_share_one_session(ask):
    shells = set()
    for _ in range(20):
        ticket = ask(0.1)
        assert ask() is None
        ask.transport.run(READ, ticket)
        shells.add(ticket.shell)
    assert len(shells) == 1


def test_who_has_asked_in_vain_for_two_seconds_gets_another(ask):
    ask()
    assert [ask(0.25) for _ in range(8)] == [None] * 8
    assert ask(0.25) is not None


def test_and_the_next_one_after_two_more(ask):
    ask()
    shells = {ticket.shell for ticket in (ask(0.25) for _ in range(60)) if ticket}
    assert len(shells) == 3  # and the first; never more than four
    assert [bool(ask(0.25)) for _ in range(20)] == [False] * 20


def test_who_asks_now_and_then_is_no_crowd(ask):
    ask()
    assert [ask(0.6) for _ in range(20)] == [None] * 20


def test_another_host_has_its_own(ask):
    ask()
    assert ask.transport.ticket("app02.corp.example") is not None
