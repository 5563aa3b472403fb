"""The quick start as it ships: forward, again, all the way back, and what each view says of it."""

import json
import re
from pathlib import Path

import pytest

from orchestrator.model.event import KINDS
from orchestrator.remote.catalogue import CATALOGUE
from tests.cli.desk import QUICKSTART, SERVICES, Desk, assert_once_each, counted, record, writes

ACCOUNTS = "CN=svc-"


@pytest.fixture
def after(finished: Desk, tmp_path: Path) -> Desk:
    """A copy of the finished desk, for tests that go on from there."""
    return finished.copy(tmp_path / "copy")


def test_five_accounts_are_moved(finished):
    desk, printed = finished, (finished.folder / "printed").read_text()
    assert set(desk.phases().values()) == {"completed"}
    assert len(desk.phases()) == 5
    assert_once_each(desk.lab)
    assert "All done." in printed.splitlines()[-1]


def test_the_far_side_saw_nothing_but_the_catalogue(finished):
    rows = record(finished.lab)
    assert {row["cmdlet"] for row in rows} - {"Select-Object"} <= set(CATALOGUE)
    taken_out = [row["parameters"] for row in rows if row["cmdlet"] == "Select-Object"]
    assert taken_out, "a security descriptor is taken out of its object, or it would not survive the way"
    assert all(one == {"ExpandProperty": "nTSecurityDescriptor"} for one in taken_out)
    assert not [row for row in rows if row["script"]]
    assert {row["outcome"] for row in rows if row["write"]} == {"succeeded"}


def test_nothing_was_restarted_but_the_workloads_of_the_accounts(finished):
    restarted = [row["parameters"]["Name"] for row in writes(finished.lab) if row["cmdlet"] == "Restart-Service"]
    assert set(restarted) <= SERVICES
    assert not [row for row in writes(finished.lab) if row["cmdlet"] in {"Restart-Computer", "Stop-Service"}]


def test_everything_was_written_once(finished):
    assert counted(finished.lab) == QUICKSTART


def test_again_it_writes_nothing(after):
    before = writes(after.lab)
    assert "All done." in after.done("run", "plan.yaml")
    assert writes(after.lab) == before


def test_all_the_way_back(after):
    said = after.done("rollback", "plan.yaml", "--all", "--yes")
    assert "Rolled back: 5, each compared with its snapshot." in said
    assert set(after.phases().values()) == {"rolled_back"}
    assert relevant(after.shown()) == relevant(after.shown(after.folder / "untouched"))
    removed = [row["cmdlet"] for row in writes(after.lab) if row["cmdlet"].startswith("Remove")]
    assert removed == ["Remove-ItemProperty"] * 3, "values that were not there before, and nothing else"

    again = after.dmsa("run", "plan.yaml")
    assert again.returncode == 5
    assert "Rolled back: 5 of 5." in again.stdout
    assert "Nothing to do" in after.done("rollback", "plan.yaml", "--all", "--yes")


def relevant(shown: dict) -> dict:
    """What must be as before: accounts, their SPNs and delegation, registry, services; on every copy."""
    kept = ("servicePrincipalName", "userAccountControl", "msDS-AllowedToDelegateTo", "description")
    accounts = {
        (dc, dn): {name: entry.get(name) for name in kept}
        for dc, copy in shown["directory"].items()
        for dn, entry in copy.items()
        if dn.startswith(ACCOUNTS)
    }
    assert len(accounts) == 2 * 5
    return {"accounts": accounts, "hosts": {name: _host(host) for name, host in shown["machines"].items()}}


def _host(host: dict) -> dict:
    value = host["DelegatedMSAEnabled"]
    return {
        # A key that was made on the way to the value stays; it is on the list of declared differences.
        "registry": "absent" if value == "no-key" else value,
        "services": {name: (service["state"], service["log_on"]) for name, service in host["services"].items()},
    }


def test_the_status_document_is_the_contract(finished):
    document = json.loads(finished.done("status", "plan.yaml", "--json"))
    assert set(document) == {"plan", "digest", "exit", "estate_time", "waves", "receivers"}
    assert (document["plan"], document["exit"]) == ("quickstart", 0)
    assert re.fullmatch(r"[0-9a-f]{64}", document["digest"])
    assert [(wave["name"], wave["state"], wave["waiting"]) for wave in document["waves"]] == [
        ("pilot", "done", None),
        ("main", "done", None),
    ]
    report = document["waves"][0]["migrations"][0]
    assert set(report) == {
        "account", "dmsa", "phase", "intention", "attempt", "held", "waiting", "dwell", "hosts", "adopted",
        "compared", "failure", "ledger", "waivers",
    }  # fmt: skip
    assert report["account"] == "CN=svc-report,OU=Service Accounts,DC=corp,DC=example"
    assert report["hosts"] == [
        {
            "name": "app01.corp.example",
            "registry": "set",
            "kept_for": [],
            "rebooted": None,
            "restarted": True,
            "allowed": True,
            "discovered": None,
            "workloads": [
                {"kind": "service", "name": "ReportServer", "state": "running"},
                {"kind": "task", "name": "\\Reports\\Nightly", "state": "idle"},
            ],
            "lost": None,
        }
    ]
    assert report["dwell"]["started"] < report["dwell"]["due"] < document["estate_time"]


def test_the_journal_is_sound_and_can_be_read(finished):
    desk = finished
    assert json.loads(desk.done("journal", "verify", "--json"))["intact"] is True
    shown = desk.done("journal", "show", "plan.yaml").splitlines()
    assert len(shown) == desk.rows()
    sent = "complete: Complete-ADServiceAccountMigration CN=svc-web,OU=Service Accounts,DC=corp,DC=example"
    assert sum(sent in line for line in shown) == 1
    assert all(len(line.split()) > 3 for line in shown)
    history = json.loads(desk.done("journal", "show", "--json"))  # the desk holds it against its schema
    assert {row["kind"] for row in history["rows"]} <= KINDS.keys()


def test_lines_of_a_run_are_for_people(finished):
    lines = (finished.folder / "printed").read_text().splitlines()
    event = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|-) +(dmsa-\w+)? +\S.*")
    end = lines.index(next(line for line in lines if line.startswith("quickstart (")))
    assert all(event.fullmatch(line) for line in lines[:end])
    assert not [line for line in lines if "None" in line or "<" in line or "{" in line]


def test_the_lab_can_be_read_afterwards(finished):
    desk = finished
    record_shown = desk.done("lab", "show", "--state", str(desk.lab), "--record")
    assert len(record_shown.splitlines()) == len(record(desk.lab))
    assert "svc-report" in desk.done("lab", "show", "--state", str(desk.lab))
