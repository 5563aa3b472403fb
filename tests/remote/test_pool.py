"""Calls on threads: nothing is lost, nothing is decided."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest

from orchestrator.model.call import Read, Ticket, cmdlet
from orchestrator.model.observation import Outcome, Reply
from orchestrator.remote.pool import CallPool

CALL = Read("app01", (cmdlet("Get-KdsRootKey"),))


class Hosts:
    """A transport whose calls end when a test says so."""

    def __init__(self) -> None:
        self.go: dict[str, threading.Event] = {}
        self.at_once = 0
        self.most = 0
        self.lock = threading.Lock()

    def ticket(self, endpoint):
        self.go.setdefault(endpoint, threading.Event())
        return Ticket(endpoint, uuid4(), uuid4())

    def run(self, call, ticket):
        assert call is CALL
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        assert self.go[ticket.endpoint].wait(10)
        with self.lock:
            self.at_once -= 1
        if ticket.endpoint == "broken":
            raise KeyError("defect")
        return Reply(Outcome.SUCCEEDED)


@pytest.fixture
def hosts():
    return Hosts()


def test_replies_come_back_with_their_tokens_as_they_finish(hosts):
    pool = CallPool(hosts)
    for name in "abc":
        pool.start(name, CALL, hosts.ticket(name))
    assert pool.in_flight == 3
    assert pool.next_finished(0) is None
    order = []
    for name in "cab":
        hosts.go[name].set()
        token, reply = pool.next_finished(10)
        order.append(token)
        assert reply.outcome is Outcome.SUCCEEDED
    assert order == list("cab")
    assert pool.in_flight == 0
    assert pool.next_finished(None) is None
    assert pool.close(10)


def test_an_exception_is_handed_on(hosts):
    pool = CallPool(hosts)
    pool.start("t", CALL, hosts.ticket("broken"))
    hosts.go["broken"].set()
    token, error = pool.next_finished(10)
    assert token == "t"
    assert isinstance(error, KeyError)
    pool.start("t", CALL, hosts.ticket("broken"))
    assert isinstance(pool.next_finished(10)[1], KeyError)


def test_no_more_threads_than_workers(hosts):
    pool = CallPool(hosts, workers=2)
    for number in range(5):
        pool.start(number, CALL, hosts.ticket("a"))
    hosts.go["a"].set()
    assert sorted(pool.next_finished(10)[0] for _ in range(5)) == [0, 1, 2, 3, 4]
    assert hosts.most <= 2


def test_a_host_that_hangs_does_not_keep_the_pool_open(hosts):
    pool = CallPool(hosts)
    pool.start("t", CALL, hosts.ticket("a"))
    assert not pool.close(0)
    with pytest.raises(RuntimeError, match="closed"):
        pool.start("u", CALL, hosts.ticket("b"))
    hosts.go["a"].set()
    assert pool.next_finished(10)[0] == "t"
    assert pool.close(10)
