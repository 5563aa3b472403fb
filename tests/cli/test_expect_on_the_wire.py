"""``expect`` and ``reconcile`` after a run over the wire: what the journal tells is what arrived on the far side."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchestrator.views.expectation_schema import expectation_schema, reconciliation_schema
from tests.cli.desk import DC, writes
from tests.cli.inside import DMSA, HOST, Inside, inside

TRACELESS = {"New-Item", "wevtutil"}
OPERATOR = {"SubjectUserName": "operator", "SubjectDomainName": "CORP"}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("done")) as estate:
        assert estate.dmsa("run").exit_code == 0
        yield estate


def rows(estate: Inside) -> list[dict[str, Any]]:
    ended = estate.dmsa("expect", "--json")
    assert ended.exit_code == 0
    found: dict[str, Any] = json.loads(ended.stdout)
    Draft202012Validator(expectation_schema()).validate(found)
    assert [one["dmsa"] for one in found["migrations"]] == [DMSA]
    shown: list[dict[str, Any]] = found["migrations"][0]["expected"]
    return shown


def test_what_the_journal_tells_of_writes_is_what_arrived(done: Inside):
    shown = [row for row in rows(done) if row["by"] != "account"]
    assert {row["done"] for row in shown} == {True}
    arrived = Counter((one["cmdlet"], one["host"]) for one in writes(done.lab) if one["cmdlet"] not in TRACELESS)
    at_one = [row for row in shown if not row["computer"].startswith("any")]
    told = {(row["cmdlet"], row["computer"], row["times"][0]["from"]) for row in at_one}
    assert {(cmdlet, computer) for cmdlet, computer, _ in told} == set(arrived)
    assert len(told) == sum(arrived.values()), "each write once, with a time of its own"


def events(estate: Inside) -> list[dict[str, Any]]:
    """Return what the far side would have logged of the writes that arrived, in their order."""
    sid = re.search(r"S-1-5-21-\d+-\d+-\d+-\d+", estate.dmsa("status", "--snapshot", "--json").stdout)
    assert sid
    values = {
        "<the descriptor with protection from accidental deletion>": "O:DAD:(D;;DTSD;;;WD)",
        "<the descriptor with the account's two rights>": f"O:DAD:(A;;RP;;;{sid[0]})",
        "<the descriptor without the account's two rights>": "O:DAD:(A;;RP;;;DA)",
    }
    found = []
    for row in rows(estate):
        if not row["sure"] or not row["events"]:
            continue
        head = {
            "TimeCreated": row["times"][0]["from"],
            "MachineName": row["computer"],
            "LogName": "Security",
            **OPERATOR,
        }
        what = {"ObjectDN": row["object"], "ObjectClass": "msDS-DelegatedManagedServiceAccount"}
        if row["new"] == "<created>":
            found.append({**head, **what, "Id": 5137})
        elif 5136 in row["events"]:
            for operation, shown in (("%%14675", row["old"]), ("%%14674", row["new"])):
                said = {"AttributeLDAPDisplayName": row["attribute"], "AttributeValue": values.get(shown, shown)}
                if shown:
                    found.append({**head, **what, **said, "Id": 5136, "OperationType": operation})
    return found


def reconciled(estate: Inside, tmp_path: Path, logged: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, logged)))
    ended = estate.dmsa("reconcile", str(file), "--operator", "CORP\\operator", "--json")
    found = json.loads(ended.stdout)
    Draft202012Validator(reconciliation_schema()).validate(found)
    assert found["exit"] == ended.exit_code
    return ended.exit_code, found


def test_what_arrived_is_explained_and_what_lacks_or_comes_from_elsewhere_is_not(done: Inside, tmp_path: Path):
    logged = events(done)
    assert len(logged) > 15
    code, found = reconciled(done, tmp_path, logged)
    assert (code, found["findings"], found["basis"]) == (0, [], "journal")
    assert found["counts"]["explained"] == len(logged)
    link = next(one for one in logged if one.get("AttributeLDAPDisplayName") == "msDS-SupersededManagedAccountLink")
    code, found = reconciled(done, tmp_path, [one for one in logged if one is not link])
    assert (code, [one["id"] for one in found["findings"]]) == (4, ["missing"])
    later = datetime.fromisoformat(link["TimeCreated"]) + timedelta(days=1)
    code, found = reconciled(done, tmp_path, [*logged, {**link, "TimeCreated": later.isoformat()}])
    assert (code, {one["id"] for one in found["findings"]}) == (4, {"outside-operation"})


def test_a_host_that_logs_restarts_and_lacks_ours_is_told(done: Inside, tmp_path: Path):
    logged = events(done)
    times = sorted(one["TimeCreated"] for one in logged)
    system = [
        {"Id": 7036, "TimeCreated": at, "MachineName": HOST, "LogName": "System", "param1": "Spooler"}
        for at in ((datetime.fromisoformat(times[0]) - timedelta(days=1)).isoformat(), "2100-01-01T00:00:00Z")
    ]
    code, found = reconciled(done, tmp_path, [*logged, *system])
    assert (code, {one["id"] for one in found["findings"]}) == (4, {"event-missing"})
    assert {one["says"].partition(" of ")[0] for one in found["findings"]} == {"Restart-Service"}
    assert found["counts"]["events_missing"] == 2
    restarts = [row["times"][0]["from"] for row in rows(done) if 7036 in row["events"]]
    ours = [{**system[0], "TimeCreated": at} for at in restarts]
    assert reconciled(done, tmp_path, [*logged, *system, *ours])[0] == 0


def test_text_and_csv_name_the_domain_controller_and_the_host(done: Inside):
    assert f"{DC}: CN={DMSA}," in done.dmsa("expect").stdout
    table = done.dmsa("expect", "--format", "csv").stdout.splitlines()
    assert table[0].startswith("wave,dmsa,account,step,done,cmdlet,computer")
    assert any(f",{HOST},operator,Security,4657," in line for line in table)
