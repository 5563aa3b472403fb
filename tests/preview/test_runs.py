"""Prediction and trace of random plans agree; where somebody interferes, they do not, and it is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.model.event import WayBackAsked
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.preview import WayBack, held_against
from orchestrator.preview.against import Verdict
from orchestrator.rehearsal.world import World
from tests.preview.runs import (
    compared,
    looked_ahead,
    of_plans,
    registering,
    twice_looked,
    ways_back_compared,
    world_of,
)
from tests.wayback.plans import rehearsed

SEEDS = 8
ONCE_OTHERWISE = (225, 279, 358)
"""A host that reboots and is not predicted; a neighbour at rest whose dependent a reboot takes along; and one whose
service that reboot has restarted, so that it need not be."""


def test_prediction_is_trace():
    came = of_plans((*range(1, SEEDS + 1), *ONCE_OTHERWISE))
    assert {one.seed: one.wrong for one in came if one.wrong} == {}
    assert sum(one.changes for one in came) > 30 * SEEDS, "much was compared"
    assert len({one.begun for one in came}) > 2, "plans in progress, too"


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_way_back_changes_what_was_predicted(seed):
    assert ways_back_compared(seed) == []


def with_interference(world: World) -> None:
    """Let somebody set a host's value by hand, and take a service's dependents away from it."""
    for machine in world.estate.machines.values():
        if machine.dc is None:
            machine.kerberos = 1 if machine.kerberos != 1 else 0


def test_the_comparison_can_fail():
    """What somebody else changes between prediction and run is found."""
    assert compared(3).wrong == ()
    assert compared(3, with_interference).wrong != ()


def test_a_service_that_was_added_by_hand_is_found():
    def add(world: World) -> None:
        machine = next(one for one in world.estate.machines.values() if one.services and one.dc is None)
        first = next(iter(machine.services.values()))
        spec = first.spec.model_copy(
            update={"name": "Added", "depends_on": (first.spec.name,), "log_on": "LocalSystem"}
        )
        machine.services["added"] = type(first)(spec, running=True, pid=machine.take_pid(), started=machine.boot)

    assert any("Added" in line for line in compared(6, add).wrong)


def test_nothing_is_written_and_nothing_appended():
    world = world_of(rehearsed(2))
    world.run(until=Phase.REGISTERED)
    rows, far = world.journal.head(), len(world.record)
    looked_ahead(world, ways_back=True)
    came = world.record[far:]
    assert came, "it was read"
    assert not [request for request in came if world.estate.writes(request)]
    assert world.journal.head() == rows


def test_the_same_is_predicted_again():
    one, other = twice_looked(5)
    assert one == other


def told(world: World) -> list:
    from orchestrator.model.event import from_body

    return [(row.seq, from_body(row.kind, row.body)) for row in world.journal.read(run=world.plan.name)]


@pytest.mark.parametrize("seed", [1, 2, 4, 9])
def test_the_journal_tells_that_it_came_as_predicted(seed):
    world = world_of(registering(rehearsed(seed)))
    kept = looked_ahead(world)
    before = held_against(kept, told(world))
    assert {one.verdict for one in before} == {Verdict.NOT_YET}
    world.run()
    found = held_against(kept, told(world))
    wrong = [one for one in found if one.verdict in {Verdict.OTHERWISE, Verdict.UNFORESEEN, Verdict.NOT_YET}]
    assert wrong == []
    assert sum(one.verdict is Verdict.AS_PREDICTED for one in found) > len(found) / 2


def test_the_journal_tells_what_came_otherwise():
    world = world_of(rehearsed(3))
    kept = looked_ahead(world)
    with_interference(world)
    world.run()
    found = held_against(kept, told(world))
    assert {one.verdict for one in found} & {Verdict.OTHERWISE, Verdict.UNFORESEEN}


def test_half_of_it_is_told_to_be_not_done_yet():
    world = world_of(rehearsed(4))
    kept = looked_ahead(world)
    world.run(until=Phase.STARTED)
    verdicts = {one.step: set() for one in held_against(kept, told(world))}  # type: dict[str, set[Verdict]]
    for one in held_against(kept, told(world)):
        verdicts[one.step].add(one.verdict)
    assert Verdict.AS_PREDICTED in verdicts["start"]
    assert verdicts["complete"] == {Verdict.NOT_YET}


def test_a_way_back_is_held_against_the_ways_back():
    world = world_of(rehearsed(4))
    kept = looked_ahead(world, ways_back=True)
    world.run(until=Phase.RESTARTED)
    for id_ in world.ids:
        if world.state()[id_].phase is Phase.RESTARTED:
            world.say(WayBackAsked(migration=id_, way=Way.ROLLBACK, by="operator"))
    world.run(until=Phase.RESTARTED)
    found = held_against(kept, told(world))
    assert [one for one in found if one.verdict in {Verdict.OTHERWISE, Verdict.UNFORESEEN}] == []
    assert any(one.verdict is Verdict.TAKEN_BACK for one in found)
    assert any(one.step == "undo" and one.verdict is Verdict.AS_PREDICTED for one in found)


def test_an_estate_that_cannot_be_read_is_not_predicted():
    world = world_of(rehearsed(2))
    host = world.plan.migration(world.ids[0]).hosts[0].name
    machine = world.estate.machine(host)
    machine.down_until = world.estate.now + timedelta(hours=2)
    kept = looked_ahead(world)
    ending = kept.endings[world.ids[0]]
    assert ending.obstacle is not None
    assert ending.obstacle.unknown
    assert ending.obstacle.reason == "guard:host-reachable"
    assert kept.of(world.ids[0]) == ()


def test_ways_back_begin_where_something_is_to_be_undone():
    kept = looked_ahead(world_of(rehearsed(9)), ways_back=True)
    ways = next(iter(kept.ways_back.values()))
    assert all(isinstance(way, WayBack) for way in ways)
    assert ways[0].phase is Phase.PREPARED
    assert ways[0].sends == ()
    assert all(way.ends is Phase.ROLLED_BACK for way in ways)
