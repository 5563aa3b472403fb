"""What the status document says of one migration, wherever it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from orchestrator.model.event import WorkloadSeen
from orchestrator.model.state import Hold, HostProgress, Waiting
from orchestrator.views.status import iso, status_document
from tests.cases import AT, MIGRATION, situation

APP01 = "app01.corp.example"


def document(state: dict[str, Any] | None = None, plan: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    case = situation({"state": {"snapshot": False, **(state or {})}, "plan": plan or {}}).case
    case.run.migrations[MIGRATION] = replace(case.state, **more)
    return status_document(case.run, case.plan, "d1", AT)


def migration(*args: Any, **more: Any) -> dict[str, Any]:
    return document(*args, **more)["waves"][0]["migrations"][0]


def test_the_whole():
    found = document()
    assert (found["plan"], found["digest"], found["exit"]) == ("cases", "d1", 7)
    assert found["estate_time"] == "2026-03-02T12:00:00Z"
    assert (found["waves"][0]["name"], found["waves"][0]["state"]) == ("only", "pending")


def test_before_anything_began_what_the_plan_names_is_there():
    hosts = [{"name": APP01, "services": ["App"], "tasks": [r"\R\N"], "app_pools": ["Portal"]}]
    found = migration(plan={"hosts": hosts})
    assert (found["phase"], found["intention"], found["attempt"]) == ("planned", "forward", 1)
    assert (found["held"], found["waiting"], found["dwell"]) == (None, None, None)
    host = found["hosts"][0]
    assert (host["registry"], host["rebooted"], host["restarted"], host["allowed"]) == ("pending", None, False, None)
    assert [(one["kind"], one["name"], one["state"]) for one in host["workloads"]] == [
        ("service", "App", "unknown"),
        ("task", r"\R\N", "unknown"),
        ("app-pool", "Portal", "unknown"),
    ]


def test_held():
    found = migration(held=Hold("fault", "It broke.", "mend it", AT))
    assert found["held"] == {
        "reason": "fault",
        "detail": "It broke.",
        "since": "2026-03-02T12:00:00Z",
        "by": None,
        "failed": False,
        "release": "mend it",
        "down": [],
    }
    down = Hold("fault", "It is down.", "mend it", AT, "app01.corp.example", None, ("App",))
    assert migration(held=down)["held"]["down"] == [{"host": "app01.corp.example", "name": "App"}]
    assert document(held=Hold("fault", "", "", AT))["exit"] == 4


def test_held_is_never_shown_as_waiting():
    found = migration(held=Hold("fault", "", "", AT), waits={"directory": Waiting("dwell", AT)})
    assert found["waiting"] is None


def test_waiting():
    found = migration({"phase": "restarted"}, waits={"directory": Waiting("dwell", AT + timedelta(days=3))})
    assert found["waiting"] == {"for": "dwell", "until": "2026-03-05T12:00:00Z"}


def soaking(**plan: Any) -> dict[str, Any]:
    state = {"phase": "restarted", "converged_at": AT, "registry_at": AT}
    return migration({**state, "ledger": {"hosts": [APP01], "since": AT}}, plan)


def test_the_dwell_and_when_it_is_due():
    assert soaking()["dwell"] == {"started": "2026-03-02T12:00:00Z", "due": "2026-03-16T12:00:00Z"}
    assert soaking(dwell="5d")["dwell"]["due"] == "2026-03-16T12:00:00Z"


def test_a_waiver_shows_in_the_date_only_where_it_counts():
    waiver = {"guard": "dwell-minimum", "reason": "a lab", "approved_by": ["ann"]}
    assert soaking(dwell="5d", waivers=[waiver])["dwell"]["due"] == "2026-03-07T12:00:00Z"
    case = situation(
        {"estate": {"lab": None}, "plan": {"dwell": "5d", "waivers": [waiver]}, "state": {"snapshot": False}}
    )
    begun = {"phase": "restarted", "converged_at": AT, "registry_at": AT, "ledger": {"hosts": [APP01], "since": AT}}
    real = situation({**case.facts, "state": {"snapshot": False, **begun}}).case
    shown = status_document(real.run, real.plan, "d1", AT)["waves"][0]["migrations"][0]
    assert shown["dwell"]["due"] == "2026-03-16T12:00:00Z"


def test_whether_a_host_is_allowed_is_asked_from_registered_on():
    for phase, allowed in [("prepared", None), ("linked", None), ("registered", False), ("completed", False)]:
        assert migration({"phase": phase})["hosts"][0]["allowed"] is allowed
    known = {"ledger": {"hosts": [APP01], "since": AT}}
    assert migration({"phase": "registered", **known})["hosts"][0]["allowed"] is True
    assert migration({"phase": "restored", "intention": "back", "way": "undo"})["hosts"][0]["allowed"] is None


def test_a_host_s_progress():
    workloads = (WorkloadSeen(kind="service", name="App", state="running"),)
    progress = HostProgress(registry="set", rebooted=True, restarted=True, workloads=workloads)
    host = migration({"phase": "registered"}, hosts={APP01: progress})["hosts"][0]
    assert (host["registry"], host["rebooted"], host["restarted"]) == ("set", True, True)
    assert host["workloads"] == [{"kind": "service", "name": "App", "state": "running"}]


def test_times_are_utc_to_the_second():
    berlin = datetime(2026, 3, 2, 13, 0, 0, 999, tzinfo=timezone(timedelta(hours=1)))
    assert iso(berlin) == iso(berlin.astimezone(UTC)) == "2026-03-02T12:00:00Z"
    assert iso(None) is None
