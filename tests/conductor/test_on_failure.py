"""``on_failure: undo``: what fails is taken all the way back by the runner itself, and stays a failure."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.engine.outcome import exit_of, wave_state
from orchestrator.engine.waves import admissible
from orchestrator.errors import Exit
from orchestrator.model.event import Held, Moved, WayBackAsked
from orchestrator.model.lifecycle import Intention, Phase, Way
from tests.conductor.test_weather import BATCH, COMPLETE, ERP, HOST, SHORT, START, of, weather
from tests.world import DC, Crash, Doom, World

SYNC = "dmsa-sync"
UNDO = "Undo-ADServiceAccountMigration"


def undoing(plan: dict[str, Any]) -> None:
    plan["policy"].update(SHORT, on_failure="undo")


def none_allowed(plan: dict[str, Any]) -> None:
    undoing(plan)
    plan["waves"][0]["failures"] = {"allow": 0}


def denied(cmdlet: str, **more: Any) -> dict[str, Any]:
    """Return a refusal of rights, once: a fault that no retry helps."""
    return {"kind": "access-denied", "when": {"cmdlet": cmdlet, **more}}


def broken(cmdlet: str, times: int) -> dict[str, Any]:
    """Return a service that does not start any more, from a cmdlet on."""
    event = {"kind": "service-broken", "host": HOST, "service": "BatchRunner", "times": times}
    return {**event, "when": {"cmdlet": cmdlet}}


def as_on_the_first_day(world: World) -> None:
    """See that the far side is as it was: the pair, the account, the switch and the service."""
    assert world.far_side.pair(BATCH, DC) == (0, 0)
    assert world.far_side.switch(HOST) is None
    assert world.estate.machine(HOST).services["batchrunner"].running


@pytest.mark.parametrize(
    ("at", "rule"),
    [
        ("prepared", denied(START)),
        ("linked", denied("New-ItemProperty")),
        ("registered", denied("Restart-Service")),
        ("soaked", denied(COMPLETE)),
        ("switched", denied("Restart-Service", nth=2)),
        ("switched", broken(COMPLETE, 1)),
    ],
    ids=lambda one: one if isinstance(one, str) else one["kind"],
)
def test_it_goes_back_from_wherever_it_failed(at, rule):
    world = weather(rule, change=undoing)
    state = world.run()
    (hold,), (word,) = of(world, Held), of(world, WayBackAsked)
    assert (word.way, word.by, word.automatic) == (Way.ROLLBACK, "policy on_failure", True)
    assert word.reason == f"{hold.reason}: {hold.detail}"
    before = world.events()[: world.events().index(hold)]
    assert [event.dest for event in before if isinstance(event, Moved)][-1] == at
    assert (state[BATCH].phase, state[BATCH].intention, state[BATCH].held) == (Phase.ROLLED_BACK, Intention.BACK, None)
    assert state[BATCH].failure == "failed"
    as_on_the_first_day(world)
    assert exit_of(state, world.plan) is Exit.FAILED
    assert wave_state(state, world.plan.waves[0], admissible(state, world.plan, None))[0] == "done", "one was allowed"
    again = world.run()
    assert again[BATCH].phase is Phase.ROLLED_BACK, "and `run` leaves it alone"


def test_a_new_attempt_after_it_is_completed():
    world = weather(denied(COMPLETE), change=undoing)
    assert world.run()[BATCH].phase is Phase.ROLLED_BACK
    world.release(BATCH, forward=True)
    state = world.run()
    assert (state[BATCH].phase, state[BATCH].attempt, state[BATCH].failure) == (Phase.COMPLETED, 2, None)
    assert exit_of(state, world.plan) is Exit.DONE


def test_where_the_service_stays_down_the_way_back_is_held_and_not_answered_with_another():
    world = weather(broken(COMPLETE, 1000), change=undoing)
    state = world.run()
    assert len(of(world, WayBackAsked)) == 1
    assert state[BATCH].intention is Intention.BACK
    assert state[BATCH].held.down == ("BatchRunner",)
    assert exit_of(state, world.plan) is Exit.FAILED
    assert world.run()[BATCH].held == state[BATCH].held
    world.estate.machine(HOST).services["batchrunner"].broken = 0
    world.release(BATCH)
    assert world.run()[BATCH].phase is Phase.ROLLED_BACK
    as_on_the_first_day(world)


class AfterTheHold(Doom):
    """Lets the process die as soon as the hold is on disk."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def moment(self, doing: Any = "append") -> None:
        del doing
        self.dead = self.dead or any(isinstance(event, Held) for event in self._world.events())
        if self.dead:
            raise Crash


