"""A plan that leaves it to a host what runs there, as every verb is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.views.status_schema import status_schema
from tests.cli.desk import ROOT

HOST = "jobs01.corp.example"
FOUND = {
    "service JobQueue", "service JobRunner", "service JobWatch", "task \\Jobs\\Nightly", "app-pool JobDesk",
}  # fmt: skip


class Desk:
    """A folder with the plan, its estate and a journal."""

    def __init__(self, folder: Path) -> None:
        self.plan, self.journal = folder / "plan.yaml", folder / "j.db"
        (folder / "estates").mkdir()
        shutil.copy(ROOT / "plans" / "estates" / "what-runs-there.yaml", folder / "estates")
        self.change(lambda data: data)

    def change(self, change: Any) -> None:
        data = yaml.safe_load((ROOT / "plans" / "what-runs-there.yaml").read_text(encoding="utf-8"))
        change(data)
        self.plan.write_text(yaml.safe_dump(data), encoding="utf-8")

    def dmsa(self, verb: str, *rest: str, journal: bool = True, code: int = 0) -> Result:
        given = [verb, str(self.plan), *rest, *(["--journal", str(self.journal)] if journal else [])]
        ended = CliRunner().invoke(app, given)
        ends = getattr(ended.exception, "exit_code", ended.exit_code)
        assert ends == code, (ended.output, ended.exception)
        return ended

    def host(self) -> dict[str, Any]:
        document = json.loads(self.dmsa("status", "--json").stdout)
        Draft202012Validator(status_schema()).validate(document)
        (migration,) = document["waves"][0]["migrations"]
        found: dict[str, Any] = next(one for one in migration["hosts"] if one["name"] == HOST)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def host_of(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = data["waves"][0]["migrations"][0]["hosts"][0]
    return found


def lists(data: dict[str, Any]) -> None:
    host = host_of(data)
    del host["workloads"]
    host |= {"services": ["JobRunner", "JobQueue", "JobWatch"], "tasks": ["\\Jobs\\Nightly"], "app_pools": ["JobDesk"]}


def disposable(data: dict[str, Any]) -> None:
    data["waves"][0]["migrations"][0]["drill"] = True


def test_before_anything_was_asked_status_and_expect_say_so(desk):
    desk.dmsa("check", journal=False)
    assert (desk.host()["discovered"], desk.host()["workloads"]) == (False, [])
    assert f"not asked yet: what runs under the account on {HOST}" in desk.dmsa("status").stdout
    expected = desk.dmsa("expect").stdout
    assert "not asked yet: whatever the host reports as running under the account" in expected
    assert "JobRunner" not in expected
    assert not desk.journal.exists()


def test_preflight_shows_what_each_host_would_answer_and_binds_nothing(desk):
    said = json.loads(desk.dmsa("preflight", "--json").stdout)
    assert "service JobRunner" in json.dumps(said)
    assert desk.host()["discovered"] is False


def test_from_the_first_step_on_every_verb_goes_by_what_was_found(desk):
    desk.dmsa("run", "--until", "restarted")
    host = desk.host()
    assert host["discovered"] is True
    assert {f"{one['kind']} {one['name']}" for one in host["workloads"]} == FOUND
    assert "not asked yet" not in desk.dmsa("status").stdout
    expected = desk.dmsa("expect").stdout
    assert "not asked yet" not in expected
    assert "JobQueue" in expected
    desk.dmsa("verify")

    desk.change(lists)
    shown = desk.dmsa("amend").stdout
    assert f"means the same: {HOST}: JobDesk, JobQueue, JobRunner, JobWatch, \\Jobs\\Nightly" in shown
    desk.dmsa("amend", "--accept", "--reason", "written down")
    host = desk.host()
    assert (host["discovered"], {f"{one['kind']} {one['name']}" for one in host["workloads"]}) == (None, FOUND)
    desk.dmsa("rollback", "--all", "--yes", "--reason", "rehearsed")
    desk.dmsa("verify")


def test_a_drill_looks_at_what_runs_there_before_and_after(desk):
    desk.change(disposable)
    desk.dmsa("drill", "--to", "restarted")
    (told,) = json.loads(desk.dmsa("status", "--json").stdout)["waves"][0]["migrations"]
    assert told["phase"] == "rolled_back"


def test_a_drill_does_not_begin_where_something_that_runs_there_is_down(desk, tmp_path):
    desk.change(disposable)
    estate = tmp_path / "estates" / "what-runs-there.yaml"
    data = yaml.safe_load(estate.read_text(encoding="utf-8"))
    data["hosts"][0]["services"][1] |= {"state": "Stopped"}
    estate.write_text(yaml.safe_dump(data), encoding="utf-8")
    ended = desk.dmsa("drill", "--to", "restarted", code=4)
    assert f"{HOST}: service JobQueue starts by itself and is Stopped" in str(ended.exception)


def test_a_plan_without_a_lab_is_rehearsed_with_one_service_for_what_nobody_knows(desk):
    def real(data: dict[str, Any]) -> None:
        directory = {"endpoint": "dc01.corp.example", "server": "dc01.corp.example"}
        connections = [{"match": "*", "auth": "kerberos"}]
        data["estate"] = {"domain": "corp.example", "directory": directory, "connections": connections}

    desk.change(real)
    desk.dmsa("rehearse", journal=False)
