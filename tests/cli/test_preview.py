"""``preview`` as it is typed, over the wire: what it tells, that it only reads, and what is told afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.errors import InputInvalid
from orchestrator.views.preview_schema import foretold_schema, preview_schema
from tests.cli.desk import ROOT, record
from tests.cli.inside import DMSA, HOST, Inside, inside

AGAINST = {"otherwise", "unforeseen"}


def document(ended: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.stdout)
    Draft202012Validator(preview_schema()).validate(found)
    assert found["exit"] == ended.exit_code
    return found


def migration(found: dict[str, Any]) -> dict[str, Any]:
    (wave,) = found["waves"]
    (one,) = wave["migrations"]
    return dict(one)


def sent(one: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["step"], each["cmdlet"]) for each in one["sends"] if each["cmdlet"]]


def against(estate: Inside, kept: Path, *more: str) -> tuple[int, dict[str, Any]]:
    ended = estate.dmsa("preview", "--against", str(kept), "--json", *more)
    found: dict[str, Any] = json.loads(ended.stdout)
    Draft202012Validator(foretold_schema()).validate(found)
    assert found["exit"] == ended.exit_code
    return ended.exit_code, found


def test_it_tells_everything_and_only_reads(tmp_path: Path):
    with inside(tmp_path) as estate:
        ended = estate.dmsa("preview")
        assert ended.exit_code == 0, ended.output
        assert "DelegatedMSAEnabled: absent -> 1" in ended.stdout
        assert "account userAccountControl: 66048 -> 66050 (disabled)" in ended.stdout
        assert "restarts service BatchRunner" in ended.stdout
        assert "back from prepared: nothing has to be changed" in ended.stdout
        assert max(map(len, ended.stdout.splitlines())) <= 80
        came = record(estate.lab)
        assert came
        assert not [row for row in came if row["write"] or row["script"]]
        assert estate.sessions() == {}, "every session is closed"
        assert not (tmp_path / "journal.db").exists(), "nothing is written"


def test_what_is_sent_is_what_was_predicted(tmp_path: Path):
    kept = tmp_path / "predicted.json"
    with inside(tmp_path) as estate:
        found = document(estate.dmsa("preview", "-o", str(kept), "--no-ways-back", "--json"))
        assert json.loads(kept.read_text()) == found
        assert against(estate, kept)[1]["counts"]["not-yet"] > 0
        assert estate.dmsa("run").exit_code == 0
        came = [row for row in record(estate.lab) if row["write"]]
        will = [(each["cmdlet"], each["parameters"]) for each in migration(found)["sends"] if each["cmdlet"]]
        assert [(row["cmdlet"], row["parameters"]) for row in came] == will
        code, held = against(estate, kept)
        assert (code, held["share"]) == (0, 1.0)
        assert held["counts"]["not-yet"] == 0
        assert (
            "100.0% of what the journal tells came as predicted."
            in estate.dmsa("preview", "--against", str(kept)).stdout
        )


@pytest.mark.parametrize(
    ("where", "verdict"),
    [(("changes", "to"), "otherwise"), (("parameters", "Name"), "otherwise"), (("cmdlet", ""), "unforeseen")],
)
def test_what_came_otherwise_is_told(tmp_path: Path, where: tuple[str, str], verdict: str):
    kept = tmp_path / "predicted.json"
    with inside(tmp_path) as estate:
        estate.dmsa("preview", "-o", str(kept), "--no-ways-back")
        found = json.loads(kept.read_text())
        one = next(each for each in migration(found)["sends"] if each["cmdlet"] == "New-ItemProperty")
        part, name = where
        if part == "cmdlet":
            migration(found)["sends"].remove(one)
        elif part == "parameters":
            one["parameters"][name] = "Other"
        else:
            one["changes"][0][name] = 0
        kept.write_text(json.dumps(found))
        assert estate.dmsa("run", "--until", "registered").exit_code == 0
        code, held = against(estate, kept)
        assert code == 5
        assert [each["verdict"] for each in held["found"] if each["verdict"] in {"otherwise", "unforeseen"}] == [
            verdict
        ]
        assert verdict in estate.dmsa("preview", "--against", str(kept)).stdout


def test_a_plan_in_progress_previews_what_remains(tmp_path: Path):
    with inside(tmp_path) as estate:
        assert estate.dmsa("run", "--until", "restarted").exit_code == 0
        one = migration(document(estate.dmsa("preview", "--json")))
        assert sent(one) == [("complete", "Complete-ADServiceAccountMigration"), ("confirm", "Restart-Service")]
        assert (one["phase"], one["ends"]) == ("restarted", "completed")
        assert {way["phase"] for way in one["ways_back"]} == {"restarted", "completed"}
        assert migration(document(estate.dmsa("preview", "--until", "soaked", "--json")))["sends"] == []


def test_of_a_finished_plan_nothing_is_left(tmp_path: Path):
    with inside(tmp_path) as estate:
        assert estate.dmsa("run").exit_code == 0
        ended = estate.dmsa("preview")
        assert ended.exit_code == 0
        assert "nothing would be changed" in ended.stdout
        assert "0 changes are predicted. Nothing was changed." in ended.stdout


def test_a_host_that_does_not_answer_is_not_predicted(tmp_path: Path):
    with inside(tmp_path, {"kind": "host-down", "host": HOST, "at": "2026-03-02T18:00:00Z", "lasts": "9d"}) as estate:
        ended = estate.dmsa("preview")
        assert ended.exit_code == 4
        assert "NOT PREDICTED at planned: guard:host-reachable" in ended.stdout
        assert "What would follow is not predicted." in ended.stdout
        one = migration(document(estate.dmsa("preview", "--json")))
        assert one["held"]["unknown"] is True
        assert (one["dmsa"], one["sends"]) == (DMSA, [])


NONE = (
    "",
    "{}",
    "[1]",
    '{"waves": [], "estate_time": null, "journal_rows": 0, "given": []}',
    '{"waves": [], "estate_time": null, "journal_rows": 0, "given": [], "digest": "another"}',
    '{"waves": 7}',
)


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_prediction_of_this_plan_is_refused(tmp_path: Path, text: str):
    kept = tmp_path / "predicted.json"
    kept.write_text(text)
    plan, journal = str(ROOT / "plans" / "one-account.yaml"), str(tmp_path / "journal.db")
    verb = ["preview", plan, "--journal", journal, "--against"]
    for file in (kept, tmp_path / "missing.json"):
        with pytest.raises(InputInvalid, match="Nothing was done"):
            CliRunner().invoke(app, [*verb, str(file)], catch_exceptions=False)
    assert not Path(journal).exists()
