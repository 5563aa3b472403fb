"""A new attempt after ``rolled_back``: its own number, snapshot and guards; to ``completed``, and back once more."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.engine.outcome import exit_of
from orchestrator.errors import Exit
from orchestrator.model.before import SnapshotTaken
from orchestrator.model.event import GuardsAsked, Moved
from orchestrator.model.lifecycle import PATH, Phase, Trigger, Way
from tests.conductor.test_weather import ERP, HOST, SHORT, of, weather
from tests.whole import matrix
from tests.world import DC, World

FROM = PATH[1:]
SWITCHES: dict[str, dict[str, Any]] = {
    "undo clears the membership": {"undo_clears_membership": True},
    "undo leaves the account disabled": {"undo_enables_account": False},
    "undo leaves the SPNs where they are": {"undo_restores_spns": False},
    "undo leaves its copies on the dMSA": {"undo_removes_copies": False},
    "reset restores": {"reset_restores": True},
    "reset clears the membership": {"reset_clears_membership": True},
    "an empty membership keeps Complete from being issued": {"complete_refuses_empty_membership": True},
    "nothing is given back": {
        "undo_clears_membership": True,
        "undo_enables_account": False,
        "undo_restores_spns": False,
        "undo_removes_copies": False,
        "reset_clears_membership": True,
    },
}


def world_of(switches: dict[str, Any], rollback_by: str = "undo") -> World:
    """Return a world of one migration whose directory behaves so."""

    def by(plan: dict[str, Any]) -> None:
        plan["policy"].update(SHORT, rollback_by=rollback_by)

    def changed(data: dict[str, Any]) -> None:
        data["switches"] = {**data.get("switches", {}), **switches}

    made = weather(ids=(ERP,), change=by)
    return World(change_plan=made._changes[0], change_estate=changed)


def as_it_was(world: World) -> tuple[object, ...]:
    """Return what a way back must leave: pair, account, switch, and whether the service runs."""
    services = world.estate.machine(HOST).services
    runs = [services[name].running for name in ("erpapi", "erpqueue")]
    return world.far_side.pair(ERP, DC), world.far_side.account(ERP, DC), world.far_side.switch(HOST), runs


def go_back(world: World, first_day: tuple[object, ...]) -> None:
    world.ask_back(Way.ROLLBACK)
    state = world.run()
    assert state[ERP].held is None, state[ERP].held
    assert state[ERP].phase is Phase.ROLLED_BACK
    assert as_it_was(world)[1:] == first_day[1:]
    assert world.far_side.pair(ERP, DC) == (0, 0)


def attempt_anew(world: World, number: int) -> None:
    """Let an operator begin the next attempt; it must be completed, by a snapshot and guards of its own."""
    world.release(ERP, forward=True)
    state = world.run()
    assert state[ERP].held is None, state[ERP].held
    assert (state[ERP].phase, state[ERP].attempt) == (Phase.COMPLETED, number)
    assert exit_of(state, world.plan) is Exit.DONE
    assert len(of(world, SnapshotTaken, ERP)) == number
    assert sum(event.step is Trigger.PREPARE for event in of(world, GuardsAsked, ERP)) >= number
    assert len(world.arrived("New-ADServiceAccount")) == 1, "the dMSA that the first attempt left is used again"
    assert world.far_side.pair(ERP, DC) == (2, 2)


@pytest.mark.parametrize("rollback_by", ["undo", "reset"])
@pytest.mark.parametrize("phase", FROM)
def test_from_wherever_the_first_one_went_back(phase, rollback_by):
    world = world_of({}, rollback_by)
    first_day = as_it_was(world)
    world.run(until=phase)
    assert world.phases()[ERP] is phase
    go_back(world, first_day)
    assert exit_of(world.state(), world.plan) is Exit.FAILED
    attempt_anew(world, 2)
    go_back(world, first_day)


@pytest.mark.parametrize(
    ("switches", "phase", "rollback_by"),
    matrix(switches=list(SWITCHES), phase=[Phase.RESTARTED, Phase.COMPLETED], rollback_by=["undo", "reset"]),
)
def test_whatever_the_directory_gives_back_by_itself(phase, switches, rollback_by):
    world = world_of(SWITCHES[switches], rollback_by)
    first_day = as_it_was(world)
    world.run(until=phase)
    go_back(world, first_day)
    attempt_anew(world, 2)
    go_back(world, first_day)
    attempt_anew(world, 3)


def test_undone_twice_and_rolled_back_and_begun_anew():
    world = world_of({})
    first_day = as_it_was(world)
    world.run()
    for phase in (Phase.REOPENED, Phase.UNLINKED):
        world.ask_back(Way.UNDO)
        assert world.run()[ERP].phase is phase
    go_back(world, first_day)
    attempt_anew(world, 2)


def test_reopened_forward_again_and_then_back_is_still_the_first_attempt():
    world = world_of({})
    first_day = as_it_was(world)
    world.run()
    world.ask_back(Way.UNDO)
    world.run()
    world.release(ERP, forward=True)
    assert world.run()[ERP].phase is Phase.COMPLETED
    assert world.state()[ERP].attempt == 1
    go_back(world, first_day)
    attempt_anew(world, 2)


def test_the_dwell_of_the_next_attempt_is_its_own():
    world = world_of({"undo_clears_membership": False})
    first_day = as_it_was(world)
    world.run(until=Phase.SOAKED)
    go_back(world, first_day)
    world.release(ERP, forward=True)
    world.run()
    rows = [(event, at) for event, at in world.told() if isinstance(event, Moved)]
    linked = [at for event, at in rows if event.dest is Phase.LINKED]
    soaked = [at for event, at in rows if event.dest is Phase.SOAKED]
    assert [(there - here).total_seconds() >= 7200 for here, there in zip(linked, soaked, strict=True)] == [True, True]
