"""Words about what was done by hand or elsewhere, at the desk."""

import shutil

import pytest

from tests.cli.desk import Desk, assert_once_each, writes

BATCH = ("plan.yaml", "--only", "dmsa-batch")


def test_a_word_that_the_read_back_contradicts_is_held_and_nothing_is_sent(prepared):
    sent = writes(prepared.lab)
    said = prepared.dmsa(
        "assert-done", *BATCH, "--step", "start", "--reason", "at the console", "--json", "--as", "ann"
    )
    assert said.returncode == 4
    held = prepared.migrations()["dmsa-batch"]["held"]
    assert held["reason"] == "operator"
    assert held["detail"].startswith("ann said that start was done by hand (at the console), and it is not so.")
    assert writes(prepared.lab) == sent

    refused = prepared.dmsa("assert-done", *BATCH, "--step", "confirm", "--reason", "x")
    assert refused.returncode == 4
    assert "what is next from prepared is start, not confirm. Nothing was done." in refused.stderr
    assert prepared.dmsa("assert-done", *BATCH, "--step", "nonsense", "--reason", "x").returncode == 2
    several = prepared.dmsa("assert-done", "plan.yaml", "--only", "pilot", "--step", "start", "--reason", "x")
    assert several.returncode == 3


def test_a_word_that_it_agrees_with_counts_and_goes_no_further(restarted):
    """Undone behind the program's back, by a desk with another journal on the same lab."""
    before = restarted.copy(restarted.folder.parent / "before")
    restarted.done("reset", *BATCH)
    (before.lab).rename(before.lab.with_suffix(".away"))
    restarted.lab.rename(before.lab)
    sent = writes(before.lab)
    said = before.done("assert-done", *BATCH, "--step", "reset", "--reason", "the other console")
    assert "dmsa-batch is unlinked: the read-back agrees." in said
    assert writes(before.lab) == sent
    assert before.migrations()["dmsa-batch"]["held"]["reason"] == "undone"


@pytest.mark.parametrize(
    ("stage", "phase"), [("prepared", "prepared"), ("restarted", "restarted"), ("completed", "switched")]
)
def test_a_lost_journal_is_adopted_and_the_run_finishes(stages, tmp_path, stage, phase):
    shutil.copytree(stages / stage, tmp_path / "desk")
    desk = Desk(tmp_path / "desk")
    for file in desk.journal.parent.glob("journal.db*"):
        if file != desk.lab and not file.is_dir():
            file.unlink()
    sent = writes(desk.lab)
    held = desk.dmsa("run", *BATCH)
    assert held.returncode == 4
    assert "`dmsa adopt plan.yaml --only dmsa-batch --reason TEXT`" in held.stdout
    for file in desk.journal.parent.glob("journal.db*"):
        if not file.is_dir():
            file.unlink()

    said = desk.done("adopt", *BATCH, "--reason", "the disk is lost", "--as", "ann")
    assert f"dmsa-batch is {phase} now, by what was read back." in said
    assert "adopted: its snapshot was taken late" in said
    assert desk.phases()["dmsa-batch"] == phase
    assert writes(desk.lab) == sent
    again = desk.dmsa("adopt", *BATCH, "--reason", "once more")
    assert again.returncode == 4
    assert "it was begun here" in again.stderr
    desk.done("journal", "show", "plan.yaml", "--json")
    desk.done("run", *BATCH)
    assert desk.phases()["dmsa-batch"] == "completed"
    assert_once_each(desk.lab, accounts=1)
