"""Words about what was done by hand, at the desk."""

from tests.cli.desk import writes

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
