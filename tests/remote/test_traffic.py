"""Many hosts at once, some of which hang: connections that nobody answers, beside a lab that does."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from orchestrator.model.call import Read, cmdlet
from orchestrator.model.observation import Outcome
from orchestrator.remote.connection import Connections
from orchestrator.remote.places import LATE
from orchestrator.remote.pool import CallPool
from orchestrator.remote.traffic import Manners, Traffic
from tests.patience import PATIENCE
from tests.remote.conftest import HOST, OTHER, PASSWORD

DC = OTHER
"""The domain controller of these tests; only its name says so."""
HANGING = [f"hangs{number:02}.corp.example" for number in range(40)]
STATEMENTS = (cmdlet("Get-Service", Name="ErpApi"),)


class Clock:
    """Real seconds, and those that a test lets pass."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.77.9.3", 0), backlog=256) as listening:
        host, port = listening.getsockname()
        yield f"{host}:{port}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def many(far_side, estate, dialled, tmp_path, silent, clock):
    """Make a transport to forty hosts that hang, one that does not, and a domain controller."""

    def make(manners: Manners | None = None):
        addresses = {**far_side.addresses, **dict.fromkeys(HANGING, silent)}
        there = estate.model_copy(update={"addresses": addresses, "connections": estate.connections})
        traffic = Traffic(manners, lambda endpoint: endpoint == DC, clock)
        settings = Connections(there, tmp_path, {"PW": PASSWORD}.get).settings
        return dialled(settings, traffic=traffic)

    return make


def test_forty_hosts_that_hang_keep_nobody_else_waiting_for_long(far_side, many, clock):
    transport = many()
    pool: CallPool[str] = CallPool(transport, Manners().threads)
    began = [host for host in HANGING if start(pool, transport, host)]
    assert began == HANGING[:32]
    assert transport.ticket(HOST) is None, "all places are taken"
    assert transport.ticket(HANGING[0]) is None, "who hangs is asked once at a time"
    answered(pool, transport, DC)
    clock.ahead += LATE
    answered(pool, transport, HOST)
    more = [host for host in HANGING[32:] if start(pool, transport, host)]
    assert more == HANGING[32:], "they are tried as well, as long as there are places"
    for _ in range(5):
        answered(pool, transport, HOST)
        answered(pool, transport, DC)
        clock.ahead += 1
    assert not pool.close(0.0), "their threads still wait"
    assert len(far_side.requests) == 12


def test_one_place_is_one_host_at_a_time(many, clock):
    transport = many(Manners(hosts_at_once=1))
    pool: CallPool[str] = CallPool(transport, Manners(1).threads)
    assert start(pool, transport, HANGING[0])
    assert transport.ticket(HOST) is None
    clock.ahead += LATE
    answered(pool, transport, HOST)


def test_a_ticket_that_is_given_back_gives_its_place_back(many):
    transport = many(Manners(hosts_at_once=1))
    ticket = transport.ticket(HOST)
    assert transport.ticket(HANGING[0]) is None
    transport.give_back(ticket)
    transport.give_back(transport.ticket(HANGING[0]))


def test_no_place_is_lost_where_there_is_no_session(many):
    transport = many(Manners(hosts_at_once=2))
    ticket = transport.ticket(HOST)
    assert [transport.ticket(HOST) for _ in range(5)] == [None] * 5
    assert transport.ticket(HANGING[0]) is not None
    assert transport.ticket(HANGING[1]) is None
    transport.give_back(ticket)
    assert transport.ticket(HANGING[1]) is not None


def test_each_connection_waits_for_its_log_on_and_only_once(far_side, many, monkeypatch):
    transport = many()
    waited: list[str] = []
    monkeypatch.setattr(transport._traffic, "log_on", waited.append)
    for _ in range(3):
        for host in (HOST, OTHER):
            transport.run(Read(host, STATEMENTS), transport.ticket(host))
    assert waited == [HOST, OTHER]
    ticket = transport.ticket(HOST)
    transport.run(Read(HOST, STATEMENTS), ticket)
    assert transport.discard(HOST, ticket.shell)
    assert waited == [HOST, OTHER, HOST], "a shell is deleted on a connection of its own"


def test_hosts_share_one_budget_and_each_domain_controller_has_its_own():
    clock = itertools.count(0.0, 0.0).__next__  # no time passes
    traffic = Traffic(Manners(logons_per_second=2), lambda endpoint: endpoint.startswith("dc"), clock)
    begun: list[str] = []

    def log_on(endpoint: str) -> threading.Thread:
        thread = threading.Thread(target=lambda: (traffic.log_on(endpoint), begun.append(endpoint)), daemon=True)
        thread.start()
        return thread

    threads = [log_on(endpoint) for endpoint in ("dc01", "dc02", "a", "b", "dc01", "dc02")]
    for thread in threads:
        thread.join(PATIENCE)
    late = [log_on(endpoint) for endpoint in ("c", "dc01", "dc02")]
    for thread in late:
        thread.join(0.05)
    assert sorted(begun) == ["a", "b", "dc01", "dc01", "dc02", "dc02"]
    assert all(thread.is_alive() for thread in late)


def start(pool: CallPool[str], transport, host: str) -> bool:
    ticket = transport.ticket(host)
    if ticket is not None:
        pool.start(host, Read(host, STATEMENTS), ticket)
    return ticket is not None


def answered(pool: CallPool[str], transport, host: str) -> None:
    """Have a host asked, and see that it is the one who answers."""
    assert start(pool, transport, host), host
    token, reply = pool.next_finished(PATIENCE)
    assert (token, reply.outcome) == (host, Outcome.SUCCEEDED)