def test_a_runner_that_dies_between_the_hold_and_the_word_leaves_both_to_the_next():
    world = weather(denied(COMPLETE), change=undoing)
    with pytest.raises(Crash):
        world.run(doom=AfterTheHold(world))
    assert world.state()[BATCH].held is not None
    assert not of(world, WayBackAsked)
    assert world.run()[BATCH].phase is Phase.ROLLED_BACK
    assert len(of(world, WayBackAsked)) == 1


def test_what_a_person_released_meanwhile_goes_on():
    world = weather(denied(COMPLETE), change=undoing)
    with pytest.raises(Crash):
        world.run(doom=AfterTheHold(world))
    world.release(BATCH)
    assert world.run()[BATCH].phase is Phase.COMPLETED
    assert not of(world, WayBackAsked)


def test_a_spent_budget_takes_back_what_is_in_flight_and_begins_nothing():
    """Two of three at once: one fails, the other is in flight, and the third was not admitted yet."""

    def two_at_once(plan: dict[str, Any]) -> None:
        none_allowed(plan)
        plan["waves"][0]["at_once"] = 2

    world = weather(denied("Restart-Service", host=HOST), ids=(BATCH, ERP, SYNC), change=two_at_once)
    state = world.run()
    failed = {id_ for id_ in world.ids if state[id_].failure == "failed"}
    back = {event.migration for event in world.events() if isinstance(event, WayBackAsked)}
    assert len(failed) == 2
    assert back == failed
    assert {state[id_].phase for id_ in failed} == {Phase.ROLLED_BACK}
    reasons = {event.reason.partition(":")[0] for event in world.events() if isinstance(event, WayBackAsked)}
    assert reasons == {"fault", "budget-spent"}
    (third,) = set(world.ids) - failed
    assert (state[third].held.reason, state[third].intention) == ("budget-spent", Intention.FORWARD)
    assert state[third].phase in {Phase.PLANNED, Phase.PREPARED}
    assert exit_of(state, world.plan) is Exit.HELD
    assert wave_state(state, world.plan.waves[0], admissible(state, world.plan, None))[0] == "failed"


def test_each_by_its_own_policy():
    def one_holds(plan: dict[str, Any]) -> None:
        none_allowed(plan)
        next(one for one in plan["waves"][0]["migrations"] if one["dmsa"]["name"] == ERP)["on_failure"] = "hold"

    world = weather(denied("Restart-Service", host=HOST), ids=(BATCH, ERP), change=one_holds)
    state = world.run()
    words = {event.migration for event in world.events() if isinstance(event, WayBackAsked)}
    assert words == {BATCH}
    assert state[BATCH].phase is Phase.ROLLED_BACK
    assert state[ERP].held.reason in {"fault", "budget-spent"}
    assert state[ERP].intention is Intention.FORWARD


def test_where_the_copies_disagree_it_is_held_for_a_person():
    def cut(plan: dict[str, Any]) -> None:
        undoing(plan)
        plan["policy"]["converge_within"] = "1h"

    rule = {"kind": "partition", "host": "dc02.corp.example", "when": {"cmdlet": START}, "lasts": "30d"}
    world = weather(rule, change=cut)
    state = world.run()
    assert (state[BATCH].held.reason, state[BATCH].failure) == ("not-converged", "failed")
    assert not of(world, WayBackAsked)
    assert not world.arrived(UNDO)


def test_what_a_guard_refused_before_start_stays_where_it_is():
    rule = {"kind": "host-down", "host": HOST, "at": "2026-03-02T00:00:00Z", "lasts": "60d"}
    world = weather(rule, change=undoing)
    state = world.run()
    assert (state[BATCH].phase, state[BATCH].failure) == (Phase.PLANNED, "refused")
    assert state[BATCH].held is not None
    assert not of(world, WayBackAsked)
