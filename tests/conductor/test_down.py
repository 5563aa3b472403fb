"""A way back that leaves something down has failed: it says what is down and where, and goes on once that is mended."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cli.backwards import reached_of, way_back_end
from orchestrator.errors import Exit
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.views.status import status_document
from orchestrator.views.summary import summary
from tests.conductor.test_weather import BATCH, HOST, weather
from tests.world import World

WEB = "dmsa-web"
POOLS, POOLS_ESTATE = "tests/simulation/plans/reset.yaml", "tests/simulation/plans/estates/reset.yaml"


def broken(world: World, times: int) -> None:
    """Let a service not start for so many times."""
    world.estate.machine(HOST).services["batchrunner"].broken = times


def judged(world: World, way: Way, *ids: str) -> tuple[Exit, str]:
    """Return the exit code of the verb and its last line."""
    state = world.state()
    code = reached_of(state, ids, way)
    return code, way_back_end(state, way, ids, ids, code)


@pytest.mark.parametrize("until", [Phase.REGISTERED, Phase.RESTARTED, Phase.SOAKED, Phase.COMPLETED])
@pytest.mark.parametrize("stopped", [False, True], ids=["it ran", "it was down"])
def test_a_service_that_does_not_come_back(until, stopped):
    world = weather()
    world.run(until=until)
    service = world.estate.machine(HOST).services["batchrunner"]
    if stopped:
        world.estate.workloads.stop_service(service)
    broken(world, 1000)
    world.ask_back(Way.ROLLBACK)
    state = world.run()
    if until is Phase.REGISTERED and not stopped:
        assert state[BATCH].phase is Phase.ROLLED_BACK, "nothing was restarted, so nothing is restarted"
        return
    assert (state[BATCH].held.subject, state[BATCH].held.down) == (HOST, ("BatchRunner",))
    assert not service.running
    code, said = judged(world, Way.ROLLBACK, BATCH)
    assert code is Exit.FAILED
    assert f"down, and not to be started, is {HOST}: BatchRunner" in said
    document = status_document(state, world.plan, world.digest, world.estate.now)
    assert document["exit"] == 5
    assert f"BatchRunner on {HOST}" in summary(document, "plan.yaml")
    broken(world, 0)
    world.release(BATCH)
    assert world.run()[BATCH].phase is Phase.ROLLED_BACK
    assert service.running
    assert judged(world, Way.ROLLBACK, BATCH)[0] is Exit.DONE


def test_one_that_ran_and_cannot_be_restarted_is_not_down():
    """Rights are missing for the restart: a person is needed, and nothing is down."""
    denied = {"kind": "access-denied", "when": {"cmdlet": "Restart-Service", "nth": 2, "times": 9}}
    world = weather(denied)
    world.run(until=Phase.RESTARTED)
    world.ask_back(Way.ROLLBACK)
    state = world.run()
    assert (state[BATCH].held.reason, state[BATCH].held.down) == ("fault", ())
    assert judged(world, Way.ROLLBACK, BATCH)[0] is Exit.HELD


def test_forward_it_is_a_person_who_is_needed():
    world = weather(
        {"kind": "service-broken", "host": HOST, "service": "BatchRunner", "times": 1000}
        | {"when": {"cmdlet": "Start-ADServiceAccountMigration"}}
    )
    state = world.run()
    assert state[BATCH].held is not None
    assert state[BATCH].held.down == ()


def test_a_person_elsewhere_counts_more():
    world = weather(ids=(BATCH, WEB))
    world.run(until=Phase.RESTARTED)
    broken(world, 1000)
    world.estate.machine("app03.corp.example").down_until = world.estate.now.replace(year=2036)
    world.ask_back(Way.ROLLBACK)
    state = world.run()
    assert state[BATCH].held.down == ("BatchRunner",)
    assert state[WEB].held.down == ()
    code, said = judged(world, Way.ROLLBACK, BATCH, WEB)
    assert code is Exit.HELD
    assert "BatchRunner" in said


@pytest.mark.parametrize("way", [Way.RESET, Way.ROLLBACK])
def test_an_application_pool_that_is_stopped_cannot_be_started_here_and_is_not_passed_over(way):
    world = World(POOLS, POOLS_ESTATE)
    world.run(until=Phase.LINKED)
    pool = world.estate.machine(HOST).pools["shop"]
    pool.started = False
    world.ask_back(way, [WEB])
    state = world.run([WEB])
    assert (state[WEB].held.reason, state[WEB].held.down) == ("fault", ("Shop",))
    assert world.far_side.pair("dmsa-web", "dc01.corp.example") == (0, 0), "the account works again before that"
    assert judged(world, way, WEB)[0] is Exit.FAILED
    pool.started = True
    world.release(WEB)
    world.run([WEB])
    assert judged(world, way, WEB)[0] is Exit.DONE


def test_a_pool_that_did_not_run_before_is_nobody_s_fault():
    def stopped(estate: dict[str, Any]) -> None:
        for host in estate["hosts"]:
            for pool in host.get("app_pools", ()):
                pool["state"] = "Stopped"

    world = World(POOLS, POOLS_ESTATE, change_estate=stopped)
    world.run(until=Phase.LINKED)
    world.ask_back(Way.ROLLBACK, [WEB])
    assert world.run([WEB])[WEB].phase is Phase.ROLLED_BACK
