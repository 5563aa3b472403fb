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
    found = migration({"phase": "restarted"}, waits={"directory": Waiting("dwell", AT + timedelta(days=3), "why")})
    assert found["waiting"] == {"for": "dwell", "until": "2026-03-05T12:00:00Z", "detail": "why"}


def test_a_failure_is_told_apart_from_a_hold_and_a_refusal():
    hold = Hold("fault", "", "", AT)
    assert [migration(held=hold, failure=kind)["failure"] for kind in (None, "refused", "failed")] == [
        None,
        "refused",
        "failed",
    ]


BERLIN = {"days": ["sat"], "open": "22:00", "close": "04:00", "zone": "Europe/Berlin"}


def wave(at: datetime | None, **keys: Any) -> dict[str, Any]:
    case = situation({"state": {"snapshot": False, "phase": "prepared"}, "wave": keys}).case
    return status_document(case.run, case.plan, "d1", at)["waves"][0]


def test_how_the_windows_stand():
    closed = wave(AT, window=BERLIN)
    said = {"zone": "Europe/Berlin", "open": False, "closes": None, "opens": "2026-03-07T21:00:00Z", "blackout": None}
    assert closed["windows"] == {"start": said, "complete": said}
    assert closed["waiting"] == closed["migrations"][0]["waiting"]
    assert closed["waiting"] == {
        "for": "window",
        "until": "2026-03-07T21:00:00Z",
        "detail": "the window is closed and opens Sat 2026-03-07 22:00 Europe/Berlin",
    }
    night = AT.replace(day=7, hour=23)
    found = wave(night, windows={"complete": BERLIN})["windows"]
    assert found == {
        "start": None,
        "complete": said | {"open": True, "closes": "2026-03-08T03:00:00Z", "opens": "2026-03-14T21:00:00Z"},
    }


def test_windows_are_told_only_where_there_are_some_and_the_time_is_known():
    assert wave(AT)["windows"] is None
    assert wave(None, window=BERLIN)["windows"] is None
    always = wave(AT, window={**BERLIN, "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "close": "22:00"})
    assert [always["windows"]["start"][key] for key in ("open", "closes", "opens")] == [True, None, None]


def test_a_blackout_is_told_with_its_reason():
    dark = [{"from": "2026-03-01", "to": "2026-03-08", "reason": "audit"}]
    found = wave(AT, window=BERLIN, blackout=dark)
    assert found["waiting"]["for"] == "blackout"
    assert found["waiting"]["until"] == found["windows"]["start"]["opens"] == "2026-03-14T21:00:00Z"
    assert found["windows"]["start"]["blackout"] == "nothing begins from Sun 2026-03-01 to Sun 2026-03-08: audit"


def test_a_window_that_will_not_open_says_so():
    found = wave(AT, window=BERLIN, blackout=[{"from": "2026-03-01", "to": "2030-01-01"}])
    assert (found["waiting"]["until"], found["windows"]["start"]["opens"]) == (None, None)
    assert "does not open within 800 days: amend" in found["waiting"]["detail"]


def soaking(**plan: Any) -> dict[str, Any]:
    state = {"phase": "restarted", "converged_at": AT, "registry_at": AT}
    return migration({**state, "ledger": {"hosts": [APP01], "since": AT}}, plan)


def test_the_dwell_and_when_it_is_due():
    moment = "2026-03-02T12:00:00Z"
    parts = {"converged": moment, "registry": moment, "allowed": moment, "anew": None}
    assert soaking()["dwell"] == {"started": moment, "due": "2026-03-16T12:00:00Z", "parts": parts}
    assert soaking(dwell="5d")["dwell"]["due"] == "2026-03-16T12:00:00Z"


def test_the_ledger_and_since_when_it_is_flat():
    assert migration({"phase": "registered"})["ledger"] is None
    soaks = {"phase": "restarted", "converged_at": AT, "registry_at": AT}
    later = AT + timedelta(days=1)
    known = {"first_seen": {APP01: AT, "old07": later}, "hosts": [APP01], "since": AT, "read_at": later}
    shown = migration({**soaks, "ledger": known})["ledger"]
    assert shown["hosts"] == [{"name": APP01, "first_seen": "2026-03-02T12:00:00Z"}]
    (unknown,) = shown["unknown"]
    assert (unknown["name"], unknown["first_seen"], unknown["os"]) == ("old07", "2026-03-03T12:00:00Z", None)
    assert (shown["flat_since"], shown["flat_due"]) == ("2026-03-03T12:00:00Z", "2026-03-10T12:00:00Z")
    assert shown["vanished"] == []
    gone = {**known, "present": [APP01]}
    assert migration({**soaks, "ledger": gone})["ledger"]["vanished"] == ["old07"]


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
