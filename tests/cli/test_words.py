"""The operator's words: hold, release, and the ways back, alone and while a runner drives."""

import time

import pytest

from tests.cli.desk import targets, writes

BATCH = ("--only", "dmsa-batch")
UNDO = "Undo-ADServiceAccountMigration"


def test_held_then_released(desk):
    desk.done("run", "plan.yaml", *BATCH, "--until", "prepared")
    assert "held (operator): incident 4711" in desk.done("hold", "plan.yaml", *BATCH, "--reason", "incident 4711")
    sent = writes(desk.lab)

    run = desk.dmsa("run", "plan.yaml", *BATCH)
    assert run.returncode == 4
    assert "operator: incident 4711" in run.stdout
    assert "dmsa release plan.yaml --only dmsa-batch --reason TEXT" in run.stdout
    assert writes(desk.lab) == sent
    held = desk.migrations()["dmsa-batch"]["held"]
    assert (held["reason"], held["detail"]) == ("operator", "incident 4711")

    desk.done("release", "plan.yaml", *BATCH, "--reason", "it is over")
    desk.done("run", "plan.yaml", *BATCH, "--until", "started")
    assert desk.phases()["dmsa-batch"] == "started"


def test_undo_is_one_phase_and_twice_is_two(desk):
    desk.done("run", "plan.yaml", *BATCH)
    assert "Undone by one phase: 1." in desk.done("undo", "plan.yaml", *BATCH, "--reason", "slow")
    migration = desk.migrations()["dmsa-batch"]
    assert (migration["phase"], migration["intention"], migration["held"]["reason"]) == ("reopened", "back", "undone")
    assert desk.dmsa("run", "plan.yaml", *BATCH).returncode == 4
    refused = desk.dmsa("release", "plan.yaml", *BATCH, "--reason", "well")
    assert refused.returncode == 4
    assert "release plan.yaml --only dmsa-batch --forward" in refused.stderr

    desk.done("undo", "plan.yaml", *BATCH)
    assert desk.phases()["dmsa-batch"] == "unlinked"
    assert sum(targets(desk.lab, UNDO).values()) == 2
    assert "Nothing to do" in desk.done("undo", "plan.yaml", *BATCH)
    assert sum(targets(desk.lab, UNDO).values()) == 2

    refused = desk.dmsa("release", "plan.yaml", *BATCH, "--forward", "--reason", "on")
    assert refused.returncode == 4
    assert "`dmsa rollback plan.yaml --only dmsa-batch` ends the way back first" in refused.stderr
    assert "Nothing was done" in refused.stderr

    desk.done("rollback", "plan.yaml", *BATCH)
    assert desk.phases()["dmsa-batch"] == "rolled_back"
    desk.done("release", "plan.yaml", *BATCH, "--forward", "--reason", "the vendor mended it")
    desk.done("run", "plan.yaml", *BATCH, "--until", "started")
    migration = desk.migrations()["dmsa-batch"]
    assert (migration["phase"], migration["attempt"]) == ("started", 2)


def test_forward_again_from_reopened(desk):
    desk.done("run", "plan.yaml", *BATCH)
    desk.done("undo", "plan.yaml", *BATCH)
    desk.done("release", "plan.yaml", *BATCH, "--forward", "--reason", "it was the network")
    desk.done("run", "plan.yaml", *BATCH)
    assert desk.phases()["dmsa-batch"] == "completed"
    assert set(targets(desk.lab, "Complete-ADServiceAccountMigration").values()) == {2}


def test_reset_unlinks_at_once(desk):
    desk.done("run", "plan.yaml", *BATCH, "--until", "registered")
    assert "Unlinked: 1." in desk.done("reset", "plan.yaml", *BATCH)
    assert desk.phases()["dmsa-batch"] == "unlinked"
    assert "Nothing to do" in desk.done("reset", "plan.yaml", *BATCH)


@pytest.mark.parametrize("verb", ["undo", "reset", "rollback"])
def test_what_is_planned_cannot_go_back(desk, verb):
    desk.done("run", "plan.yaml", *BATCH, "--until", "prepared")
    rows = desk.rows()
    refused = desk.dmsa(verb, "plan.yaml", "--only", "dmsa-web")
    assert refused.returncode == 4
    assert refused.stderr.startswith("dmsa: dmsa-web is still planned: nothing was changed for it")
    assert desk.rows() == rows


def test_prepared_goes_back_without_a_restart(desk):
    desk.done("run", "plan.yaml", *BATCH, "--until", "prepared")
    desk.done("undo", "plan.yaml", *BATCH)
    assert desk.phases()["dmsa-batch"] == "rolled_back"
    assert not targets(desk.lab, "Restart-Service")


@pytest.mark.parametrize(
    "which", [(), ("--all",), ("--only", "dmsa-batch", "--all"), ("--only", "dmsa-batch", "--all", "--yes")]
)
@pytest.mark.parametrize("verb", ["undo", "reset", "rollback"])
def test_a_way_back_says_for_whom(desk, verb, which):
    ended = desk.dmsa(verb, "plan.yaml", *which)
    assert ended.returncode == 2
    assert f"`{verb} PLAN --only NAME`, or `{verb} PLAN --all --yes`" in " ".join(ended.stderr.split())


def test_a_runner_obeys_a_hold_from_another_terminal(desk):
    with desk.running("run", "plan.yaml", "--only", "dmsa-report") as run:
        run.until(lambda line: "linked -> registered" in line)
        desk.done("hold", "plan.yaml", "--only", "dmsa-report", "--reason", "stop that")
        said = time.monotonic()
        run.until(lambda line: "HELD (operator): stop that" in line)
        heard = time.monotonic() - said
        ended = run.end()
    assert heard < 1
    assert ended.returncode == 4
    assert desk.migrations()["dmsa-report"]["held"]["reason"] == "operator"


def test_a_runner_carries_out_a_way_back_from_another_terminal(desk):
    with desk.running("run", "plan.yaml", "--only", "pilot") as run:
        run.until(lambda line: "dmsa-batch" in line and "started -> linked" in line)
        back = desk.dmsa("rollback", "plan.yaml", *BATCH, "--reason", "not tonight")
        assert back.returncode == 0
        assert f"pid {run.pid} drives, and carries this out; waiting for it." in back.stderr
        assert "Rolled back: 1" in back.stdout
        assert run.alive, "the other migration goes on"
        ended = run.end()
    assert ended.returncode == 5
    assert desk.phases()["dmsa-report"] == "completed"
    assert desk.phases()["dmsa-batch"] == "rolled_back"


def test_a_runner_of_others_is_waited_for_and_then_the_verb_drives(desk):
    desk.done("run", "plan.yaml", *BATCH, "--until", "started")
    with desk.running("run", "plan.yaml", "--only", "dmsa-report", "--until", "linked") as run:
        run.until(lambda line: "drives" in line)
        back = desk.done("undo", "plan.yaml", *BATCH)
        run.end()
    assert "Undone by one phase: 1." in back
    assert desk.phases()["dmsa-batch"] == "unlinked"
