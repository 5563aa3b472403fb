"""The operator's words: hold, release, release-host, and the ways back, alone and while a runner drives."""

import signal

import pytest

from orchestrator.cli.selection import who
from tests.cli.desk import Desk, read_plan, targets, writes

BATCH = ("plan.yaml", "--only", "dmsa-batch")
UNDO = "Undo-ADServiceAccountMigration"


def test_held_then_released(prepared):
    assert prepared.done("hold", *BATCH, "--reason", "incident 4711") == "dmsa-batch: held (operator): incident 4711\n"
    sent = writes(prepared.lab)

    run = prepared.dmsa("run", *BATCH)
    assert run.returncode == 4
    assert f"    operator ({who()}): incident 4711\n" in run.stdout
    assert "    to go on: `dmsa release plan.yaml --only dmsa-batch --reason TEXT`\n" in run.stdout
    assert writes(prepared.lab) == sent
    held = prepared.migrations()["dmsa-batch"]["held"]
    assert (held["reason"], held["detail"]) == ("operator", "incident 4711")

    said = prepared.done("release", *BATCH, "--reason", "it is over")
    assert said == "dmsa-batch: released; `dmsa run plan.yaml` goes on from prepared\n"
    assert "not held" in prepared.done("release", *BATCH, "--reason", "once more")
    prepared.done("run", *BATCH, "--until", "started")
    assert prepared.phases()["dmsa-batch"] == "started"


def test_undo_is_one_phase_and_twice_is_two(completed):
    desk = completed
    assert "Undone by one phase: 1." in desk.done("undo", *BATCH, "--reason", "slow")
    migration = desk.migrations()["dmsa-batch"]
    assert (migration["phase"], migration["intention"], migration["held"]["reason"]) == ("reopened", "back", "undone")
    refused = desk.dmsa("release", *BATCH, "--reason", "well")
    assert refused.returncode == 4
    assert "release plan.yaml --only dmsa-batch --forward" in refused.stderr

    forward = desk.copy(desk.folder.parent / "forward")
    forward.done("release", *BATCH, "--forward", "--reason", "it was the network")
    assert (forward.phases()["dmsa-batch"], desk.phases()["dmsa-batch"]) == ("restarted", "reopened")

    desk.done("undo", *BATCH)
    assert desk.phases()["dmsa-batch"] == "unlinked"
    assert sum(targets(desk.lab, UNDO).values()) == 2
    assert "Nothing to do" in desk.done("undo", *BATCH)
    assert sum(targets(desk.lab, UNDO).values()) == 2

    refused = desk.dmsa("release", *BATCH, "--forward", "--reason", "on")
    assert refused.returncode == 4
    assert "`dmsa rollback plan.yaml --only dmsa-batch` ends the way back first" in refused.stderr
    assert "Nothing was done" in refused.stderr

    assert "Rolled back: 1, each compared with its snapshot." in desk.done("rollback", *BATCH)
    assert desk.phases()["dmsa-batch"] == "rolled_back"


def test_reset_unlinks_at_once(restarted):
    assert "Unlinked: 1." in restarted.done("reset", *BATCH)
    assert restarted.phases()["dmsa-batch"] == "unlinked"
    assert "Nothing to do" in restarted.done("reset", *BATCH)


@pytest.mark.parametrize("verb", ["undo", "rollback"])
def test_what_is_planned_cannot_go_back(prepared, verb):
    rows = prepared.rows()
    refused = prepared.dmsa(verb, "plan.yaml", "--only", "pilot")
    assert refused.returncode == 4
    assert refused.stderr.startswith("dmsa: dmsa-report is still planned: nothing was changed for it")
    assert prepared.rows() == rows


def test_prepared_goes_back_without_a_restart_and_begins_anew(prepared):
    prepared.done("undo", *BATCH)
    assert prepared.phases()["dmsa-batch"] == "rolled_back"
    assert not targets(prepared.lab, "Restart-Service")

    prepared.done("release", *BATCH, "--forward", "--reason", "the vendor mended it")
    prepared.done("run", *BATCH, "--until", "prepared")
    migration = prepared.migrations()["dmsa-batch"]
    assert (migration["phase"], migration["attempt"]) == ("prepared", 2)


