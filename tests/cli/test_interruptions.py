"""A run that is stopped, told to stop twice, or killed, and then goes on; and two runs at once."""

import json
import random
import signal

import pytest

from tests.cli.desk import Desk, assert_once_each, targets, writes

RUN = ("run", "plan.yaml", "--only", "dmsa-batch")
BACK = ("rollback", "plan.yaml", "--only", "dmsa-batch")
STOPPING = "nothing new begins; what is under way ends, or is recorded as unknown\n"


@pytest.mark.parametrize(("number", "status", "lines"), [(signal.SIGINT, 130, 5), (signal.SIGTERM, 143, 11)])
def test_a_signal_ends_a_run_in_good_order(desk, number, status, lines):
    with desk.running(*RUN) as run:
        assert run.until_line(lines)
        run.signal(number)
        ended = run.end()
    assert ended.returncode == status
    assert ended.stdout.splitlines()[-1] == f"Stopped by {number.name}. `dmsa run plan.yaml` goes on from here."
    assert ended.stderr == f"{number.name}: {STOPPING}"
    assert desk.driver is None
    assert desk.rows() > 0

    desk.done(*RUN, "--until", "restarted")
    assert desk.phases()["dmsa-batch"] == "restarted"
    assert set(targets(desk.lab, "Start-ADServiceAccountMigration").values()) == {1}


def test_a_document_is_a_document_also_when_interrupted(prepared):
    """The signal comes in the middle of a write to the stream on which it is answered."""
    with prepared.running(*RUN, "--json", "-v", listen_to="stderr") as run:
        run.until(lambda line: "guards-asked" in line)
        run.signal(signal.SIGINT)
        ended = run.end()
    assert ended.returncode == 130
    assert json.loads(ended.stdout)["plan"] == "quickstart"
    assert ended.stderr.count(f"SIGINT: {STOPPING}") == 1
    assert prepared.phases()["dmsa-batch"] != "completed"


def test_a_second_signal_ends_it_at_once(prepared):
    with prepared.running(*RUN) as run:
        assert run.until_line(2)
        run.signal(signal.SIGINT)
        run.signal(signal.SIGINT)
        ended = run.end()
    # Two signals that arrive before Python looks are one to it.
    assert ended.returncode in {-signal.SIGINT, 130}
    assert prepared.driver is None


def test_before_anything_began_there_is_nothing_to_stop(desk):
    with desk.running(*RUN) as run:
        while not desk.journal.exists():
            pass
        run.signal(signal.SIGTERM)
        ended = run.end()
    assert ended.returncode == 143
    assert ended.stderr in {"dmsa: ended by SIGTERM; nothing is under way\n", f"SIGTERM: {STOPPING}"}
    assert desk.driver is None


def test_killed_again_and_again_it_finishes(desk):
    chance = random.Random(4)
    assert desk.kill_after(chance.randrange(2, 6), *RUN)
    assert desk.driver is None, "the operating system frees the lease, whatever ended the process"
    for _ in range(2):
        desk.kill_after(chance.randrange(2, 9), *RUN)
    desk.done(*RUN)
    assert desk.phases()["dmsa-batch"] == "completed"
    assert_once_each(desk.lab, accounts=1)
    desk.done("journal", "verify")


def test_killed_on_the_way_back_it_goes_all_the_way(completed):
    assert completed.kill_after(2, *BACK)
    assert completed.kill_after(5, *BACK)
    completed.done(*BACK)
    assert completed.phases()["dmsa-batch"] == "rolled_back"
    assert set(targets(completed.lab, "Undo-ADServiceAccountMigration").values()) == {2}


def test_two_runners_on_one_journal(desk):
    with desk.running(*RUN) as first:
        first.until(lambda line: "drives" in line)
        with desk.running("run", "plan.yaml") as other:
            driven = desk.done("status", "plan.yaml")
            second = other.end()
        assert first.alive
        assert (second.returncode, second.stdout) == (6, "")
        assert "dmsa: the journal is held by " in second.stderr
        assert f"pid {first.pid} since 20" in second.stderr
        assert "Nothing was written" in second.stderr
        assert f"pid {first.pid}" in next(line for line in driven.splitlines() if line.startswith("driven by "))
    assert not [row for row in writes(desk.lab) if "svc-report" in str(row["parameters"])]


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="only POSIX can freeze a process from outside")
def test_a_frozen_runner_keeps_the_lease_until_it_is_killed(tmp_path):
    """The operating system's lock stays with a process that stands still, and goes with one that is gone."""
    desk = Desk.new(tmp_path)
    with desk.running(*RUN) as first:
        first.until(lambda line: "start: Start-ADServiceAccountMigration" in line)
        first.signal(signal.SIGSTOP)
        second = desk.dmsa(*RUN)
        assert (second.returncode, second.stdout) == (6, "")
        assert f"pid {first.pid} since 20" in second.stderr
        first.signal(signal.SIGKILL)
        assert first.end().returncode == -signal.SIGKILL
    desk.done(*RUN)
    assert desk.phases()["dmsa-batch"] == "completed"
    assert_once_each(desk.lab, accounts=1)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="only POSIX can freeze a process from outside")
def test_a_runner_that_slept_goes_on_and_does_nothing_twice(desk):
    with desk.running(*RUN) as run:
        run.until(lambda line: "start: Start-ADServiceAccountMigration" in line)
        run.signal(signal.SIGSTOP)
        assert desk.dmsa("status", "plan.yaml").returncode in {0, 7}
        run.signal(signal.SIGCONT)
        assert run.end().returncode == 0
    assert_once_each(desk.lab, accounts=1)
