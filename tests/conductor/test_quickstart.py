"""The quick start's plan on its estate, without a wire: forward, again, back, and killed at every moment."""

import contextlib
import functools
import itertools
from collections import Counter

import pytest

from orchestrator.engine.outcome import exit_of
from orchestrator.model.event import AttemptFinished, AttemptStarted, LedgerRead, Moved
from orchestrator.model.lifecycle import PATH, Phase, Way
from orchestrator.model.observation import Outcome
from tests.whole import some
from tests.world import Crash, Doom, World

MIGRATION = ("Start", "Complete", "Undo", "Reset")
SERVICES = {"ReportServer", "BatchRunner", "ErpApi", "ErpQueue", "WebFront", "DirSync"}


def sent(world: World, verb: str) -> Counter:
    return Counter(str(p["Identity"]) for p in world.arrived(f"{verb}-ADServiceAccountMigration"))


def before_and_after(world: World) -> dict:
    """What a way back must leave as it was: accounts, their SPNs, registry, services."""
    shown = world.estate.describe()
    accounts = {
        dn: {k: v for k, v in entry.items() if k in {"servicePrincipalName", "userAccountControl"}}
        for dn, entry in shown["directory"]["dc01.corp.example"].items()
        if dn.startswith("CN=svc-")
    }
    hosts = {}
    for name, machine in shown["machines"].items():
        hosts[name] = (machine.get("registry"), {s: v["state"] for s, v in machine.get("services", {}).items()})
    return {"accounts": accounts, "hosts": hosts}


def test_forward_then_again_then_back():
    world = World()
    before = before_and_after(world)

    state = world.run()
    assert set(world.phases().values()) == {Phase.COMPLETED}
    assert exit_of(state, world.plan) == 0
    assert set(sent(world, "Start").values()) == {1}
    assert len(sent(world, "Start")) == 5
    assert sent(world, "Complete") == sent(world, "Start")
    assert {str(p["Name"]) for p in world.arrived("Restart-Service")} <= SERVICES

    writes = len([r for r in world.record if r.statements[0][0].name.split("-")[0] not in {"Get", "Test"}])
    world.run()
    again = len([r for r in world.record if r.statements[0][0].name.split("-")[0] not in {"Get", "Test"}])
    assert again == writes

    world.ask_back(Way.ROLLBACK)
    state = world.run()
    assert set(world.phases().values()) == {Phase.ROLLED_BACK}
    assert exit_of(state, world.plan) == 5
    after = before_and_after(world)
    assert after["accounts"] == before["accounts"]
    assert {n: s for n, (_, s) in after["hosts"].items()} == {n: s for n, (_, s) in before["hosts"].items()}


def test_complete_never_before_the_dwell():
    world = World()
    world.run()
    times = {}
    for row in world.journal.read():
        times.setdefault((row.body.get("migration"), row.kind, row.body.get("dest"), row.body.get("cmdlet")), row.at)
    for id_ in world.ids:
        linked = times[(id_, "moved", "linked", None)]
        completed = times[(id_, "attempt-started", None, "Complete-ADServiceAccountMigration")]
        assert (completed - linked).days >= 14


def test_the_second_wave_waits_for_the_first():
    world = World()
    world.run()
    moved = [(event.migration, event.dest) for event in world.events() if isinstance(event, Moved)]
    first_of_main = min(moved.index((id_, Phase.PREPARED)) for id_ in ("dmsa-erp", "dmsa-web", "dmsa-sync"))
    assert all(moved.index((id_, Phase.COMPLETED)) < first_of_main for id_ in ("dmsa-report", "dmsa-batch"))


def test_every_write_is_intended_first_and_read_back_after():
    world = World()
    world.run()
    open_ = {}
    for event in world.events():
        if isinstance(event, AttemptStarted):
            assert (event.migration, event.subject) not in open_
            open_[(event.migration, event.subject)] = event
        elif isinstance(event, AttemptFinished):
            assert event.outcome is Outcome.SUCCEEDED
            del open_[(event.migration, event.subject)]
    assert not open_


def test_the_ledger_knows_every_host_of_the_plan():
    world = World()
    world.run()
    last = {event.migration: event for event in world.events() if isinstance(event, LedgerRead)}
    for migration in world.plan.migrations():
        assert set(last[migration.id].hosts_present) == {host.name for host in migration.hosts}


@functools.cache
def moments() -> int:
    """How many moments there are at which the process may die."""
    world, doom = World(change_plan=_only_two), Doom()
    world.run(doom=doom)
    return doom.passed


