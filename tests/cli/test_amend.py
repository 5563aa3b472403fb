"""A plan that changes while a run goes on, at the desk: shown, refused, accepted, and while a runner drives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.desk import Desk, hasten, read_plan, targets, writes


def rewrite(desk: Desk, *changes: Any) -> None:
    plan = read_plan("quickstart.yaml")
    hasten(plan)
    for change in changes:
        change(plan)
    desk.write_plan(plan)


def joins(plan: dict[str, Any]) -> None:
    plan["waves"][0]["migrations"][1]["hosts"].append({"name": "app01.corp.example", "services": ["BatchNight"]})


def two_batch_hosts(folder: Path, change: Callable[[dict[str, Any]], None] | None = hasten) -> Desk:
    """Return a desk on whose estate app01 runs something as the batch account too, which nobody has planned for."""
    desk = Desk.new(folder, change)
    file = folder / "estates" / "quickstart.yaml"
    estate = yaml.safe_load(file.read_text(encoding="utf-8"))
    estate["hosts"][0]["services"].append({"name": "BatchNight", "log_on": "CORP\\svc-batch"})
    file.write_text(yaml.safe_dump(estate), encoding="utf-8")
    return desk


def other_account(plan: dict[str, Any]) -> None:
    plan["waves"][0]["migrations"][1]["account"] = "CN=svc-other,OU=Service Accounts,DC=corp,DC=example"


def test_a_changed_plan_is_shown_then_accepted_then_gone_by(tmp_path):
    prepared = two_batch_hosts(tmp_path)
    prepared.done("run", "plan.yaml", "--only", "dmsa-batch", "--until", "prepared")
    rewrite(prepared, joins)
    rows = prepared.rows()
    for verb in ("run", "status"):
        refused = prepared.dmsa(verb, "plan.yaml")
        assert refused.returncode == 3
        assert "`dmsa amend plan.yaml` shows the difference" in refused.stderr
    shown = prepared.done("amend", "plan.yaml")
    assert "  hosts.app01.corp.example: nothing -> {" in shown
    assert "  dmsa-batch joins: app01.corp.example is written down before anything is changed there" in shown
    assert shown.endswith("Nothing was done. `dmsa amend plan.yaml --accept --reason TEXT` accepts it.\n")
    assert prepared.rows() == rows

    document = json.loads(prepared.done("amend", "plan.yaml", "--accept", "--reason", "app01 joins", "--json"))
    assert (document["accepted"], document["refusals"]) == (True, [])
    assert [one["what"] for one in document["follows"]] == ["host-joins"]
    assert "goes by this plan already" in prepared.done("amend", "plan.yaml")
    prepared.done("status", "plan.yaml", "--json")
    prepared.done("run", "plan.yaml", "--only", "dmsa-batch", "--until", "restarted")
    assert targets(prepared.lab, "Restart-Service") == {"BatchRunner": 1, "BatchNight": 1}
    assert "amended by " in prepared.done("journal", "show", "plan.yaml")
    prepared.done("journal", "show", "plan.yaml", "--json")  # its schema knows the new kinds of rows


def test_what_cannot_be_amended_is_refused_and_nothing_written(prepared):
    rewrite(prepared, other_account)
    rows = prepared.rows()
    refused = prepared.dmsa("amend", "plan.yaml", "--accept", "--reason", "typing error")
    assert refused.returncode == 3
    assert "Refused; nothing was done.\n  dmsa-batch has begun with the account CN=svc-batch" in refused.stdout
    assert json.loads(prepared.dmsa("amend", "plan.yaml", "--json").stdout)["exit"] == 3
    assert prepared.rows() == rows


@pytest.mark.parametrize(("words", "code"), [(("--accept",), 2), ((), 3)])
def test_accepting_needs_a_reason_and_amending_a_run(desk, words, code):
    assert desk.dmsa("amend", "plan.yaml", *words).returncode == code


def test_a_runner_stops_in_good_order_when_its_plan_is_amended(tmp_path):
    desk = two_batch_hosts(tmp_path, change=None)
    with desk.running("run", "plan.yaml", "--only", "dmsa-batch", forked=True) as run:
        run.until(lambda line: "registered -> restarted" in line)
        plan = read_plan("quickstart.yaml")
        joins(plan)
        desk.write_plan(plan)
        said = desk.done("amend", "plan.yaml", "--accept", "--reason", "app01 joins")
        assert "dmsa-batch returns to linked: from restarted" in said
        run.until(lambda line: "amended by" in line)
        run.until(lambda line: "the runner left: the plan was amended" in line)
        ended = run.end()
    assert ended.returncode == 7
    assert "`dmsa run plan.yaml` goes on with the plan as amended." in ended.stderr
    assert desk.phases()["dmsa-batch"] == "linked"
    before = len(writes(desk.lab))
    desk.done("run", "plan.yaml", "--only", "dmsa-batch")
    assert len(writes(desk.lab)) > before
    assert targets(desk.lab, "Restart-Service") == {"BatchRunner": 2, "BatchNight": 2}
    assert desk.phases()["dmsa-batch"] == "completed"
