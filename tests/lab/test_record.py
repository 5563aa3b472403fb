import json
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.lab.command import Command, Request
from orchestrator.lab.estate import EstateInvalid
from orchestrator.lab.record import Lab, StateMismatch, read_estate, read_record
from orchestrator.lab.statelock import StateBusy, StateLock

ROOT = Path(__file__).parents[2]
QUICKSTART = (ROOT / "plans/estates/quickstart.yaml").read_text(encoding="utf-8")
DC, APP01 = "dc01.corp.example", "app01.corp.example"
ACCOUNT = "CN=svc-report,OU=Service Accounts,DC=corp,DC=example"
PAIR = {"Identity": "dmsa-report", "SupersededAccount": ACCOUNT, "Server": DC}
NEW = {"Name": "dmsa-report", "DNSHostName": "d.corp.example", "CreateDelegatedServiceAccount": True}
KEY = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos\Parameters"
ENABLE = {"LiteralPath": KEY, "Name": "DelegatedMSAEnabled", "Value": 1, "PropertyType": "DWord", "Force": True}
EVENTS = {"FilterHashtable": {"LogName": "Security", "Id": [4768]}, "ErrorAction": "SilentlyContinue"}

COMMANDS = {
    "new": (DC, "New-ADServiceAccount", NEW),
    "start": (DC, "Start-ADServiceAccountMigration", PAIR),
    "complete": (DC, "Complete-ADServiceAccountMigration", PAIR),
    "undo": (DC, "Undo-ADServiceAccountMigration", PAIR),
    "reset": (DC, "Reset-ADServiceAccountMigration", PAIR),
    "enable": (APP01, "New-ItemProperty", ENABLE),
    "restart": (APP01, "Restart-Service", {"Name": "ReportServer", "Force": True}),
    "reboot": (APP01, "Restart-Computer", {"Force": True}),
    "time": (DC, "Get-ADRootDSE", {"Server": DC}),
    "read": (DC, "Get-ADUser", {"Identity": ACCOUNT}),
    "events": (DC, "Get-WinEvent", EVENTS),
    "unknown": (DC, "Remove-ADUser", {"Identity": ACCOUNT}),
}
WEATHER = """
weather:
  - {kind: lost-reply, when: {cmdlet: Complete-ADServiceAccountMigration}, late: 40s}
  - {kind: lost-request, when: {cmdlet: Restart-Service, nth: 2}}
  - {kind: host-down, host: app01, when: {cmdlet: Get-ADUser, nth: 2}, lasts: 2m}
"""


