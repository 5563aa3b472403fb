"""Notices as operators meet them: real processes, real receivers on loopback, and one that is killed in between."""

import json
import signal
from pathlib import Path

import pytest

from tests.cli.desk import Desk, hasten
from tests.receivers import HANG, SECRET, dead_port, receiving

FOUR = ["wave-started", "completed", "wave-started", "completed"]


def notifying(*receivers, shorter=False):
    def change(plan):
        hasten(plan)
        plan["notify"] = [one if isinstance(one, dict) else {"webhook": one} for one in receivers]
        if shorter:  # the first wave alone
            plan["waves"] = plan["waves"][:1]

    return change


def everything_written(folder: Path) -> bytes:
    """Every file that the command left, but the plan, which its author wrote."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.name != "plan.yaml")
    return b"".join(file.read_bytes() for file in files)


def listed(desk, *args, code=0, **environment):
    ended = desk.dmsa("notices", "plan.yaml", "--json", *args, **environment)
    assert ended.returncode == code, ended.stderr
    return json.loads(ended.stdout)


def test_a_run_tells_whoever_listens_and_ends_as_if_nobody_did_not(tmp_path):
    dead = f"http://127.0.0.1:{dead_port()}/{SECRET}"
    with receiving() as soc, receiving() as teams:
        desk = Desk.new(tmp_path / "desk", notifying(soc.url, {"webhook": "${env:TEAMS}", "format": "teams"}, dead))
        ended = desk.dmsa("run", "plan.yaml", "-v", TEAMS=teams.url)
        assert ended.returncode == 0, ended.stderr
        assert soc.occasions() == FOUR == teams.occasions()
        assert soc.ids() == teams.ids()
        assert len(set(soc.ids())) == 4
        assert all(one.notice == one.body["dmsa"]["id"] for one in soc.got)
        assert "attachments" in teams.got[0].body
        assert "attachments" not in soc.got[0].body

        document = listed(desk)
        assert [one["id"] for one in document["notices"]] == soc.ids()
        by_name = {one["receiver"]: one for one in document["receivers"]}
        silent = [one for one in by_name.values() if one["silent"]]
        assert [(one["unsent"], one["silent"]["why"]) for one in silent] == [
            (4, "no connection, or it broke off before an answer")
        ]
        assert by_name["env:TEAMS"]["unsent"] == 0
        states = {(one["receiver"], one["state"]) for notice in document["notices"] for one in notice["receivers"]}
        assert {state for name, state in states if name == silent[0]["receiver"]} == {"unsent"}
        assert {state for name, state in states if name != silent[0]["receiver"]} == {"sent"}
        assert f"receiver {silent[0]['receiver']} has taken no notice since" in desk.done("status", "plan.yaml")

        tested = listed(desk, "--test", code=4, TEAMS=teams.url)["test"]
        assert [one["outcome"] for one in tested] == ["taken", "taken", "later"]
        assert soc.got[-1].body["dmsa"]["test"] is True
        assert desk.dmsa("journal", "verify").returncode == 0

        shown = desk.dmsa("journal", "show", "plan.yaml", "--json").stdout
        assert "sha256-" in shown
        assert SECRET not in shown + ended.stdout + ended.stderr
        assert SECRET.encode() not in everything_written(desk.folder)


def test_killed_between_the_post_and_the_row_it_is_sent_again_under_the_same_id(tmp_path):
    with receiving(lambda number: HANG if number == 1 else 200) as receiver:
        desk = Desk.new(tmp_path / "desk", notifying("${file:hook}", shorter=True))
        (desk.folder / "hook").write_text(receiver.url, encoding="utf-8")
        with desk.running("run", "plan.yaml") as run:
            run.until(lambda line: "prepared -> started" in line)
            receiver.wait_for(1)
            run.signal(signal.SIGKILL)
            assert run.end().returncode == -signal.SIGKILL
        receiver.let_go.set()
        (first,) = receiver.got
        (unsent,) = listed(desk)["notices"]
        assert unsent["id"] == first.notice
        assert unsent["receivers"] == [{"receiver": "file:hook", "state": "unsent", "at": None}]

        desk.done("run", "plan.yaml")
        assert receiver.occasions() == ["wave-started", "wave-started", "completed"]
        assert receiver.ids()[:2] == [first.notice, first.notice]
        assert len(set(receiver.ids())) == 2
        assert [one["receivers"][0]["state"] for one in listed(desk)["notices"]] == ["sent", "sent"]


def test_words_while_nobody_drives_and_ways_back_are_told_and_rehearsals_are_not(tmp_path):
    with receiving() as receiver:
        desk = Desk.new(tmp_path / "desk", notifying(receiver.url, shorter=True))
        desk.done("rehearse", "plan.yaml", "--seed", "1")
        assert desk.dmsa("run", "plan.yaml", "--until", "started").returncode == 7  # one at a time
        desk.done("hold", "plan.yaml", "--reason", "incident <4711>")
        assert receiver.occasions() == ["wave-started"]
        assert desk.dmsa("run", "plan.yaml").returncode == 4
        assert receiver.occasions() == ["wave-started", "held"]
        held = receiver.got[-1].body
        assert held["dmsa"]["reason"] == "operator"
        assert "incident <4711>" in held["text"]
        assert "dmsa status plan.yaml" in held["text"]
        assert "PLAN" not in held["text"]

        assert desk.dmsa("rollback", "plan.yaml", "--all", "--yes").returncode == 0
        back = [one.body["dmsa"] for one in receiver.got[2:]]
        assert {one["occasion"] for one in back} == {"rolled-back"}
        assert sorted(m["dmsa"] for one in back for m in one["migrations"]) == ["dmsa-batch", "dmsa-report"]


@pytest.mark.parametrize("notify", [[], None])
def test_a_plan_without_receivers_says_so(tmp_path, notify):
    def change(plan):
        hasten(plan)
        if notify is not None:
            plan["notify"] = notify

    desk = Desk.new(tmp_path / "desk", change)
    assert "nobody is told anything" in desk.done("notices", "plan.yaml")
    document = listed(desk, "--test")
    assert (document["receivers"], document["notices"], document["test"]) == ([], [], [])
