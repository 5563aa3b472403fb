"""Reading: a migration must stand still while it is read; what may pass is asked once more; nothing else is sent."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from orchestrator.cli.readings import Readings
from orchestrator.cli.trips import TRIES
from orchestrator.errors import Exit
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Call, Read, Ticket
from orchestrator.model.case import Case
from orchestrator.model.lifecycle import Phase
from orchestrator.model.observation import Fault, FaultKind, Outcome, Reply
from orchestrator.model.run import RunState
from orchestrator.remote.inline import InlinePool
from orchestrator.remote.transport import Leave
from orchestrator.verification import asks, findings
from tests.verification.looking import ids, verified
from tests.world import World

ID = "dmsa-report"


def stood(phase: Phase) -> World:
    world = World()
    world.run([ID], until=phase)
    return world


def test_what_a_runner_moves_meanwhile_is_read_again_and_judged_by_where_it_stands_then():
    world = stood(Phase.LINKED)
    asked = 0

    def journaled() -> RunState:
        nonlocal asked
        asked += 1
        if asked == 2:  # the first reading is over; meanwhile a runner has gone on to the end
            world.run([ID])
        return world.state()

    found = verified(world, journaled)
    assert found.run[ID].phase is Phase.COMPLETED
    assert ids(found) == {}
    assert asked == 3
    assert found.exit is Exit.DONE


def test_what_never_stands_still_is_said_to_be_under_way():
    world = stood(Phase.PREPARED)
    ahead = iter([Phase.STARTED, Phase.LINKED, Phase.REGISTERED])
    states: list[RunState] = []

    def journaled() -> RunState:
        if states:
            world.run([ID], until=next(ahead))
        states.append(world.state())
        return states[-1]

    found = verified(world, journaled)
    assert ids(found) == {ID: ["under-way"]}
    assert "dmsa status PLAN" in found.found[ID][0].next
    assert found.exit is Exit.WAITING


def test_the_other_migrations_are_read_once():
    world = stood(Phase.LINKED)
    calls = 0

    def journaled() -> RunState:
        nonlocal calls
        calls += 1
        if calls == 2:
            world.run([ID], until=Phase.REGISTERED)
        return world.state()

    before = len(world.record)
    verified(world, journaled)
    asked = Counter(
        command.parameters["Identity"]
        for request in world.record[before:]
        for statement in request.statements
        for command in statement
        if command.name == "Get-ADUser" and request.host == "dc02.corp.example"
    )
    assert {count for name, count in asked.items() if str(name).startswith("CN=")} == {1}


class Flaky(MemoryTransport):
    """A transport whose first answers from a host are faults."""

    def __init__(self, world: World, reply: Reply, times: int) -> None:
        super().__init__(world.estate, world.principal)
        self.reply, self.left, self.sent = reply, times, 0

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        assert isinstance(call, Read), "nothing is written"
        found = super().run(call, ticket, leave)
        if not call.endpoint.startswith("app01"):
            return found
        self.sent += 1
        self.left -= 1
        return self.reply if self.left >= 0 else found


def fault(kind: FaultKind, outcome: Outcome = Outcome.FAILED, *, again: bool = False) -> Reply:
    return Reply(outcome, fault=Fault(kind, "x", "app01.corp.example says no", "mend it"), again=again)


@pytest.mark.parametrize(
    ("reply", "times", "left"),
    [
        (fault(FaultKind.TRANSIENT), 1, []),
        (fault(FaultKind.TRANSIENT), TRIES, ["unreadable"]),
        (fault(FaultKind.UNKNOWN, Outcome.UNKNOWN), 1, []),
        (fault(FaultKind.PERMANENT, again=True), 1, []),
        (fault(FaultKind.PERMANENT), 1, ["unreadable"]),
    ],
    ids=["may pass", "does not pass", "lost", "its session had died", "cannot pass"],
)
def test_what_may_pass_is_asked_once_more(reply, times, left):
    world = stood(Phase.RESTARTED)
    transport = Flaky(world, reply, times)
    cases = {ID: Case.of(world.state(), world.plan, ID, world.estate.now)}
    seen = Readings(transport, InlinePool(transport)).all_of((ID,), lambda id_, known: asks(cases[id_], known))
    assert seen is not None
    assert [one.id for one in findings(cases[ID], seen[ID])] == left


def test_once_it_is_stopped_nothing_more_is_asked():
    world = stood(Phase.RESTARTED)
    transport = MemoryTransport(world.estate, world.principal)
    before = len(world.record)
    cases = {ID: Case.of(world.state(), world.plan, ID, world.estate.now)}
    readings = Readings(transport, InlinePool(transport), lambda: len(world.record) > before)
    assert readings.all_of((ID,), lambda id_, known: asks(cases[id_], known)) is None
    assert len(world.record) == before + 1


def test_a_directory_that_is_down_leaves_everything_of_it_unknown():
    world = stood(Phase.RESTARTED)
    world.estate.machines["dc01.corp.example"].down_until = world.estate.now + timedelta(days=1)
    found = verified(world)
    assert found.exit is Exit.HELD
    for told in found.found.values():
        assert {one.id for one in told} == {"unreadable"}
        assert "dc01.corp.example" in {one.subject for one in told}
