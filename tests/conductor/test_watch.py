"""A runner that stays: through outages of any length, while everything is held, and until everything is at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestrator.clock import EstateClock
from orchestrator.engine.outcome import waiting_of
from orchestrator.model.call import Ticket
from orchestrator.model.event import AttemptStarted, Held, Moved, Released, RetryDue, RunnerLeft, WayBackAsked
from orchestrator.model.lifecycle import Intention, Phase, Way
from orchestrator.model.observation import Unreadable
from orchestrator.model.run import RunState
from tests.conductor.test_weather import BATCH, HOST, REPORT, of, weather
from tests.world import DC, World

HOLD = {"reason": "operator", "detail": "incident 4711", "release": "`dmsa release`", "by": "ann"}
HELD = Held(migration=BATCH, **HOLD)
RELEASED = Released(migration=BATCH, by="ann", reason="over")
LONG_ENOUGH = 20_000
"""Pauses after which a runner that waits for nothing that comes is given up."""


class Waits(Exception):
    """It would wait for ever."""


class Watch:
    """A world whose process stays. Its clock is a real one's, a pause passes ten minutes, and words come in pauses."""

    def __init__(self, world: World, *, passes: timedelta = timedelta(minutes=10)) -> None:
        self.world, self.passes = world, passes
        self.pauses, self.asked = 0, 0
        self.words: Iterator[None] = iter(())
        world.stays = True
        world.clock_for = self._clock  # type: ignore[method-assign]
        self._began = world.estate.now

    def _clock(self, _transport: object, _announce: Callable[[Ticket], None]) -> EstateClock:
        return EstateClock(self._read, is_lab=False, monotonic=self._seconds, pause=self._pause)

    def _seconds(self) -> float:
        return (self.world.estate.now - self._began).total_seconds()

    def _read(self) -> datetime:
        self.asked += 1
        if not self.world.estate.listens(DC):
            raise Unreadable(f"{DC} refuses connections")
        return self.world.estate.now

    def _pause(self, _seconds: float) -> None:
        self.pauses += 1
        if self.pauses > LONG_ENOUGH:
            raise Waits
        next(self.words, None)
        self.world.estate.advance(self.passes)

    def down(self, days: float, *hosts: str) -> None:
        """Let machines be away from now on."""
        for host in hosts:
            self.world.estate.machine(host).down_until = self.world.estate.now + timedelta(days=days)

    def run(self, words: Callable[[], Iterator[None]] = lambda: iter(()), **more: Any) -> RunState:
        """Run a process; *words* goes on at each pause."""
        self.words = words()
        return self.world.run(**more)

    def run_in_vain(self, words: Callable[[], Iterator[None]] = lambda: iter(())) -> None:
        """Run a process that never ends by itself."""
        with pytest.raises(Waits):
            self.run(words)


@pytest.fixture
def watch() -> Watch:
    """One migration, with a dwell of two hours."""
    return Watch(weather())


def weeks(plan: dict[str, Any]) -> None:
    plan["policy"].update({"dwell": "15d", "flat_for": "2h", "ledger_every": "6h"})


def moved_to(world: World) -> list[Phase]:
    return [event.dest for event in of(world, Moved)]


def until_resting_in(watch: Watch, phase: Phase) -> Iterator[None]:
    while watch.world.state()[BATCH].phase is not phase:
        yield


class TestOutages:
    """What is away comes back, and nobody had to do anything meanwhile."""

    def test_the_domain_controller_is_away_for_three_days_of_the_dwell(self):
        watch = Watch(weather(change=weeks))

        def away() -> Iterator[None]:
            yield from until_resting_in(watch, Phase.RESTARTED)
            watch.down(3, DC)
            self.before = watch.world.journal.head()
            while not watch.world.estate.listens(DC):
                yield
            self.after = watch.world.journal.head()

        state = watch.run(away)
        assert state[BATCH].phase is Phase.COMPLETED
        assert not of(watch.world, Held)
        assert self.after - self.before < 30, "what waits for the domain controller is written down once"

    def test_everything_is_away_in_the_middle_of_a_step(self):
        """The network of the runner: no host answers, and the domain controller does not."""
        watch = Watch(weather())
        watch.world.run(until=Phase.LINKED)

        def away() -> Iterator[None]:
            yield from until_resting_in(watch, Phase.COMPLETED)

        watch.down(2, DC, HOST, "dc02.corp.example")
        state = watch.run(away)
        assert state[BATCH].phase is Phase.COMPLETED
        assert not of(watch.world, Held)

    def test_a_host_that_is_away_alone_is_held_for_as_ever(self):
        watch = Watch(weather())
        watch.world.stays = False
        watch.run(until=Phase.LINKED)
        watch.world.stays = True
        watch.down(2, HOST)
        watch.run_in_vain()
        assert [event.reason for event in of(watch.world, Held)] == ["retries-spent"]

    def test_nobody_knows_the_time_when_it_is_begun_anew(self):
        """The site had no power, and the runner is back before the domain controller."""
        watch = Watch(weather(ids=(BATCH, REPORT)))
        watch.run(chosen=[BATCH], until=Phase.PREPARED)
        watch.down(1, DC, HOST)
        watch.run()
        assert set(watch.world.phases().values()) == {Phase.COMPLETED}
        assert not [event for event in watch.world.events() if isinstance(event, Held | RetryDue)]

    def test_time_is_read_seldom_while_nothing_is_due(self):
        watch = Watch(weather(change=weeks))
        watch.run()
        polls, hours = 15 * 4, 15 * 24
        assert watch.asked < 2 * (polls + hours)


