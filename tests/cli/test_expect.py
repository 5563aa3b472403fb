"""``expect`` and ``reconcile`` as they are typed: documents, CSV, exit codes, and what is refused."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.journal import open_journal
from orchestrator.planfile import load_plan
from orchestrator.rehearsal.stage import staged
from orchestrator.rehearsal.world import World
from orchestrator.views.expectation_schema import expectation_schema, reconciliation_schema
from tests.cli.desk import ROOT
from tests.expectation.attacks import ATTACKS, Target
from tests.expectation.stream import Event, Recorder


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """A folder with the quick start, its journal, and what the domain logged."""
    folder = tmp_path_factory.mktemp("done")
    shutil.copytree(ROOT / "plans", folder / "plans")
    with contextlib.closing(open_journal(str(folder / "j.db"), create=True)) as journal:
        world = World(staged(load_plan(folder / "plans" / "quickstart.yaml")), journal, watch=False)
        recorder = Recorder(world)
        world.run()
    return folder, recorder.events()


def dmsa(folder: Path, *words: str, journal: str = "j.db") -> Result:
    verb, *rest = words
    plan = str(folder / "plans" / "quickstart.yaml")
    ended = CliRunner().invoke(app, [verb, plan, *rest, "--journal", str(folder / journal)])
    assert (
        ended.exception is None
        or isinstance(ended.exception, SystemExit)
        or "orchestrator.errors" in repr(type(ended.exception))
    ), repr(ended.exception)
    return ended


def saved(folder: Path, events: list[Event], name: str = "events.jsonl") -> str:
    file = folder / name
    file.write_text("\n".join(map(json.dumps, events)), encoding="utf-8")
    return str(file)


def document(ended: Result, schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.stdout)
    Draft202012Validator(schema).validate(found)
    return found


@pytest.mark.parametrize("journal", ["j.db", "none.db"])
def test_expect_prints_its_document(done: tuple[Path, list[Event]], journal: str):
    found = document(dmsa(done[0], "expect", "--wave", "pilot", "--json", journal=journal), expectation_schema())
    assert [one["dmsa"] for one in found["migrations"]] == ["dmsa-report", "dmsa-batch"]
    rows = found["migrations"][0]["expected"]
    assert {row["done"] for row in rows} == {journal == "j.db"}
    taken = [row for row in rows if row["attribute"] == "servicePrincipalName" and row["object"].startswith("CN=svc")]
    exact = {"HTTP/reports", "HTTP/reports.corp.example"}
    assert {row["old"] for row in taken} == (exact if journal == "j.db" else {"<each of the account's SPNs>"})
    assert not (done[0] / "none.db").exists()


def test_a_csv_is_written_to_a_file_row_by_row(done: tuple[Path, list[Event]], tmp_path: Path):
    file = tmp_path / "out.csv"
    ended = dmsa(done[0], "expect", "--only", "dmsa-erp", "--format", "csv", "-o", str(file))
    assert (ended.exit_code, ended.stdout) == (0, "")
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert {row["dmsa"] for row in rows} == {"dmsa-erp"}
    link = next(row for row in rows if row["attribute"] == "msDS-SupersededManagedAccountLink")
    assert (link["step"], link["new"]) == ("start", "CN=dmsa-erp,OU=Managed,DC=corp,DC=example")
    assert link["from"].startswith("2026-03-18T")


def test_a_clean_wave_ends_with_0_and_an_attack_with_4(done: tuple[Path, list[Event]], tmp_path: Path):
    folder, events = done
    clean = dmsa(folder, "reconcile", saved(tmp_path, events))
    assert clean.exit_code == 0
    assert "Everything is explained, and nothing is missing." in clean.stdout
    at = events[-1]["TimeCreated"]
    target = Target("CN=svc-web,OU=Service Accounts,DC=corp,DC=example", "", "dc01.corp.example", at, at)
    attack = [{**one, "TimeCreated": at} for one in (dict(e) for e in _made(target))]
    ended = dmsa(folder, "reconcile", saved(tmp_path, [*events, *attack]), "--json")
    found = document(ended, reconciliation_schema())
    assert ended.exit_code == found["exit"] == 4
    assert {one["id"] for one in found["findings"]} == {"foreign-dmsa", "one-sided-link"}
    assert {each["line"] for one in found["findings"] for each in one["events"]} == {len(events) + 1, len(events) + 2}


def _made(target: Target) -> list[Event]:
    from dataclasses import replace
    from datetime import datetime

    when = datetime.fromisoformat(str(target.at))
    return ATTACKS["foreign dMSA linked"][1](replace(target, at=when, during=when))


def test_only_what_is_asked_about_may_be_missing(done: tuple[Path, list[Event]], tmp_path: Path):
    found = document(
        dmsa(done[0], "reconcile", saved(tmp_path, []), "--wave", "main", "--json"), reconciliation_schema()
    )
    assert {one["migration"] for one in found["findings"]} == {"dmsa-erp", "dmsa-web", "dmsa-sync"}
    assert found["notes"]


def test_several_files_and_names(done: tuple[Path, list[Event]], tmp_path: Path):
    folder, events = done
    mute = [one for one in events if one["Id"] != 4768]
    half = len(mute) // 2
    files = (saved(tmp_path, mute[:half], "a"), saved(tmp_path, mute[half:], "b"))
    assert dmsa(folder, "reconcile", *files).exit_code == 4
    named = tmp_path / "names.csv"
    known = [(one["TargetUserName"], one["TargetSid"]) for one in events if one["Id"] == 4768]
    named.write_text("Name,SID\n" + "".join(f"{name},{sid}\n" for name, sid in known))
    assert dmsa(folder, "reconcile", *files, "--names", str(named)).exit_code == 0
    assert dmsa(folder, "reconcile", *files, "--names", str(named), "--operator", "CORP\\other").exit_code == 4


def test_what_windows_powershell_writes_is_read(done: tuple[Path, list[Event]], tmp_path: Path):
    file = tmp_path / "wide.json"
    file.write_bytes(json.dumps(done[1]).encode("utf-16"))
    assert dmsa(done[0], "reconcile", str(file)).exit_code == 0


@pytest.mark.parametrize("text", ['{"Id": 5136}', "[{]", "Id,Message\n5136,x\n", "\udcff"])
def test_a_file_that_cannot_be_understood_is_named_with_its_line(
    done: tuple[Path, list[Event]], tmp_path: Path, text: str
):
    file = tmp_path / "bad"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    ended = dmsa(done[0], "reconcile", str(file))
    assert getattr(ended.exception, "exit_code", None) == 3
    assert str(file) in str(ended.exception)


def test_what_is_no_wave_zone_or_format_is_refused(done: tuple[Path, list[Event]], tmp_path: Path):
    assert getattr(dmsa(done[0], "expect", "--wave", "nobody").exception, "exit_code", None) == 3
    assert dmsa(done[0], "reconcile", saved(tmp_path, []), "--zone", "Mars/Base").exit_code == 2
    assert dmsa(done[0], "expect", "--format", "xml").exit_code == 2


VIEWER = (
    "Keywords,Date and Time,Source,Event ID,Task Category\r\n"
    "Audit Success,{at},Microsoft-Windows-Security-Auditing,4724,User Account Management,"
    "\"An attempt was made to reset an account's password.\n\nSubject:\n\tAccount Name:\t\tmallory\n\n"
    'Target Account:\n\tAccount Name:\t\tsvc-erp\n\tAccount Domain:\t\tCORP\n"\r\n'
)


def test_the_event_viewers_csv_is_read_once_it_is_said_what_it_leaves_out(
    done: tuple[Path, list[Event]], tmp_path: Path
):
    folder, events = done
    file = tmp_path / "viewer.csv"
    file.write_bytes(VIEWER.format(at="3/5/2026 7:00:00 PM").encode("utf-8-sig"))
    words = ["reconcile", saved(tmp_path, events), str(file)]
    told = "--computer", "dc01.corp.example", "--zone", "Europe/Berlin", "--time-format", "%m/%d/%Y %I:%M:%S %p"
    for lacking, said in ((told[2:], "--computer"), (told[:2], "--time-format"), ((*told[:2], *told[4:]), "--zone")):
        ended = dmsa(folder, *words, *lacking)
        assert getattr(ended.exception, "exit_code", None) == 3
        assert said in str(ended.exception)
    ended = dmsa(folder, *words, *told, "--json")
    found = document(ended, reconciliation_schema())
    assert [(one["id"], one["by"]) for one in found["findings"]] == [("password-reset", "mallory")]
    assert found["findings"][0]["events"][0]["at"] == "2026-03-05T18:00:00Z"


def test_what_is_not_logged_beside_a_step_is_not_waited_for(done: tuple[Path, list[Event]], tmp_path: Path):
    folder, events = done
    gone = [one for one in events if one["Id"] != 4725 or "svc-erp" not in str(one)]
    ended = dmsa(folder, "reconcile", saved(tmp_path, gone))
    assert ended.exit_code == 4
    assert "event-missing: CN=svc-erp" in ended.stdout
    assert "1 events beside them missing" in ended.stdout
    assert dmsa(folder, "reconcile", saved(tmp_path, gone), "--not-logged", "4725").exit_code == 0


@pytest.mark.parametrize("kind", ["utf-16-le", "latin-1"])
def test_a_file_in_an_encoding_that_nobody_named_is_refused(done: tuple[Path, list[Event]], tmp_path: Path, kind: str):
    file = tmp_path / "events.json"
    file.write_bytes(json.dumps([{"Id": 1, "Name": "\u00e4"}], ensure_ascii=False).encode(kind))
    ended = dmsa(done[0], "reconcile", str(file))
    assert getattr(ended.exception, "exit_code", None) == 3
    assert "UTF-16" in str(ended.exception)
