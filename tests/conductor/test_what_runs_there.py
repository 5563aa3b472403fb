"""Hosts that say themselves what runs there: asked once in an attempt, and by that list to the end and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.lab.estate.machine import Service
from orchestrator.lab.estate.spec import ServiceSpec
from orchestrator.model.before import SnapshotTaken
from orchestrator.model.case import Case
from orchestrator.model.event import GuardsAsked
from orchestrator.model.lifecycle import Phase, Trigger, Way
from orchestrator.model.plan import Host
from tests.endpoints import lay_out, registered
from tests.lab.courses import Run
from tests.world import World

ID = "dmsa-jobs"
HOST, DB, MORE = "jobs01.corp.example", "db01.corp.example", "jobs02.corp.example"
LOG_ON = "CORP\\svc-jobs"
OWN = {"JobRunner", "JobQueue", "JobWatch"}
LIST = {
    "name": HOST,
    "services": ["JobQueue", "JobRunner", "JobWatch"],
    "tasks": ["\\Jobs\\Nightly"],
    "app_pools": ["JobDesk"],
}


def short(plan: dict[str, Any]) -> None:
    """Hours for weeks."""
    weeks = {"guard": "dwell-minimum", "reason": "weeks are not the point", "approved_by": ["ann"]}
    plan["waves"][0]["migrations"][0]["waivers"].append(weeks)
    plan["policy"] = {"dwell": "2h", "flat_for": "2h", "ledger_every": "1h"}


def world(change_estate: Callable[[dict[str, Any]], None] | None = None) -> World:
    return World("plans/what-runs-there.yaml", "plans/estates/what-runs-there.yaml", short, change_estate)


def hosts(plan: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = plan["waves"][0]["migrations"][0]["hosts"]
    return found


def as_list(plan: dict[str, Any]) -> None:
    hosts(plan)[0] = dict(LIST)


def meant(one: World, host: str = HOST) -> Host:
    return Case.of(one.state(), one.plan, ID, one.estate.now).migration.host(host)


def restarts(one: World) -> Counter[str]:
    return Counter(str(each["Name"]) for each in one.arrived("Restart-Service"))


def install(one: World, name: str, host: str = HOST) -> None:
    """Let somebody install a service under the account, and start it."""
    machine = one.estate.machine(host)
    machine.services[name.lower()] = Service(ServiceSpec(name=name, log_on=LOG_ON))
    one.estate.workloads.start_service(machine, machine.services[name.lower()])


def test_what_was_found_is_migrated_and_nothing_else():
    one = world()
    assert meant(one).discovers, "not asked yet"
    state = one.run()[ID]
    assert state.phase is Phase.COMPLETED
    assert meant(one) == Host.model_validate(LIST)
    assert restarts(one) == {"JobRunner": 2, "JobQueue": 2, "JobStore": 2}, "JobWatch did not run; others are others'"
    assert [each["Name"] for each in one.arrived("Restart-WebAppPool")] == ["JobDesk"] * 2
    assert one.arrived("Start-ScheduledTask") == [], "the proof is the next scheduled run"
    by_kind = {(each.kind, each.name): each.state for each in state.hosts[HOST].workloads}
    assert by_kind["task", "\\Jobs\\Nightly"] == "idle"
    assert by_kind["service", "JobWatch"] == "idle"
    assert ("service", "JobArchive") not in by_kind, "nothing starts what is disabled"


def start(one: World, name: str) -> Service:
    """Let somebody start a service."""
    machine = one.estate.machine(HOST)
    service = machine.services[name.lower()]
    one.estate.workloads.start_service(machine, service)
    return service


def test_what_somebody_starts_before_complete_logs_on_as_the_dmsa_like_the_rest():
    one = world()
    one.run(until=Phase.LINKED)
    service = start(one, "JobWatch")
    assert one.run()[ID].phase is Phase.COMPLETED
    assert (service.running, service.as_dmsa) == (True, True), "its account is disabled"
    assert restarts(one)["JobWatch"] == 2


@pytest.mark.parametrize("until", [Phase.RESTARTED, Phase.COMPLETED])
def test_whatever_somebody_starts_runs_as_the_original_after_a_way_back(until):
    one = world()
    one.run(until=until)
    service = start(one, "JobWatch")
    assert service.as_dmsa is (until is Phase.COMPLETED)
    one.ask_back(Way.ROLLBACK)
    state = one.run()[ID]
    assert (state.phase, service.running, service.as_dmsa) == (Phase.ROLLED_BACK, True, False)
    assert restarts(one)["JobWatch"] == (until is Phase.COMPLETED), "before Complete every log-on is the original's"
    (found,) = (each for each in state.compared.differences if each.name == "state of service JobWatch")
    assert found.verdict == "foreign"


def test_the_guards_judged_what_was_found_before_it_was_written_down():
    one = world()
    one.run(until=Phase.PREPARED)
    asked, *_ = (event for event in one.events() if isinstance(event, GuardsAsked))
    about = {(each.guard, each.subject): each for each in asked.answers}
    assert "task \\Jobs\\Nightly" in about["host-inventory-complete", HOST].evidence
    assert about["workload-supported", HOST].evidence == "task \\Jobs\\Nightly, application pool JobDesk"
    kinds = [type(event) for event in one.events()]
    assert kinds.index(GuardsAsked) < kinds.index(SnapshotTaken)


def test_without_a_waiver_a_task_that_was_found_is_refused():
    one = World(
        "plans/what-runs-there.yaml",
        "plans/estates/what-runs-there.yaml",
        lambda plan: plan["waves"][0]["migrations"][0].pop("waivers"),
    )
    held = one.run()[ID].held
    assert held is not None
    assert held.reason == "guard:workload-supported"
    assert "task \\Jobs\\Nightly" in held.detail


def runs_elsewhere(estate: dict[str, Any]) -> None:
    for kind in ("services", "tasks", "app_pools"):
        for each in estate["hosts"][0][kind]:
            each["log_on"] = "CORP\\svc-jobs2"


def without_domain(estate: dict[str, Any]) -> None:
    estate["hosts"][0]["services"][0]["log_on"] = "svc-jobs"


@pytest.mark.parametrize(
    ("change", "says", "release"),
    [
        (runs_elsewhere, f"nothing on {HOST} runs under CN=svc-jobs", "take the host out of the plan"),
        (without_domain, "service JobRunner", "DOMAIN\\name"),
    ],
)
def test_what_makes_no_list_is_refused_and_nothing_was_written(change, says, release):
    one = world(change)
    state = one.run()[ID]
    assert state.held is not None
    assert (state.phase, state.failure, state.held.reason) == (
        Phase.PLANNED,
        "refused",
        "guard:host-inventory-complete",
    )
    assert says in state.held.detail
    assert release in state.held.detail
    assert not one.arrived("New-ADServiceAccount")


@pytest.mark.parametrize("phase", [Phase.PREPARED, Phase.LINKED, Phase.RESTARTED, Phase.SOAKED])
def test_what_appears_later_is_not_taken_in_but_refused_before_complete_with_the_remedy(phase):
    one = world()
    one.run(until=phase)
    install(one, "JobLate")
    state = one.run()[ID]
    assert state.phase is Phase.SOAKED
    assert state.held is not None
    assert state.held.reason == "guard:host-inventory-complete"
    assert f"service JobLate of {HOST} runs under the account and was not found" in state.held.detail
    assert "services: [JobLate, JobQueue, JobRunner, JobWatch]" in state.held.detail
    assert "dmsa amend" in state.held.detail
    assert "JobLate" not in restarts(one)
    assert "JobLate" not in meant(one).services, "asking again redefines nothing"

    found = one.amend(lambda plan: hosts(plan).__setitem__(0, LIST | {"services": [*LIST["services"], "JobLate"]}))
    assert [each.what for each in found.follows] == ["host-joins", "returns-to-linked", "stays-held"]
    one.release()
    assert one.run()[ID].phase is Phase.COMPLETED
    assert restarts(one) == {"JobRunner": 2, "JobQueue": 2, "JobStore": 2, "JobLate": 2}


def test_what_vanishes_is_refused_before_complete_and_the_rest_goes_on_once_the_plan_says_so():
    one = world()
    one.run(until=Phase.RESTARTED)
    del one.estate.machine(HOST).services["jobqueue"]
    held = one.run()[ID].held
    assert held is not None
    assert held.reason == "guard:host-inventory-complete"
    assert f"{HOST} no longer has service JobQueue, which was found there" in held.detail
    assert "services: [JobRunner, JobWatch]" in held.detail
    found = one.amend(lambda plan: hosts(plan).__setitem__(0, LIST | {"services": ["JobRunner", "JobWatch"]}))
    assert [each.what for each in found.follows] == ["workloads-change", "stays-held"]
    one.release()
    assert one.run()[ID].phase is Phase.COMPLETED


@pytest.mark.parametrize("phase", [Phase.PREPARED, Phase.RESTARTED, Phase.SOAKED])
def test_to_write_down_in_the_plan_what_was_found_changes_nothing(phase):
    one = world()
    one.run(until=phase)
    found = one.amend(as_list)
    assert not found.moves
    assert [(each.what, each.detail.partition(":")[0]) for each in found.follows] == [("as-found", HOST)]
    assert one.state()[ID].phase is phase
    back = one.amend(lambda plan: hosts(plan).__setitem__(0, {"name": HOST, "workloads": "discover"}))
    assert [each.what for each in back.follows] == ["as-found"]
    assert meant(one) == Host.model_validate(LIST)
    assert one.run()[ID].phase is Phase.COMPLETED
    assert restarts(one) == {"JobRunner": 2, "JobQueue": 2, "JobStore": 2}


@pytest.mark.parametrize("phase", [Phase.PREPARED, Phase.REGISTERED, Phase.SOAKED, Phase.COMPLETED])
def test_the_way_back_goes_by_what_was_found_and_the_next_attempt_asks_anew(phase):
    one = world()
    one.run(until=phase)
    install(one, "JobLate")
    one.ask_back(Way.ROLLBACK)
    state = one.run()[ID]
    assert (state.phase, state.held) == (Phase.ROLLED_BACK, None)
    assert "JobLate" not in restarts(one)
    one.release(forward=True)
    assert meant(one).discovers
    assert one.run()[ID].phase is Phase.COMPLETED
    assert meant(one).services == ("JobLate", "JobQueue", "JobRunner", "JobWatch")


@pytest.mark.parametrize("phase", [Phase.STARTED, Phase.RESTARTED, Phase.COMPLETED])
def test_what_is_adopted_asks_the_host_too(phase):
    one = world()
    one.run(until=phase)
    one.lose_journal()
    one.adopt()
    state = one.run()[ID]
    assert state.phase is Phase.COMPLETED
    assert state.adopted
    assert meant(one) == Host.model_validate(LIST)


def second_job_server(estate: dict[str, Any]) -> None:
    services = [{"name": "JobBatch", "log_on": "svc-jobs@corp.example"}, {"name": "Other", "log_on": "CORP\\svc-jobs2"}]
    estate["hosts"].append({"name": MORE, "site": "Berlin", "services": services})


def joins(plan: dict[str, Any]) -> None:
    hosts(plan).append({"name": MORE, "workloads": "discover"})


def test_a_host_that_joins_later_is_asked_as_it_joins():
    one = world(second_job_server)
    one.run(until=Phase.RESTARTED)
    found = one.amend(joins)
    assert [move.trigger for move in found.moves] == [Trigger.AMEND]
    assert meant(one, MORE).discovers
    assert one.run()[ID].phase is Phase.COMPLETED
    assert meant(one, MORE).services == ("JobBatch",)
    assert restarts(one) == {"JobRunner": 2, "JobQueue": 2, "JobStore": 2, "JobBatch": 2}


def test_a_host_that_joins_and_runs_nothing_is_refused_with_what_to_do():
    one = world(lambda estate: estate["hosts"].append({"name": MORE, "site": "Berlin"}))
    one.run(until=Phase.RESTARTED)
    one.amend(joins)
    state = one.run()[ID]
    assert state.held is not None
    assert state.held.reason == "guard:host-inventory-complete"
    assert f"nothing on {MORE} runs under" in state.held.detail
    assert "dmsa release" in state.held.release
    assert one.estate.machine(MORE).kerberos != 1, "nothing was changed there"


def test_the_plan_is_the_same_whatever_was_found():
    one = world()
    before = one.digest
    one.run()
    assert one.state().digest == before
    assert one.state().plan == one.canonical


@pytest.mark.parametrize("way", [Way.UNDO, Way.RESET])
def test_an_operator_without_any_right_has_it_all_done_by_jea_endpoints(tmp_path, way):
    endpoints = registered(lay_out(tmp_path, "what-runs-there"), "what-runs-there")
    assert Run("what-runs-there", (way, Way.ROLLBACK)).ends_well(endpoints)
