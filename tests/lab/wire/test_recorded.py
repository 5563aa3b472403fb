"""The wire in front of the recorded estate: its weather, its clock and its machines, as a client meets them."""

from __future__ import annotations

import json
import time

import pytest
import requests
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell

from orchestrator.lab.estate.sessions_spec import SessionsSpec
from orchestrator.lab.record import Lab
from orchestrator.lab.wire.recorded import RecordedEstate, fidelity
from orchestrator.lab.wire.shells import Fidelity

HOST, OTHER = "dc01.corp.example", "app01.corp.example"
ESTATE = """\
domain: {dns: corp.example, netbios: CORP}
dcs: [{name: dc01.corp.example}]
hosts: [{name: app01.corp.example, services: [{name: Erp}]}]
weather:
  - {kind: lost-request, when: {cmdlet: Get-ADDomain, nth: 1}}
  - {kind: lost-reply, when: {cmdlet: Get-ADDomain, nth: 2}}
  - {kind: access-denied, when: {cmdlet: Get-ADDomain, nth: 3}}
  - {kind: busy, when: {cmdlet: Get-ADDomain, nth: 4}}
"""


STORMY = """\
domain: {dns: corp.example, netbios: CORP}
dcs: [{name: dc01.corp.example}]
weather:
  - {kind: lost-reply, when: {operation: Receive, cmdlet: Get-ADDomain, nth: 2}}
  - {kind: unavailable, when: {operation: Delete}}
"""


@pytest.fixture
def estate(tmp_path, opened_wire):
    lab = Lab(ESTATE, tmp_path / "state", time.monotonic)
    with opened_wire(RecordedEstate(lab), tmp_path) as opened:
        yield opened
    lab.close()


def commands(folder) -> list[str]:
    return [json.loads(line)["cmdlet"] for line in (folder / "state" / "commands.jsonl").read_text().splitlines()]


def test_the_estates_weather_befalls_requests(estate, tmp_path):
    for recorded in (0, 1):
        with pytest.raises(requests.exceptions.ConnectionError):
            estate.invoke(("Get-ADDomain", {}))
        assert len(commands(tmp_path)) == recorded
    for code in (5, 2150859174):
        with pytest.raises(WSManFaultError) as fault:
            estate.invoke(("Get-ADDomain", {}))
        assert fault.value.code == code
    assert len(estate.invoke(("Get-ADDomain", {})).output) == 1
    assert len(commands(tmp_path)) == 2


def test_a_machine_that_restarts_refuses_connections_until_the_clock_has_gone_on(estate):
    client = estate.client(OTHER)
    assert estate.invoke(("Restart-Computer", {"Force": True}), pool=estate.pool(client)).streams.error == []
    with pytest.raises(requests.exceptions.ConnectionError, match="Connection refused"):
        estate.pool(estate.client(OTHER))
    clock = estate.pool()
    for _ in range(10):
        estate.invoke(("Get-ADRootDSE", {}), pool=clock)
    (service,) = estate.invoke(("Get-Service", {"Name": "Erp"}), pool=estate.pool(estate.client(OTHER))).output
    assert (service.adapted_properties | service.extended_properties)["Name"] == "Erp"


def test_a_script_is_refused_recorded_and_told(estate, tmp_path):
    shell = PowerShell(estate.pool()).add_script("Remove-ADUser svc")
    shell.invoke()
    assert shell.had_errors
    (row,) = [json.loads(line) for line in (tmp_path / "state" / "commands.jsonl").read_text().splitlines()]
    assert (row["script"], row["outcome"], row["cmdlet"]) == (True, "refused", "Remove-ADUser svc")


def test_the_weather_of_operations_strikes_once_even_if_the_lab_is_started_again(tmp_path, opened_wire):
    met = []
    for _ in range(2):
        lab = Lab(STORMY, tmp_path / "state", time.monotonic)
        with opened_wire(RecordedEstate(lab), tmp_path) as opened:
            for _ in range(2):
                pool = opened.pool()
                try:
                    opened.invoke(("Get-ADDomain", {}), pool=pool)
                    pool.close()
                except (requests.exceptions.ConnectionError, WinRMTransportError) as error:
                    met.append(type(error).__name__)
        lab.close()
    assert met == ["WinRMTransportError", "ConnectionError"]


def test_the_estate_file_says_how_sessions_are_treated():
    lenient = SessionsSpec(idle_disconnects=None, idle_dies=None, users=3, envelope_kb=64)
    assert fidelity(lenient) == Fidelity(idle_disconnects=None, idle_dies=None, users=3, envelope=64 * 1024)
    assert fidelity(SessionsSpec()) == Fidelity(), "two defaults, and one meaning"
