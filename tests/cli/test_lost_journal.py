"""A runner that is lost with its disk is replaced from the mirror; one that wakes is told; and who looks meanwhile.

The lab is served by itself, as a domain is: nothing of it is lost with the runner.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from tests.cli.desk import DC, Desk, assert_once_each, assert_promised, hasten, read_plan

RUN = ("run", "plan.yaml", "--only", "dmsa-batch")


@pytest.fixture
def share(tmp_path):
    """A folder on what stands for a share that all runners reach."""
    (tmp_path / "share").mkdir()
    return tmp_path / "share" / "journal.jsonl"


def runner(folder: Path, served: dict, change=hasten) -> Desk:
    """Return the desk of a machine that reaches the served lab."""
    folder.mkdir()
    shutil.copy(served["ca"], folder / "ca.pem")
    (folder / "password").write_text(served["password"])
    plan = read_plan("quickstart.yaml")
    change(plan)
    login = {"auth": "basic", "username": served["username"], "password": "${file:password}", "tls": {"ca": "ca.pem"}}
    plan["estate"] = {
        "simulated": True,
        "domain": "corp.example",
        "directory": {"endpoint": DC, "server": DC},
        "addresses": served["addresses"],
        "connections": [{"match": "*", **login}],
    }
    desk = Desk(folder)
    desk.write_plan(plan)
    return desk


@pytest.mark.parametrize("after", ["start: Start-", "registered -> restarted", "complete: Complete-"])
def test_killed_and_its_journal_gone_the_mirror_brings_it_back(after, served, share, tmp_path):
    desk, mirrored = runner(tmp_path / "runner01", served), ("--mirror", str(share))
    with desk.running(*RUN, *mirrored) as run:
        run.until(lambda line: after in line)
        run.signal(signal.SIGKILL)
        assert run.end().returncode == -signal.SIGKILL
    shutil.rmtree(desk.journal.parent)

    anew = desk.dmsa(*RUN, *mirrored)
    assert (anew.returncode, anew.stdout) == (3, "")
    assert f"`dmsa journal restore --from {share} --journal .dmsa/journal.db`" in anew.stderr
    assert not desk.journal.exists()

    restored = json.loads(desk.done("journal", "restore", "--from", str(share), "--json"))
    assert restored["rows"] == desk.rows() > 0
    assert desk.dmsa("journal", "restore", "--from", str(share)).returncode == 3
    desk.done(*RUN, *mirrored)
    assert desk.phases()["dmsa-batch"] == "completed"
    assert_once_each(Path(served["state"]), accounts=1)
    document = json.loads(desk.done("journal", "verify", *mirrored, "--json"))
    assert document["mirror"] == {"path": str(share), "rows": desk.rows(), "behind": 0}


def test_a_frozen_runner_that_was_replaced_wakes_and_sends_nothing_more(served, share, tmp_path):
    mirrored = ("--mirror", str(share))
    old = runner(tmp_path / "runner01", served, lambda _plan: None)  # two weeks of hold time
    with old.running(*RUN, *mirrored) as frozen:
        frozen.until(lambda line: "waits for dwell" in line)
        frozen.signal(signal.SIGSTOP)
        assert old.phases()["dmsa-batch"] == "restarted"
        rows = old.rows()

        new = runner(tmp_path / "runner02", served, lambda _plan: None)
        new.done("journal", "restore", "--from", str(share))
        new.done(*RUN, *mirrored)
        assert new.phases()["dmsa-batch"] == "completed"
        mirror = share.read_bytes()

        frozen.signal(signal.SIGCONT)
        ended = frozen.end()
    assert ended.returncode == 6
    assert f"dmsa: the mirror {share} no longer ends where this run left it" in ended.stderr
    assert "this run sends nothing more" in ended.stderr
    assert old.rows() == rows
    assert share.read_bytes() == mirror
    assert_once_each(Path(served["state"]), accounts=1)
    again = old.dmsa(*RUN, *mirrored)
    assert again.returncode == 3
    assert "another runner has taken the run over from the mirror" in again.stderr


def test_without_room_for_the_mirror_nothing_is_sent(desk, tmp_path):
    ended = desk.dmsa(*RUN, "--mirror", str(tmp_path / "not mounted" / "journal.jsonl"))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "Is the share mounted?" in ended.stderr
    assert not desk.lab.exists()


def test_operators_words_reach_the_mirror_too_also_by_the_environment(prepared, share):
    mirrored = {"DMSA_MIRROR": str(share)}
    for command in (
        ("hold", "plan.yaml", "--only", "dmsa-batch", "--reason", "closing"),
        ("release", "plan.yaml", "--only", "dmsa-batch", "--reason", "closed"),
        ("rollback", "plan.yaml", "--only", "dmsa-batch"),
    ):
        ended = prepared.dmsa(*command, **mirrored)
        assert ended.returncode == 0, ended
        lines = share.read_bytes().splitlines()
        assert len(lines) == prepared.rows()
    assert f"--mirror {share}" in prepared.dmsa("run", "plan.yaml", "--until", "prepared", **mirrored).stdout
    prepared.done("journal", "verify", "--mirror", str(share))


def test_who_looks_while_it_is_being_written_always_sees_a_whole_history(desk, share):
    """Status, history, check and export, again and again, beside a run that never waits for them."""

    def typed(*words):
        done = CliRunner().invoke(app, [*words, "--journal", str(desk.journal)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert_promised(words, done.stdout)
        return done.stdout

    seen: list[str] = []
    with desk.running(*RUN, "--mirror", str(share)) as run:
        run.until(lambda line: "drives" in line)
        while run.until_line(len(run.lines) + 3):  # it is held back meanwhile, and so at another place each time
            status = json.loads(typed("status", str(desk.folder / "plan.yaml"), "--json"))
            assert [wave["name"] for wave in status["waves"]] == ["pilot", "main"]
            shown = json.loads(typed("journal", "show", "--json"))["rows"]
            assert [row["seq"] for row in shown] == list(range(1, len(shown) + 1))
            sound = json.loads(typed("journal", "verify", "--mirror", str(share), "--json"))
            assert sound["rows"] >= len(shown)
            exported = typed("journal", "export")
            assert exported.endswith("\n")
            assert not seen or exported.startswith(seen[-1])
            seen.append(exported)
        ended = run.end()
    assert ended.returncode == 0, ended
    assert len(set(seen)) > 1, "it was looked at while it grew"
    assert share.read_text(encoding="utf-8") == desk.done("journal", "export")
    assert share.read_text(encoding="utf-8").startswith(seen[-1])
    assert os.stat(share).st_mode & 0o077 == 0, "names of accounts and hosts are for the owner only"
