"""So many log-ons a second: never more, none forgotten, first come first served."""

from __future__ import annotations

import threading
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.remote.budget import SECOND, Budget, begins_at
from tests.patience import PATIENCE

arrivals = st.lists(st.floats(0, 20, allow_nan=False), max_size=200).map(sorted)
budgets = st.integers(1, 30)


def begun_by(arrivals: list[float], most: int) -> list[float]:
    """Return when each begins that arrives, if each waits as long as the rule says and not longer."""
    begun: list[float] = []
    for arrived in arrivals:
        now = max(arrived, begun[-1]) if begun else arrived
        begun.append(begins_at(begun[-most:], now, most))
    return begun


@given(arrivals, budgets)
def test_in_no_second_there_are_more_than_the_budget(arrived, most):
    begun = begun_by(arrived, most)
    for first, later in zip(begun, begun[most:], strict=False):
        assert later >= first + SECOND


@given(arrivals, budgets)
def test_they_begin_in_the_order_in_which_they_came_and_never_before(arrived, most):
    begun = begun_by(arrived, most)
    assert begun == sorted(begun)
    assert all(began >= came for came, began in zip(arrived, begun, strict=True))


@given(arrivals, budgets)
def test_nobody_waits_longer_than_those_before_him_take(arrived, most):
    begun = begun_by(arrived, most)
    for place, (came, began) in enumerate(zip(arrived, begun, strict=True)):
        before = sum(one > came for one in begun[:place])  # who still waited when he came
        assert began - came <= SECOND * (before // most + 1) + 1e-9


@given(arrivals, budgets)
def test_the_budget_is_not_wasted(arrived, most):
    """Who waits waits because the second that ends when he begins is full."""
    begun = begun_by(arrived, most)
    for place, (came, began) in enumerate(zip(arrived, begun, strict=True)):
        if began > max(came, *begun[:place], 0.0):
            assert began == begun[place - most] + SECOND


def test_threads_wait_for_their_turn_and_hold_no_lock_meanwhile():
    budget, order, began = Budget(5), deque(), deque()
    clock = [0.0]
    budget._clock = lambda: clock[0]
    asked = [threading.Event() for _ in range(12)]

    def log_on(number: int) -> None:
        asked[number].set()
        budget.wait()
        order.append(number)
        began.append(clock[0])

    threads = []
    for number in range(12):
        threads.append(threading.Thread(target=log_on, args=(number,)))
        threads[-1].start()
        assert asked[number].wait(PATIENCE)
        queued(budget, number + 1, began)
    assert list(order) == list(range(5)), "five begin at once, the sixth waits, and who comes after it can still queue"
    for tick in (0.99, 1.0, 2.0):
        clock[0] = tick
        with budget._changed:
            budget._changed.notify_all()
        queued(budget, 12, began, {0.99: 5, 1.0: 10, 2.0: 12}[tick])
    for thread in threads:
        thread.join(PATIENCE)
    assert list(order) == list(range(12))
    assert list(began) == [0.0] * 5 + [1.0] * 5 + [2.0] * 2


def queued(budget: Budget, came: int, began: deque[float], enough: int | None = None) -> None:
    """Wait until all who came have begun or stand in the queue, and *enough* have begun."""
    until = threading.Event()
    for _ in range(int(PATIENCE * 200)):
        with budget._changed:
            if len(budget._queue) + len(began) >= came and len(began) >= (min(came, 5) if enough is None else enough):
                return
        until.wait(0.005)
    raise AssertionError((came, len(began), enough))