class Watch:
    """Real time, as a test tells it."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


class Driver:
    """Sends the commands above, as a transport would."""

    def __init__(self, lab, begin=0):
        self.lab = lab
        self.calls = begin

    def send(self, word, *, script=False):
        host, name, parameters = COMMANDS[word]
        self.calls += 1
        command = Command(name, parameters, script)
        request = Request(host, UUID(int=1), UUID(int=self.calls), "CORP\\operator", ((command,),))
        fault = self.lab.fault_for(request)
        if fault is None or fault.executes:
            return self.lab.execute(request)
        return None


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture
def lab(tmp_path, watch):
    made = Lab(QUICKSTART, tmp_path, watch)
    yield made
    made.close()


def test_every_command_is_on_disk_when_its_reply_is_there(lab, tmp_path, watch):
    driver = Driver(lab)
    driver.send("new")
    watch.seconds += 1.5
    driver.send("read")
    driver.send("unknown")
    rows = [json.loads(line) for line in (tmp_path / "commands.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["seq"] for row in rows] == [1, 2, 3]
    assert [row["cmdlet"] for row in rows] == ["New-ADServiceAccount", "Get-ADUser", "Remove-ADUser"]
    assert [row["write"] for row in rows] == [True, False, False]
    assert [row["outcome"] for row in rows] == ["succeeded", "succeeded", "refused"]
    assert [row["at"] for row in rows[:2]] == ["2026-03-02T18:00:00+00:00", "2026-03-02T18:00:01.500000+00:00"]
    assert rows[0]["parameters"] == NEW
    assert rows[0]["host"] == DC
    assert read_record(tmp_path) == rows


STEPS = st.lists(st.one_of(st.sampled_from(sorted(COMMANDS)), st.integers(1, 90), st.just("discard")), max_size=25)


@settings(max_examples=15, deadline=None)
@given(before=STEPS, after=STEPS)
@pytest.mark.parametrize("weather", ["", WEATHER])
def test_the_record_is_the_state(tmp_path_factory, weather, before, after):
    state, watch = tmp_path_factory.mktemp("state"), Watch()

    def drive(lab, steps, begin):
        driver = Driver(lab, begin)
        for step in steps:
            if isinstance(step, int):
                watch.seconds += step
            elif step == "discard":
                lab.discard(UUID(int=1))
            else:
                driver.send(step)
        driver.send("time")

    lab = Lab(QUICKSTART + weather, state, watch)
    drive(lab, before, 0)
    alive = lab.describe()
    assert read_estate(state).describe() == alive
    lab.close()
    again = Lab(QUICKSTART + weather, state, watch)
    assert again.describe() == alive
    drive(again, after, 1000)
    again.advance(timedelta(minutes=5))
    lasting = again.describe()
    again.close()
    estate = read_estate(state)
    estate.advance_to(estate.now.fromisoformat(lasting["now"]))
    assert estate.describe() == lasting


@pytest.mark.parametrize("cut", [1, 30, 300])
def test_an_unfinished_end_is_dropped(lab, tmp_path, watch, cut):
    Driver(lab).send("new")
    before = lab.describe()
    pair = (Command("Get-ADUser", {"Identity": ACCOUNT}), Command("Select-Object", {"Property": ["Name"]}))
    lab.execute(Request(DC, UUID(int=1), UUID(int=9), "CORP\\operator", (pair,)))
    lab.close()
    record = tmp_path / "commands.jsonl"
    record.write_bytes(record.read_bytes()[:-cut])
    again = Lab(QUICKSTART, tmp_path, watch)
    assert again.describe() == before
    assert [row["cmdlet"] for row in read_record(tmp_path)] == ["New-ADServiceAccount"]
    Driver(again, 50).send("start")
    assert [row["seq"] for row in read_record(tmp_path)] == [1, 2]
    again.close()


def test_another_estate_file_is_refused(lab, tmp_path, watch):
    lab.close()
    with pytest.raises(StateMismatch, match="begun with another estate file"):
        Lab(QUICKSTART.replace("45s", "46s"), tmp_path, watch)
    with pytest.raises(EstateInvalid):
        Lab("nonsense", tmp_path, watch)
    Lab(QUICKSTART, tmp_path, watch).close()


def test_two_never_share_a_state_directory(tmp_path):
    first = StateLock(tmp_path / "lab.lock")
    with pytest.raises(StateBusy, match="in use by another process"):
        StateLock(tmp_path / "lab.lock", patience=0.1)
    first.release()
    StateLock(tmp_path / "lab.lock").release()


def test_a_killed_process_loses_nothing(tmp_path):
    program = """
import os, sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from uuid import UUID
from orchestrator.lab.command import Command, Request
from orchestrator.lab.record import Lab
lab = Lab(Path(sys.argv[3]).read_text(encoding="utf-8"), Path(sys.argv[1]), time.monotonic)
restart = Command("Restart-Service", {"Name": "Spooler"})
lab.execute(Request("app01.corp.example", UUID(int=1), UUID(int=2), "x", ((restart,),)))
os.kill(os.getpid(), 9)
"""
    estate = ROOT / "plans/estates/quickstart.yaml"
    subprocess.run([sys.executable, "-c", program, str(tmp_path), str(ROOT), str(estate)], timeout=60, check=False)
    spooler = read_estate(tmp_path).describe()["machines"][APP01]["services"]["Spooler"]
    assert spooler["started"] >= "2026-03-02T18:00:00"
    StateLock(tmp_path / "lab.lock", patience=0).release()


def test_readings_jump_only_while_no_other_call_is_open(lab):
    driver = Driver(lab)
    driver.send("time")
    with lab.open_call():
        begin = lab.describe()["now"]
        driver.send("time")
        with lab.open_call():
            second = lab.describe()["now"]
            driver.send("time")
            assert lab.describe()["now"] == second
        assert second > begin


def test_threads_take_turns(lab, tmp_path):
    threads = [threading.Thread(target=Driver(lab, 100 * each).send, args=("restart",)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = read_record(tmp_path)
    assert [row["seq"] for row in rows] == list(range(1, 9))
    assert read_estate(tmp_path).describe() == lab.describe()


def test_a_machine_that_boots_is_up_since_then(lab, watch):
    assert lab.boots()[APP01].isoformat() == "2026-01-21T18:00:00+00:00"
    Driver(lab).send("reboot")
    assert lab.boots()[APP01] is None
    watch.seconds += 90
    assert lab.boots()[APP01].isoformat() == "2026-03-02T18:01:30+00:00"
    assert lab.address(APP01) == "127.77.0.3"
    assert APP01 in lab.host_names
