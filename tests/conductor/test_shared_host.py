"""Three accounts on one host: its registry value while they come and go, over waves and plans that share a journal."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.model.event import AttemptFinished, AttemptStarted, SubjectDone
from orchestrator.model.lifecycle import Phase, Trigger, Way
from orchestrator.views.status import status_document
from orchestrator.views.summary import summary
from tests.whole import matrix, some
from tests.world import Crash, Doom, World

PLAN, ESTATE = "plans/shared-host.yaml", "plans/estates/shared-host.yaml"
HOST = "fs01.corp.example"
THREE = ("dmsa-print", "dmsa-scan", "dmsa-fax")
LAYOUTS: dict[str, list[list[list[str]]]] = yaml.safe_load(
    (Path(__file__).parent / "shared_host.yaml").read_text(encoding="utf-8")
)
ORIGINALS = {"absent": None, "it was 0": 0, "it was 1": 1}
ORDERS = list(itertools.permutations(THREE))


def laid_out(waves: list[list[str]], name: str) -> Callable[[dict[str, Any]], None]:
    """Return what makes a plan of these waves of the plan of one wave."""

    def change(data: dict[str, Any]) -> None:
        by_name = {one["dmsa"]["name"]: one for wave in data["waves"] for one in wave["migrations"]}
        data["name"] = name
        data["waves"] = [
            {"name": f"w{number}", "needs": [], "migrations": [by_name[id_] for id_ in ids]}
            for number, ids in enumerate(waves, 1)
        ]

    return change


def with_switch(value: int | None) -> Callable[[dict[str, Any]], None]:
    """Return what sets the host's registry value on the first day."""

    def change(data: dict[str, Any]) -> None:
        (host,) = data["hosts"]
        host.pop("kerberos")
        if value is not None:
            host["kerberos"] = value

    return change


def worlds_of(layout: str, original: int | None) -> dict[str, World]:
    """Return for each migration the world of its plan; all of them are one estate and one journal."""
    found: dict[str, World] = {}
    first: World | None = None
    for number, waves in enumerate(LAYOUTS[layout], 1):
        world = World(PLAN, ESTATE, laid_out(waves, f"plan-{number}"), with_switch(original), beside=first)
        first = first or world
        found |= dict.fromkeys(world.ids, world)
    return found


def each(worlds: dict[str, World]) -> Iterator[World]:
    yield from dict.fromkeys(worlds.values())


def switch(worlds: dict[str, World]) -> int | None:
    """Return the registry value as it is at the far side."""
    return next(each(worlds)).far_side.switch(HOST)


def roll_back(worlds: dict[str, World], id_: str) -> None:
    worlds[id_].ask_back(Way.ROLLBACK, [id_])
    assert worlds[id_].run()[id_].phase is Phase.ROLLED_BACK


def named(worlds: dict[str, World], id_: str, others: set[str]) -> list[str]:
    """Return how others are called in the plan of a migration."""
    own = worlds[id_]
    return sorted(one if worlds[one] is own else f"{worlds[one].plan.name}/{one}" for one in others)


def host_of(world: World, id_: str) -> dict[str, Any]:
    """Return what ``status`` says of the host of a migration."""
    document = status_document(world.state(), world.plan, world.digest, world.estate.now)
    migrations = (one for wave in document["waves"] for one in wave["migrations"])
    (found,) = next(one["hosts"] for one in migrations if one["dmsa"] == id_)
    return dict(found)


@pytest.mark.parametrize(("layout", "was", "order"), matrix(layout=list(LAYOUTS), was=list(ORIGINALS), order=ORDERS))
def test_the_value_goes_back_with_the_last_one_and_no_sooner(layout, was, order):
    original = ORIGINALS[was]
    worlds = worlds_of(layout, original)
    for world in each(worlds):
        world.run(until=Phase.RESTARTED)
        assert set(world.phases().values()) == {Phase.RESTARTED}
        assert switch(worlds) == 1
    left = set(THREE)
    for id_ in order:
        left.discard(id_)
        roll_back(worlds, id_)
        assert switch(worlds) == (1 if left else original), f"after {id_}, still there: {left}"
        said = host_of(worlds[id_], id_)
        assert (said["registry"], said["kept_for"]) == (
            ("kept", named(worlds, id_, left)) if left else ("restored", [])
        )
        done = [e for e in worlds[id_].events() if isinstance(e, SubjectDone) and e.step is Trigger.RESTORE]
        assert done[-1].evidence.get("needed_by", []) == named(worlds, id_, left)
    for world in each(worlds):
        assert not world.state().switches.uses
        assert [host_of(world, id_)["kept_for"] for id_ in world.ids] == [[] for _ in world.ids]


