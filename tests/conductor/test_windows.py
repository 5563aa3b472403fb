"""Windows, kept from the first restart to the last, and what is brought up outside of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from orchestrator.model.event import AttemptStarted, Moved
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.rehearsal.windows import may_begin
from tests.world import World

BATCH, HOST = "dmsa-batch", "app02.corp.example"
EVENING = {"days": ["mon"], "open": "18:00", "close": "20:00", "zone": "UTC"}


def batch_alone(data: dict[str, Any]) -> None:
    waiver = {"guard": "dwell-minimum", "reason": "weeks are not the point", "approved_by": ["ann"]}
    found = [m for wave in data["waves"] for m in wave["migrations"] if m["dmsa"]["name"] == BATCH]
    found[0]["waivers"] = [waiver]
    data["policy"].update(dwell="2h", flat_for="2h", ledger_every="1h", retry={"attempts": 2})
    data["waves"] = [{"name": "only", "window": EVENING, "migrations": found}]


def test_every_step_begins_in_its_window_and_what_it_restarted_was_measured():
    world = World("plans/waves.yaml")
    state = world.run()
    assert set(world.phases().values()) == {Phase.COMPLETED}
    begun: set[tuple[str, Trigger]] = set()
    late = []
    for event, at in world.told():
        if isinstance(event, AttemptStarted) and event.step is not Trigger.CONFIRM:
            first = (event.migration, event.step) not in begun or event.cmdlet == "Restart-Service"
            if first and not may_begin(world.plan.wave_of(event.migration), event.step, at):
                late.append((event.migration, event.step, at))
            begun.add((event.migration, event.step))
    assert not late
    assert len(begun) > 15
    restarts = [event for event in world.events() if getattr(event, "cmdlet", "") == "Restart-Service"]
    assert len(restarts) == state.restarts.measured == len(state.restarts.every) == 10
    assert len(state.restarts.own["dmsa-erp"]) == 2, "ErpQueue comes along with ErpApi"
    assert max(state.restarts.every) < timedelta(minutes=1)


def test_a_service_that_a_restart_left_down_is_brought_up_as_soon_as_it_is_released():
    world = World(change_plan=batch_alone)
    service = world.estate.machine(HOST).services["batchrunner"]
    world.run(until=Phase.REGISTERED)
    service.broken = 1000
    state = world.run()
    assert state[BATCH].held is not None
    assert not service.running
    world.estate.advance_to(world.estate.now + timedelta(hours=15))
    morning = world.estate.now
    service.broken = 0
    world.release(BATCH)
    world.run(until=Phase.RESTARTED)
    assert service.running
    restarted = [at for event, at in world.told() if isinstance(event, AttemptStarted) and event.step == "restart"]
    assert morning <= restarted[-1] < morning + timedelta(minutes=10), "not next Monday"
    assert all(took < timedelta(minutes=1) for took in world.state().restarts.every), "the night was no restart"


def test_once_complete_was_sent_it_runs_to_its_end_although_a_person_released_it_outside_the_window():
    apart = {"kind": "partition", "host": "dc02.corp.example", "lasts": "20h"}
    apart["when"] = {"cmdlet": "Complete-ADServiceAccountMigration"}
    world = World(change_plan=batch_alone, change_estate=lambda estate: estate.update(weather=[apart]), sooner=False)
    held = world.run()[BATCH].held
    assert held is not None
    assert held.reason == "not-converged"
    world.release(BATCH)
    state = world.run()
    moved = [(event.dest, at) for event, at in world.told() if isinstance(event, Moved)]
    assert state[BATCH].phase is Phase.COMPLETED
    completed = next(at for dest, at in moved if dest is Phase.COMPLETED)
    sent = next(at for event, at in world.told() if getattr(event, "cmdlet", "").startswith("Complete-"))
    assert timedelta(hours=12) < completed - sent < timedelta(hours=24), "neither in the window nor in the next one"
