"""What an engine promises, whichever it is: who rings is heard, so many at once, and who ends does so in good order."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.cluster.definitions import DRIVER, user_of
from orchestrator.cluster.message import KEPT_FOR
from orchestrator.remote.engine import Engine
from orchestrator.remote.in_process import InProcessEngine
from tests.cluster.hearing import eventually, hearing
from tests.rabbit import Rabbit


@dataclass(frozen=True)
class Ends:
    """Both ends of an engine; in one process they are one."""

    rings: Engine
    hears: Engine


@contextmanager
def celery(request: pytest.FixtureRequest) -> Iterator[Ends]:
    broker: Rabbit = request.getfixturevalue("rabbitmq")
    rings, hears = broker.engine(DRIVER), broker.engine(user_of("emea"))
    yield Ends(rings, hears)
    rings.close()
    hears.close()


@contextmanager
def in_process(_request: pytest.FixtureRequest) -> Iterator[Ends]:
    engine = InProcessEngine()
    yield Ends(engine, engine)


ENGINES: tuple[Callable[[pytest.FixtureRequest], Any], ...] = (celery, in_process)
MARKS = {celery: (pytest.mark.service,)}


@pytest.fixture(params=[pytest.param(one, marks=MARKS.get(one, ()), id=one.__name__) for one in ENGINES])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    with request.param(request) as found:
        yield found


def test_who_rings_is_heard_word_by_word(ends: Ends):
    said = ("emea", 'CN="Müller, Ünal" \\ 1,DC=corp', "step/λ\u2028🔔")
    with hearing(ends.hears, "emea") as found:
        ends.rings.ring(*said)
        found.wait(lambda it: it.heard)
    assert set(found.heard) == {said}


def test_many_rings_are_all_heard_and_no_more_at_once_than_there_are_slots(ends: Ends):
    rings = {("emea", f"migration-{number}", "start") for number in range(12)}
    with hearing(ends.hears, "emea", slots=3, closed=True) as found:
        for ring in rings:
            ends.rings.ring(*ring)
        found.wait(lambda it: it.at_once == 3)
        found.gate.set()
        found.wait(lambda it: set(it.heard) == rings and not it.at_once)
    assert found.most_at_once == 3


def test_a_ring_that_is_sent_three_times_is_heard_at_least_once(ends: Ends):
    rings = [("emea", f"migration-{number}", "start") for number in range(6)]
    with hearing(ends.hears, "emea", slots=2) as found:
        for ring in [*rings, *rings, *rings]:
            ends.rings.ring(*ring)
        found.wait(lambda it: set(it.heard) == set(rings))
    assert len(found.heard) <= 18


def test_who_is_to_end_ends_what_he_is_at_and_hears_nothing_new(ends: Ends):
    with hearing(ends.hears, "emea", slots=1, closed=True) as found:
        ends.rings.ring("emea", "first", "start")
        found.wait(lambda it: it.at_once == 1)
        ends.rings.ring("emea", "second", "start")
        found.ended.set()
        ends.rings.ring("emea", "third", "start")
        found.thread.join(0.6)
        assert found.thread.is_alive()
        found.gate.set()
    assert found.heard == [("emea", "first", "start")]
    with hearing(ends.hears, "emea") as later:
        ends.rings.ring("emea", "last", "start")
        later.wait(lambda it: ("emea", "last", "start") in it.heard)


def test_health_tells_who_listens_and_what_waits(ends: Ends):
    with hearing(ends.hears, "emea", slots=1, closed=True) as found:
        eventually(lambda: ends.rings.health(("emea",))["emea"].listening == 1)
        ends.rings.ring("emea", "first", "start")
        found.wait(lambda it: it.at_once == 1)

        rung = -math.inf

        def two_wait() -> bool:
            nonlocal rung
            if time.monotonic() - rung > KEPT_FOR + 1:  # none is left by then, of two or of one that came twice
                rung = time.monotonic()
                ends.rings.ring("emea", "second", "start")
                ends.rings.ring("emea", "third", "start")
            return ends.rings.health(("emea",))["emea"].waiting == 2

        eventually(two_wait)
        found.gate.set()
        found.wait(lambda it: len(it.heard) >= 3)
        eventually(lambda: ends.rings.health(("emea",))["emea"].waiting == 0)
    assert ends.rings.health(("emea",))["emea"].listening == 0


def test_health_leaves_out_what_it_does_not_know(ends: Ends):
    with hearing(ends.hears, "emea"):
        eventually(lambda: ends.rings.health(("emea",)))
        assert set(ends.rings.health(("emea", "antarctica"))) == {"emea"}
