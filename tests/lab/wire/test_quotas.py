"""Quotas that are spent, each with its own fault; and what a host notes of its visitors."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import get_args

import pytest
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell
from requests import Response

from orchestrator.lab.command import Result
from orchestrator.lab.estate.weather_spec import Quota
from orchestrator.lab.record import Lab
from orchestrator.lab.wire.engine import Fault, Kind
from orchestrator.lab.wire.recorded import RecordedEstate
from orchestrator.lab.wire.shells import Fidelity
from orchestrator.lab.wire.visits import Visits
from orchestrator.remote.causes import WSMAN
from tests.lab.wire.conftest import HOST, OTHER, Scripted
from tests.patience import PATIENCE

OPERATIONS, SHELLS = 2150859174, 2150859173


@pytest.fixture
def far_with(opened_wire, tmp_path):
    visits: list[dict[str, object]] = []
    opened = []

    def make(**fidelity):
        wire = opened_wire(Scripted(), tmp_path, fidelity=Fidelity(**fidelity), visits=Visits(visits.append))
        opened.append(wire)
        far = wire.__enter__()
        far.visits = visits
        return far

    yield make
    for wire in opened:
        wire.__exit__(None, None, None)


@pytest.mark.parametrize("quota", get_args(Quota))
def test_every_quota_has_a_fault_of_its_own_which_the_runner_knows_for_one(far_with, quota):
    far = far_with()
    far.engine.strikes.append(("Create", Fault(Kind.BUSY, quota=quota)))
    with pytest.raises(WSManFaultError) as fault:
        far.pool()
    assert WSMAN[fault.value.code].busy
    assert far.pool() is not None
    (turned_away,) = [row for row in far.visits if row["what"] == "turned-away"]
    assert (turned_away["host"], turned_away["code"]) == (HOST, fault.value.code)


def test_the_quotas_of_an_estate_are_those_of_the_runner_one_for_one(far_with):
    far, codes = far_with(), []
    for quota in get_args(Quota):
        far.engine.strikes.append(("Create", Fault(Kind.BUSY, quota=quota)))
        with pytest.raises(WSManFaultError) as fault:
            far.pool()
        codes.append(fault.value.code)
    assert sorted(codes) == sorted(code for code, cause in WSMAN.items() if cause.busy)


def test_a_user_has_so_many_requests_under_way_on_a_host(far_with):
    far, go = far_with(operations=1), threading.Event()
    far.engine.does = lambda _: go.wait(PATIENCE) and Result()
    shell = PowerShell(far.pool()).add_cmdlet("Slow")
    shell.begin_invoke()
    other, elsewhere = far.client(username="other"), far.client(OTHER)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(shell.poll_invoke)
        while far.engine.operations[-1] != "Receive":
            go.wait(0.01)
        with pytest.raises(WSManFaultError) as fault:
            far.pool()
        assert fault.value.code == OPERATIONS
        assert "maximum number of 1 concurrent operations" in fault.value.reason
        assert far.pool(other) is not None, "each user has his own"
        assert far.pool(elsewhere) is not None, "and each host"
        go.set()
        waiting.result(PATIENCE)
    assert far.pool() is not None


def test_other_tools_of_the_account_have_shells_too(far_with):
    far = far_with(shells=3, taken=2)
    far.pool()
    with pytest.raises(WSManFaultError) as fault:
        far.pool()
    assert fault.value.code == SHELLS


def test_an_overloaded_service_may_say_when_to_come_back(far_with, monkeypatch):
    far, seen = far_with(), []
    far.engine.strikes.append(("Create", Fault(Kind.UNAVAILABLE, retry_after=90.0)))
    raised = Response.raise_for_status
    monkeypatch.setattr(Response, "raise_for_status", lambda self: (seen.append(dict(self.headers)), raised(self)))
    with pytest.raises(Exception, match="503"):
        far.pool()
    assert seen[-1]["Retry-After"] == "90"


def test_a_host_notes_who_comes_and_goes(far_with):
    far = far_with()
    first, second = far.pool(), far.pool()
    far.invoke(("Get-ADUser", {}), pool=first)
    first.close()
    second.close()
    assert [(row["what"], row.get("shells") or row.get("connections")) for row in far.visits] == [
        *(("connected", 1), ("logged-on", None), ("shell-opened", 1)),
        *(("connected", 2), ("logged-on", None), ("shell-opened", 2)),
        *(("shell-closed", None), ("shell-closed", None)),
    ]
    assert {row["by"] for row in far.visits if "by" in row} == {"CORP\\operator"}


def test_an_estate_keeps_its_visits_and_its_weather_knows_quotas(opened_wire, tmp_path):
    text = """
name: small
domain: {dns: corp.example, netbios: CORP}
dcs: [{name: dc01.corp.example}]
weather:
  - {kind: busy, quota: users, when: {operation: Create}}
  - {kind: unavailable, retry_after: 2m, when: {operation: Create, nth: 2}}
"""
    lab = Lab(text, tmp_path / "state", iter(range(10_000)).__next__)
    faults = [lab.fault_at("dc01.corp.example", "Create", None) for _ in range(3)]
    assert [(fault and fault.kind, fault and fault.quota, fault and fault.retry_after) for fault in faults] == [
        ("busy", "users", None),
        ("unavailable", "operations", timedelta(minutes=2)),
        (None, None, None),
    ]
    assert RecordedEstate(lab).fault("dc01.corp.example", "Create", None) is None
    Visits(lab.visited).connected("dc01.corp.example", 3)
    lab.close()
    Visits(lab.visited).connected("dc01.corp.example", 4)
    (row,) = (tmp_path / "state" / "visits.jsonl").read_text().splitlines()
    assert json.loads(row)["connections"] == 3