@pytest.mark.parametrize(
    ("verb", "which"), [("undo", ()), ("reset", ("--only", "main", "--all", "--yes")), ("rollback", ("--all",))]
)
def test_a_way_back_says_for_whom(desk, verb, which):
    ended = desk.dmsa(verb, "plan.yaml", *which)
    assert ended.returncode == 2
    assert f"`{verb} PLAN --only NAME`, or `{verb} PLAN --all --yes`" in " ".join(ended.stderr.split())


def test_a_runner_obeys_a_hold_from_another_terminal(desk):
    """Before anything new begins: of the line at which it stood, no step is begun that had not begun."""
    with desk.running("run", "plan.yaml", "--only", "dmsa-report", forked=True) as run:
        run.until(lambda line: "drives" in line)
        desk.done("hold", "plan.yaml", "--only", "dmsa-report", "--reason", "stop that")
        run.until(lambda line: "dmsa-report" in line and "HELD (operator): stop that" in line)
        ended = run.end()
    assert ended.returncode == 4
    held = desk.migrations()["dmsa-report"]
    assert (held["held"]["reason"], held["held"]["detail"]) == ("operator", "stop that")
    assert held["phase"] in {"planned", "prepared"}


def test_a_runner_carries_out_a_way_back_from_another_terminal(tmp_path):
    desk = Desk.new(tmp_path, change=None)  # two weeks of hold time: the other migration is under way for a while
    with desk.running("run", "plan.yaml", "--only", "pilot") as run:
        run.until(lambda line: "dmsa-batch" in line and "started -> linked" in line)
        with desk.running("rollback", *BATCH, "--reason", "not tonight", listen_to="stderr") as rollback:
            told = rollback.until(lambda line: "drives" in line)
            run.until(lambda line: "dmsa-batch" in line and "-> rolled_back" in line)
            back = rollback.end()
        assert f"pid {run.pid} drives, and carries this out; waiting for it." in told
        assert back.returncode == 0
        assert "Rolled back: 1, each compared with its snapshot." in back.stdout
        assert run.alive, "the other migration goes on"
        run.signal(signal.SIGTERM)
        assert run.end().returncode == 143
    assert desk.phases()["dmsa-batch"] == "rolled_back"


def test_a_runner_of_others_is_waited_for_and_then_the_verb_drives(restarted):
    with restarted.running("run", "plan.yaml", "--only", "dmsa-report", "--until", "prepared", forked=True) as run:
        run.until(lambda line: "drives" in line)
        with restarted.running("undo", *BATCH, listen_to="stderr", forked=True) as undo:
            undo.until(lambda line: "waiting for it" in line)
            assert run.end().returncode == 0
            back = undo.end()
    assert back.returncode == 0
    assert "Undone by one phase: 1." in back.stdout
    assert restarted.phases()["dmsa-batch"] == "unlinked"


def test_a_host_is_released_by_a_second_person_alone(restarted):
    host = ("plan.yaml", "app02.corp.example", "--reason", "scrapped")
    refused = restarted.dmsa("release-host", *host)
    assert refused.returncode == 4
    assert "ran this last, and it takes a second person" in refused.stderr
    unknown = restarted.dmsa("release-host", "plan.yaml", "db01.corp.example", "--reason", "x", "--as", "ann")
    assert unknown.returncode == 4
    assert "`dmsa amend plan.yaml`" in unknown.stderr

    said = restarted.done("release-host", *host, "--as", "ann")
    assert said == "dmsa-batch: app02.corp.example is lost; `dmsa run plan.yaml` goes on without it\n"
    assert "lost: app02.corp.example (says ann: scrapped); DelegatedMSAEnabled was absent, left at 1" in restarted.done(
        "status", "plan.yaml"
    )
    restarted.done("status", "plan.yaml", "--json")
    restarted.done("rollback", *BATCH)
    assert sum(targets(restarted.lab, "Restart-Service").values()) == 1
    assert restarted.migrations()["dmsa-batch"]["hosts"][0]["registry"] == "lost"


def test_on_a_real_estate_nobody_speaks_as_somebody_else(tmp_path):
    desk = Desk.new(tmp_path)
    desk.write_plan(read_plan("erp.yaml"))
    for verb, rest in (("hold", ()), ("release", ()), ("release-host", ("app01.corp.example",))):
        refused = desk.dmsa(verb, "plan.yaml", *rest, "--reason", "x", "--as", "ann")
        assert refused.returncode == 3
        assert "it is the operating system that says who speaks" in refused.stderr