class TestPeople:
    """It waits for words, and for nothing else if there is nothing else."""

    def test_all_is_held_and_released_by_a_word(self, watch):
        watch.world.run(until=Phase.PREPARED)
        watch.world.say(HELD)

        def after_a_while() -> Iterator[None]:
            for _ in range(100):
                yield
            assert watch.world.state()[BATCH].phase is Phase.PREPARED
            self.asked = watch.asked
            watch.world.say(RELEASED)

        assert watch.run(after_a_while)[BATCH].phase is Phase.COMPLETED
        assert self.asked < 40, "the time is not asked for while only a person is waited for"

    def test_on_a_lab_it_waits_for_a_person_in_real_time(self):
        world = weather()
        world.stays = True
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 5:
                world.say(RELEASED)

        def clock_for(transport: Any, announce: Callable[[Ticket], None]) -> EstateClock:
            read = world.clock_reader(transport, announce)
            return EstateClock(read, is_lab=True, monotonic=lambda: 0.0, pause=pause)

        world.clock_for = clock_for  # type: ignore[method-assign]
        world.say(HELD)
        assert world.run()[BATCH].phase is Phase.COMPLETED
        assert pauses == [0.5] * 5

    def test_a_hold_in_the_dwell_changes_nothing_of_when_it_is_over(self):
        watch = Watch(weather(change=weeks))

        def hold_and_release() -> Iterator[None]:
            yield from until_resting_in(watch, Phase.RESTARTED)
            before = waiting_of(watch.world.state()[BATCH], None)
            watch.world.say(HELD)
            for _ in range(100):
                yield
            held = watch.world.state()[BATCH]
            assert held.held is not None
            assert waiting_of(held, None) is None, "what is held does not wait"
            watch.world.say(RELEASED)
            at_once = waiting_of(watch.world.state()[BATCH], None)
            yield
            yield
            assert before == at_once == waiting_of(watch.world.state()[BATCH], None)
            self.held_for = True

        assert watch.run(hold_and_release)[BATCH].phase is Phase.COMPLETED
        assert self.held_for

    def test_one_that_is_held_and_one_that_goes_on(self):
        watch = Watch(weather(ids=(BATCH, REPORT)))
        watch.world.say(HELD)

        def once_the_other_is_done() -> Iterator[None]:
            while watch.world.state()[REPORT].phase is not Phase.COMPLETED:
                yield
            assert watch.world.state()[BATCH].phase is Phase.PLANNED
            watch.world.say(RELEASED)

        watch.run(once_the_other_is_done)
        assert set(watch.world.phases().values()) == {Phase.COMPLETED}

    @pytest.mark.parametrize("way", Way)
    def test_an_abort_is_carried_out_by_whoever_stays(self, way):
        watch = Watch(weather(change=weeks))

        def abort() -> Iterator[None]:
            yield from until_resting_in(watch, Phase.RESTARTED)
            watch.world.say(HELD)
            yield
            watch.world.say(WayBackAsked(migration=BATCH, way=way, by="ann"))
            for _ in range(50):
                yield
            state = watch.world.state()[BATCH]
            if way is not Way.ROLLBACK:
                assert (state.phase, state.held and state.held.reason) == (Phase.UNLINKED, "undone")
                watch.world.say(WayBackAsked(migration=BATCH, way=Way.ROLLBACK, by="ann"))

        state = watch.run(abort)
        assert (state[BATCH].phase, state[BATCH].intention) == (Phase.ROLLED_BACK, Intention.BACK)


class TestEnd:
    """It ends when nothing is left to come."""

    def test_completed(self, watch):
        assert watch.run()[BATCH].phase is Phase.COMPLETED
        assert watch.world.events()[-1] == RunnerLeft(reason="nothing more to do now")
        pauses = watch.pauses
        watch.run()
        assert watch.pauses == pauses

    def test_as_far_as_was_asked_for(self, watch):
        assert watch.run(until=Phase.LINKED)[BATCH].phase is Phase.LINKED

    def test_not_while_something_is_held(self, watch):
        watch.world.run()
        watch.world.say(HELD)
        watch.run_in_vain()


def test_a_write_that_has_not_left_when_somebody_speaks_does_not(monkeypatch):
    """The word comes after the intent is on disk, and before the call's turn has come."""
    world = weather(ids=(BATCH, REPORT))
    spoken: list[str] = []

    def choose(_waiting: int) -> int:
        state = world.state()
        if not spoken and any(one.started.cmdlet == "Restart-Service" for one in state[BATCH].open.values()):
            spoken.append("held")
            world.say(HELD)
        return 0

    world.run(choose=choose)
    intents = [one for one in of(world, AttemptStarted) if one.cmdlet == "Restart-Service"]
    assert spoken
    assert len(intents) == 1
    arrived = [one for one in world.arrived("Restart-Service") if one.get("Name") == "BatchRunner"]
    assert not arrived
    assert world.phases() == {BATCH: Phase.REGISTERED, REPORT: Phase.COMPLETED}

    world.say(RELEASED)
    world.run()
    assert set(world.phases().values()) == {Phase.COMPLETED}