@pytest.mark.parametrize("was", ORIGINALS)
@pytest.mark.parametrize("order", some(ORDERS, 2), ids="-".join)
def test_one_that_comes_while_another_leaves_takes_nothing_of_ours_for_the_original(order, was):
    """Each begins when the one before it is completed, and that one then goes back; each is once the first to come."""
    original = ORIGINALS[was]
    worlds = worlds_of("in three plans", original)
    for before, id_ in itertools.pairwise((None, *order)):
        assert id_ is not None
        worlds[id_].run()
        assert worlds[id_].phases()[id_] is Phase.COMPLETED
        if before is not None:
            roll_back(worlds, before)
        assert switch(worlds) == 1
    roll_back(worlds, order[-1])
    assert switch(worlds) == original


@pytest.mark.parametrize("to", [Phase.PREPARED, Phase.LINKED, Phase.REGISTERED, Phase.RESTARTED])
def test_one_that_never_set_it_leaves_it_alone(to):
    worlds = worlds_of("in three plans", 0)
    worlds["dmsa-print"].run()
    worlds["dmsa-scan"].run(until=to)
    roll_back(worlds, "dmsa-scan")
    assert switch(worlds) == 1
    roll_back(worlds, "dmsa-print")
    assert switch(worlds) == 0


def test_a_summary_says_for_whom_a_value_was_kept():
    worlds = worlds_of("in three plans", 0)
    for world in each(worlds):
        world.run()
    roll_back(worlds, "dmsa-print")
    world = worlds["dmsa-print"]
    text = summary(status_document(world.state(), world.plan, world.digest, world.estate.now), "plan.yaml")
    assert f"    kept: DelegatedMSAEnabled at {HOST}, for plan-2/dmsa-scan, plan-3/dmsa-fax\n" in text


class AtTheRemoval(Doom):
    """Lets the process die once the write that takes the value away has been announced, or has been sent."""

    def __init__(self, world: World, after: str) -> None:
        super().__init__()
        self._world, self._after = world, after

    def moment(self, doing: Any = "append") -> None:
        del doing
        if self.dead:
            raise Crash
        last = self._world.events()[-1]
        announced = isinstance(last, AttemptStarted) and last.cmdlet == "Remove-ItemProperty"
        sent = self._world.record and any(
            command.name == "Remove-ItemProperty"
            for statement in self._world.record[-1].statements
            for command in statement
        )
        if sent if self._after == "sent" else announced:
            self.dead = True
            raise Crash


@pytest.mark.parametrize("after", ["announced", "sent"])
def test_nobody_relies_on_a_value_that_a_dead_runner_of_another_plan_may_still_take_away(after):
    worlds = worlds_of("in three plans", None)
    first, second = worlds["dmsa-print"], worlds["dmsa-scan"]
    first.run()
    second.run(until=Phase.LINKED)
    first.ask_back(Way.ROLLBACK)
    with pytest.raises(Crash):
        first.run(doom=AtTheRemoval(first, after))
    assert not any(isinstance(event, AttemptFinished) for event in first.events()[-1:])
    state = second.run()
    assert state["dmsa-scan"].phase is Phase.LINKED
    assert state["dmsa-scan"].held is not None
    assert (state["dmsa-scan"].held.reason, state["dmsa-scan"].held.subject) == ("unknown-outcome", HOST)
    assert "plan-1/dmsa-print" in state["dmsa-scan"].held.detail
    assert first.run()["dmsa-print"].phase is Phase.ROLLED_BACK
    assert switch(worlds) is None
    second.release()
    assert second.run()["dmsa-scan"].phase is Phase.COMPLETED
    assert switch(worlds) == 1
    roll_back(worlds, "dmsa-scan")
    assert switch(worlds) is None