def _only_two(plan: dict) -> None:
    """Two accounts that share a host, with a dwell of hours: what matters here does not happen while it passes."""
    pilot, main = plan["waves"]
    pilot["migrations"] = [m for m in pilot["migrations"] if m["dmsa"]["name"] == "dmsa-batch"]
    main["migrations"] = [m for m in main["migrations"] if m["dmsa"]["name"] == "dmsa-erp"]
    for migration in (*pilot["migrations"], *main["migrations"]):
        migration["waivers"] = [{"guard": "dwell-minimum", "reason": "a test of something else", "approved_by": ["a"]}]
    plan["policy"] = {"dwell": "2h", "flat_for": "2h"}
    plan["estate"] = {"lab": "x"}


@pytest.mark.parametrize("part", range(8))
def test_killed_at_any_moment_the_next_run_finishes(part):
    """Before and after every append and every write: the same end, one Start and one Complete per account."""
    for at in some(range(1, moments() + 1), 3)[part::8]:
        world = World(change_plan=_only_two)
        with pytest.raises(Crash):
            world.run(doom=Doom(at))
        world.run()
        assert set(world.phases().values()) == {Phase.COMPLETED}, f"killed at moment {at}"
        assert set(sent(world, "Start").values()) == {1}, f"killed at moment {at}"
        assert set(sent(world, "Complete").values()) == {1}, f"killed at moment {at}"


@pytest.mark.parametrize("phase", PATH[1:])
@pytest.mark.parametrize("way", [Way.RESET, Way.ROLLBACK])
def test_the_way_back_from_every_phase(phase, way):
    world = World(change_plan=_only_two)
    before = before_and_after(world)
    world.run(until=phase)
    ids = [id_ for id_, reached in world.phases().items() if reached is not Phase.PLANNED]
    assert phase in world.phases().values()
    world.ask_back(way, ids)
    world.run()
    if way is Way.RESET:
        assert {world.phases()[id_] for id_ in ids} <= {Phase.UNLINKED, Phase.ROLLED_BACK}
        world.ask_back(Way.ROLLBACK, ids)
        world.run()
    assert {world.phases()[id_] for id_ in ids} == {Phase.ROLLED_BACK}
    after = before_and_after(world)
    assert after["accounts"] == before["accounts"]
    assert {n: s for n, (_, s) in after["hosts"].items()} == {n: s for n, (_, s) in before["hosts"].items()}


def test_undo_goes_one_phase_back_and_then_holds():
    world = World(change_plan=_only_two)
    world.run()
    world.ask_back(Way.UNDO, ["dmsa-batch"])
    state = world.run()
    assert state["dmsa-batch"].phase is Phase.REOPENED
    assert state["dmsa-batch"].held.reason == "undone"
    assert sum(sent(world, "Undo").values()) == 1
    world.ask_back(Way.UNDO, ["dmsa-batch"])
    state = world.run()
    assert state["dmsa-batch"].phase is Phase.UNLINKED
    assert sum(sent(world, "Undo").values()) == 2


@pytest.mark.parametrize("order", list(itertools.permutations(["dmsa-batch", "dmsa-erp"])))
def test_a_shared_host_keeps_its_value_until_the_last_has_left(order):
    world = World(change_plan=_only_two)
    world.run()
    first, last = order
    world.ask_back(Way.ROLLBACK, [first])
    state = world.run()
    assert state[first].hosts["app02.corp.example"].registry == "kept"
    world.ask_back(Way.ROLLBACK, [last])
    state = world.run()
    assert state[last].hosts["app02.corp.example"].registry == "restored"
    assert "app02.corp.example" not in state.switches.uses


@functools.cache
def one_after_the_other() -> World:
    """A run to the end in which no two calls end together; it is only looked at."""
    world = World()
    world.run()
    return world


@pytest.mark.parametrize("together", [2, 5, None])
def test_however_many_calls_end_together_the_end_is_the_same(together):
    world, one_by_one = World(), one_after_the_other()
    world.run(together=together)
    assert set(world.phases().values()) == {Phase.COMPLETED}
    for verb in MIGRATION:
        assert sent(world, verb) == sent(one_by_one, verb)
    assert Counter(event.kind for event in world.events() if isinstance(event, Moved)) == Counter(
        event.kind for event in one_by_one.events() if isinstance(event, Moved)
    )
    again = World()
    again.run(together=together)
    assert [row.hash for row in again.journal.read()] == [row.hash for row in world.journal.read()]


@pytest.mark.parametrize("at", some(range(1, 60, 6), 3))
def test_killed_while_many_calls_end_together_nothing_is_done_twice(at):
    world = World()
    with contextlib.suppress(Crash):
        world.run(doom=Doom(at), together=None)
    state = world.run(together=None)
    assert set(world.phases().values()) == {Phase.COMPLETED}
    assert state.migrations == world.state().migrations
    assert set(sent(world, "Start").values()) == set(sent(world, "Complete").values()) == {1}
