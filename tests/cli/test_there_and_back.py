"""A drill's duty on the quick start's estate, without a wire: to everywhere and back, and killed at every moment."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.cli.there_and_back import Order, ThereAndBack, refuse_unfree
from orchestrator.engine.drill import rules_of
from orchestrator.errors import PersonNeeded
from orchestrator.model.drilled import DrillBegan, DrillEnded, DrillTurned, SteadyStateSeen
from orchestrator.model.event import Held, Released, WayBackAsked
from orchestrator.model.lifecycle import PATH, Phase
from orchestrator.views.certificate import certificates
from tests.conductor.test_quickstart import _only_two, before_and_after, sent
from tests.world import Crash, Doom, World

CLOCK = datetime(2026, 11, 29, 12, tzinfo=UTC)
BATCH, ERP = "dmsa-batch", "dmsa-erp"
Change = Callable[[dict[str, Any]], object]


def drilling(to: Phase = Phase.COMPLETED, estate: Change | None = None) -> World:
    """Return a world of two migrations that share a host, whose processes drill."""

    def change_estate(data: dict[str, Any]) -> None:
        if estate is not None:
            estate(data)

    world = World(change_plan=_only_two, change_estate=change_estate)
    world.plan = rules_of(world.plan)
    return ordered(world, to)


def ordered(world: World, to: Phase, *ids: str) -> World:
    order = Order(ids=ids or tuple(world.ids), to=to, by="ann", tool="test", clock=lambda: CLOCK, estate="lab")
    world.duty = ThereAndBack(order)
    return world


def run(world: World, doom: Doom | None = None) -> None:
    assert isinstance(world.duty, ThereAndBack)
    world.run(world.duty.order.ids, until=world.duty.order.to, doom=doom)


def certificate(world: World, number: int = 1) -> dict[str, Any]:
    made = {one["drill"]: one for one in certificates(world.journal.read(), world.plan.name)}
    return made[number]


def told(world: World, kind: type) -> list[Any]:
    return [event for event in world.events() if isinstance(event, kind)]


@pytest.mark.parametrize("to", PATH[1:])
def test_to_every_phase_and_back(to):
    world = drilling(to)
    before = before_and_after(world)
    run(world)
    made = certificate(world)
    assert made["verdict"] == "restored"
    assert {one["reached"] for one in made["migrations"]} == {to.value}
    assert set(world.phases().values()) == {Phase.ROLLED_BACK}
    after = before_and_after(world)
    assert after["accounts"] == before["accounts"]
    assert {n: s for n, (_, s) in after["hosts"].items()} == {n: s for n, (_, s) in before["hosts"].items()}
    assert bool(sent(world, "Complete")) == (to in {Phase.SWITCHED, Phase.COMPLETED})


def test_a_second_drill_is_a_second_attempt_with_its_own_number():
    world = drilling(Phase.STARTED)
    run(world)
    run(ordered(world, Phase.RESTARTED))
    first, second = certificate(world), certificate(world, 2)
    assert [one["attempt"] for one in first["migrations"]] == [1, 1]
    assert [one["attempt"] for one in second["migrations"]] == [2, 2]
    assert (first["to"], second["to"]) == ("started", "restarted")
    assert {event.reason for event in told(world, Released)} == {"drill 2"}


def test_it_begins_only_where_all_is_well():
    def broken(estate: dict[str, Any]) -> None:
        (host,) = (one for one in estate["hosts"] if one["name"] == "app02.corp.example")
        next(one for one in host["services"] if one["name"] == "BatchRunner")["state"] = "Stopped"

    world = drilling(estate=broken)
    run(world)
    assert isinstance(world.duty, ThereAndBack)
    assert world.duty.troubles == {BATCH: ("app02.corp.example: service BatchRunner starts by itself and is Stopped",)}
    assert not told(world, DrillBegan)
    assert {one.when for one in told(world, SteadyStateSeen)} == {"before"}
    assert not [r for r in world.record if r.statements[0][0].name.split("-")[0] not in {"Get", "Test"}]


def test_what_is_held_on_the_way_goes_back_with_the_rest():
    world = drilling()
    world.say(Held(migration=ERP, reason="operator", detail="incident 4711", release="release it", by="bob"))
    with pytest.raises(PersonNeeded, match="incident 4711"):
        run(world)
    world.say(Released(migration=ERP, by="bob", reason="over"))
    _hold_when(world, Phase.STARTED, ERP)
    world.run(until=Phase.COMPLETED)
    made = {one["dmsa"]: one for one in certificate(world)["migrations"]}
    assert (made[BATCH]["verdict"], made[BATCH]["reached"]) == ("restored", "completed")
    assert (made[ERP]["verdict"], made[ERP]["reached"]) == ("cut-short", "started")
    assert made[ERP]["why"] == "held (operator): stop here"
    assert certificate(world)["verdict"] == "cut-short"
    assert set(world.phases().values()) == {Phase.ROLLED_BACK}


def _hold_when(world: World, phase: Phase, id_: str) -> None:
    """Let an operator hold a migration as soon as it has reached a phase."""
    duty = world.duty
    assert duty is not None

    def with_an_operator(conductor: Any) -> None:
        drive = conductor.drive

        def interrupted(**way: Any) -> None:
            if not way:
                conductor._job = _until(conductor._job, phase)
                drive()
                conductor._job = _until(conductor._job, Phase.COMPLETED)
                world.say(Held(migration=id_, reason="operator", detail="stop here", release="release it", by="bob"))
            drive(**way)

        conductor.drive = interrupted
        duty(conductor)

    world.duty = with_an_operator


def _until(job: Any, phase: Phase) -> Any:
    return replace(job, until=phase)


def test_what_never_began_is_left_as_it_was_and_said_to_be_cut_short():
    def old(estate: dict[str, Any]) -> None:
        next(one for one in estate["hosts"] if one["name"] == "app02.corp.example")["build"] = 20348

    world = drilling(estate=old)
    run(world)
    made = certificate(world)
    assert made["verdict"] == "cut-short"
    assert {one["reached"] for one in made["migrations"]} == {"planned"}
    assert all("guard:host-capable" in one["why"] for one in made["migrations"])
    assert set(world.phases().values()) == {Phase.PLANNED}
    with pytest.raises(PersonNeeded, match="dmsa release PLAN --only dmsa-batch --reason TEXT"):
        refuse_unfree(world.state(), tuple(world.ids))


def test_a_service_that_does_not_come_back_is_not_restored():
    world = drilling(Phase.STARTED)
    run(world)
    ordered(world, Phase.RESTARTED)
    duty = world.duty
    assert duty is not None

    def and_then_it_broke(conductor: Any) -> None:
        look = conductor.look

        def broken(wanted: Any) -> Any:
            if conductor.state.turned is not None:
                machine = world.estate.machines["app02.corp.example"]
                world.estate.workloads.stop_service(machine.services["erpqueue"])
            return look(wanted)

        conductor.look = broken
        duty(conductor)

    world.duty = and_then_it_broke
    world.run(until=Phase.RESTARTED)
    made = {one["dmsa"]: one for one in certificate(world, 2)["migrations"]}
    assert (made[ERP]["verdict"], made[BATCH]["verdict"]) == ("not-restored", "restored")
    assert made[ERP]["steady"]["after"]["troubles"] == [
        "app02.corp.example: service ErpQueue starts by itself and is Stopped"
    ]


@pytest.mark.parametrize("phase", PATH[1:])
def test_what_is_in_a_run_is_not_drilled(phase):
    world = drilling(phase)
    duty, world.duty = world.duty, None
    world.run(until=phase)
    assert duty is not None
    world.duty = duty
    with pytest.raises(PersonNeeded, match=f"{BATCH} is {phase}: it is in a run.*dmsa rollback PLAN --only {BATCH}"):
        world.run(until=phase)
    assert not told(world, SteadyStateSeen)


def test_who_was_released_for_a_new_attempt_by_hand_is_drilled():
    world = drilling(Phase.PREPARED)
    run(world)
    world.say(Released(migration=BATCH, by="ann", reason="again", forward=True))
    run(ordered(world, Phase.PREPARED))
    assert [one["attempt"] for one in certificate(world, 2)["migrations"]] == [2, 2]


def alone() -> World:
    """Return a world in which one of the two is drilled."""
    return ordered(drilling(), Phase.LINKED, BATCH)


@functools.cache
def moments() -> int:
    """How many moments there are at which the process may die."""
    world, doom = alone(), Doom()
    run(world, doom)
    return doom.passed


@pytest.mark.parametrize("part", range(4))
def test_killed_at_any_moment_the_same_command_goes_on(part):
    """Before and after every append and every write: one drill, one Start and one Undo each, and all as it was."""
    for at in range(1 + part, moments() + 1, 4):
        world = alone()
        before = before_and_after(world)
        with pytest.raises(Crash):
            run(world, Doom(at))
        if not told(world, DrillEnded):
            run(world)
        made = certificate(world)
        assert made["verdict"] == "restored", f"killed at moment {at}"
        assert len(told(world, DrillBegan)) == len(told(world, DrillTurned)) == len(told(world, DrillEnded)) == 1
        assert Counter(one.migration for one in told(world, WayBackAsked)) == {BATCH: 1}
        assert set(sent(world, "Start").values()) == set(sent(world, "Undo").values()) == {1}
        assert before_and_after(world)["accounts"] == before["accounts"]


def test_a_drill_that_has_turned_never_goes_forward():
    for at in range(1, moments() + 1, 5):
        world = alone()
        with pytest.raises(Crash):
            run(world, Doom(at))
        if told(world, DrillTurned) and not told(world, DrillEnded):
            before = sum(sent(world, verb).total() for verb in ("Start", "Complete"))
            run(world)
            assert sum(sent(world, verb).total() for verb in ("Start", "Complete")) == before


def test_what_the_directory_did_not_give_back_is_certified_too_and_a_rollback_ends_it():
    """Delegation is nothing that a cmdlet of the catalogue can write: a person must, and the certificate says so."""
    world = drilling()
    duty = world.duty
    assert duty is not None
    server, delegation = "dc01.corp.example", "msDS-AllowedToDelegateTo"
    account = world.estate.directory.replicas[server].account("svc-erp")
    assert account is not None
    delegates_to = account.get(delegation)

    def and_it_was_lost(conductor: Any) -> None:
        drive = conductor.drive

        def lost(**way: Any) -> None:
            if way:  # after the second Undo, which gives it back, and before everything is compared
                take = functools.partial(world.estate.directory.write, server, account.guid, {delegation: ()})
                world.estate.clock.after(timedelta(minutes=1), take)
            drive(**way)

        conductor.drive = lost
        duty(conductor)

    world.duty = and_it_was_lost
    world.run(until=Phase.COMPLETED)
    made = {one["dmsa"]: one for one in certificate(world)["migrations"]}
    assert certificate(world)["verdict"] == made[ERP]["verdict"] == "not-restored"
    assert made[BATCH]["verdict"] == "restored"
    assert made[ERP]["held"].startswith("held (restored-by-hand): ")
    (failed,) = made[ERP]["snapshot"]["differences"]["failed"]
    assert (failed["name"], failed["before"], failed["now"]) == (delegation, ["MSSQLSvc/db01.corp.example"], None)
    assert failed["by_hand"]
    with pytest.raises(PersonNeeded, match=f"{ERP} is restored: it is in a run"):
        run(ordered(world, Phase.STARTED))

    world.duty = None
    world.estate.directory.write(server, account.guid, {delegation: delegates_to})
    world.say(Released(migration=ERP, by="ann", reason="delegation is back"))
    world.run()
    assert world.phases()[ERP] is Phase.ROLLED_BACK
    run(ordered(world, Phase.STARTED))
    assert certificate(world, 2)["verdict"] == "restored"
