"""Calls on threads: nothing is lost, nothing is decided."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest

from orchestrator.model.call import Read, Ticket, cmdlet
from orchestrator.model.observation import Outcome, Reply
from orchestrator.remote.inline import InlinePool
from orchestrator.remote.pool import CallPool
from tests.patience import PATIENCE

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

    def run(self, call, ticket, _leave=None):
        assert call is CALL
        with self.lock:
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        assert self.go[ticket.endpoint].wait(PATIENCE)
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
        token, reply = pool.next_finished(PATIENCE)
        order.append(token)
        assert reply.outcome is Outcome.SUCCEEDED
    assert order == list("cab")
    assert pool.in_flight == 0
    assert pool.next_finished(None) is None
    assert pool.close(PATIENCE)


def test_an_exception_is_handed_on(hosts):
    pool = CallPool(hosts)
    pool.start("t", CALL, hosts.ticket("broken"))
    hosts.go["broken"].set()
    token, error = pool.next_finished(PATIENCE)
    assert token == "t"
    assert isinstance(error, KeyError)
    pool.start("t", CALL, hosts.ticket("broken"))
    assert isinstance(pool.next_finished(PATIENCE)[1], KeyError)


def test_no_more_threads_than_workers(hosts):
    pool = CallPool(hosts, workers=2)
    for number in range(5):
        pool.start(number, CALL, hosts.ticket("a"))
    hosts.go["a"].set()
    assert sorted(pool.next_finished(PATIENCE)[0] for _ in range(5)) == [0, 1, 2, 3, 4]
    assert hosts.most <= 2


def test_a_host_that_hangs_does_not_keep_the_pool_open(hosts):
    pool = CallPool(hosts)
    pool.start("t", CALL, hosts.ticket("a"))
    assert not pool.close(0)
    with pytest.raises(RuntimeError, match="closed"):
        pool.start("u", CALL, hosts.ticket("b"))
    hosts.go["a"].set()
    assert pool.next_finished(PATIENCE)[0] == "t"
    assert pool.close(PATIENCE)


class Numbers:
    """A transport that counts its calls, and is broken at one of them."""

    def __init__(self, broken: int = 0) -> None:
        self.calls, self.broken = 0, broken

    def run(self, call, _ticket, _leave=None):
        assert call is CALL
        self.calls += 1
        if self.calls == self.broken:
            raise KeyError("defect")
        return Reply(Outcome.SUCCEEDED)


@pytest.mark.parametrize(("together", "carried"), [(1, [1, 2, 3]), (2, [2, 2, 3]), (None, [3, 3, 3])])
def test_without_threads_so_many_calls_end_together(together, carried):
    transport = Numbers()
    pool = InlinePool(transport, choose=lambda waiting: waiting - 1, together=together)
    for name in "abc":
        pool.start(name, CALL, Ticket("app01", uuid4(), uuid4()))
    assert pool.next_finished(0.0) is None, "others may begin first"
    order, calls = "", []
    while pool.in_flight:
        token, reply = pool.next_finished(1.0)
        assert reply == Reply(Outcome.SUCCEEDED)
        order += token
        calls.append(transport.calls)
    assert (order, calls) == ("cba", carried)
    assert pool.next_finished(1.0) is None


def test_without_threads_what_was_raised_is_handed_out_and_what_is_closed_is_forgotten():
    pool = InlinePool(Numbers(broken=1), together=None)
    for name in "abc":
        pool.start(name, CALL, Ticket("app01", uuid4(), uuid4()))
    token, error = pool.next_finished(1.0)
    assert token == "a"
    assert isinstance(error, KeyError)
    assert pool.next_finished(0.0) == ("b", Reply(Outcome.SUCCEEDED)), "it has ended already"
    assert pool.close(0.0)
    assert pool.in_flight == 0
