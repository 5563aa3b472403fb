"""A process that cannot read estate time at first: nothing is due, nothing is spent, and it goes on once it can."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestrator.clock import EstateClock
from orchestrator.model.event import Held, RetryDue, WaitBegan
from orchestrator.model.lifecycle import Phase
from tests.conductor.test_weather import BATCH, HOST, of, weather
from tests.world import World


class LateClock(EstateClock):
    """A clock that cannot be read before something waits for it; a machine that was down is up again then."""

    world: World

    def now(self) -> datetime | None:
        if not retries(self.world):
            return None
        self.world.estate.machine(HOST).down_until = None
        return super().now()


def retries(world: World) -> list[tuple[datetime | None, str]]:
    """Return what waits to be tried again, by subject, and until when."""
    return [(one.until, one.subject) for one in of(world, WaitBegan) if one.waiting_for == "retry"]


def test_what_waited_for_the_time_to_be_known_goes_on_in_the_same_process():
    world = weather()
    world.run(until=Phase.LINKED)
    made = world.clock_for
    world.estate.machine(HOST).down_until = world.estate.now + timedelta(days=1)

    def late(transport, announce):
        clock = made(transport, announce)
        clock.__class__, clock.world = LateClock, world
        return clock

    world.clock_for = late
    state = world.run(until=Phase.REGISTERED)
    assert retries(world) == [(None, HOST)]
    assert not of(world, RetryDue)
    assert not of(world, Held)
    assert state[BATCH].phase is Phase.REGISTERED
