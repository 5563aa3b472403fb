"""A run that is stopped, told to stop twice, or killed, and then goes on; and two runs at once."""

import random
import signal

import pytest

from tests.cli.desk import Desk, Running, assert_once_each, targets, writes

ONE = ("--only", "dmsa-batch")


def lease_is_free(desk: Desk) -> bool:
    return "driven by" not in desk.done("status", "plan.yaml")


def stopped(run: Running, number: int, lines: int) -> None:
    run.until_line(lines)
    run.signal(number)


@pytest.mark.parametrize(
    ("number", "status", "lines"), [(signal.SIGINT, 130, 3), (signal.SIGINT, 130, 9), (signal.SIGTERM, 143, 6)]
)
def test_a_signal_ends_a_run_in_good_order(desk, number, status, lines):
    with desk.running("run", "plan.yaml", *ONE) as run:
        stopped(run, number, lines)
        ended = run.end()
    assert ended.returncode == status
    last = ended.stdout.splitlines()[-1]
    assert last == f"Stopped by {number.name}. `dmsa run plan.yaml` goes on from here."
    assert ended.stderr == f"{number.name}: nothing new begins; what is under way ends, or is recorded as unknown\n"
    assert lease_is_free(desk)

    assert "completed" in desk.done("run", "plan.yaml", *ONE)
    assert_once_each(desk.lab, accounts=1)


def test_a_document_is_a_document_also_when_interrupted(desk):
    with desk.running("run", "plan.yaml", "--json") as run:
        while desk.rows() < 5:
            pass
        run.signal(signal.SIGINT)
        ended = run.end()
    assert ended.returncode == 130
    assert '"plan": "quickstart"' in ended.stdout
    assert ended.stdout.rstrip().endswith("}")


def test_a_second_signal_ends_it_at_once(desk):
    with desk.running("run", "plan.yaml", *ONE) as run:
        stopped(run, signal.SIGINT, 4)
        run.signal(signal.SIGINT)
        ended = run.end()
    # The first may have been enough: a run that has nothing in the air ends faster than a signal follows another.
    assert ended.returncode in {-signal.SIGINT, 130}
    assert lease_is_free(desk)
    desk.done("run", "plan.yaml", *ONE)
    assert_once_each(desk.lab, accounts=1)


def test_before_anything_began_there_is_nothing_to_stop(desk):
    with desk.running("run", "plan.yaml") as run:
        while not desk.journal.exists():
            pass
        run.signal(signal.SIGTERM)
        ended = run.end()
    assert ended.returncode == 143
    assert ended.stderr in {
        "dmsa: ended by SIGTERM; nothing is under way\n",
        "SIGTERM: nothing new begins; what is under way ends, or is recorded as unknown\n",
    }
    assert lease_is_free(desk)


def test_killed_again_and_again_it_finishes(desk):
    chance = random.Random(4)
    killed = [desk.kill_after(chance.randrange(1, 12)) for _ in range(5)]
    assert killed.count(True) >= 4
    assert lease_is_free(desk), "the operating system frees it, whatever ended the process"
    desk.done("run", "plan.yaml", "--only", "pilot")
    assert_once_each(desk.lab, accounts=2)
    desk.done("journal", "verify")


@pytest.mark.parametrize("rows", [2, 9, 16])
def test_killed_on_the_way_back_it_goes_all_the_way(desk, rows):
    desk.done("run", "plan.yaml", *ONE, "--until", "restarted")
    with desk.running("rollback", "plan.yaml", *ONE) as back:
        before = desk.rows()
        while back.alive and desk.rows() < before + rows:
            pass
        back.signal(signal.SIGKILL)
        back.end()
    desk.done("rollback", "plan.yaml", *ONE)
    assert desk.phases()["dmsa-batch"] == "rolled_back"
    assert set(targets(desk.lab, "Undo-ADServiceAccountMigration").values()) == {1}


def test_two_runners_on_one_journal(desk):
    with desk.running("run", "plan.yaml", *ONE) as first:
        first.until(lambda line: "drives" in line)
        sent = len(writes(desk.lab))
        second = desk.dmsa("run", "plan.yaml")
        assert second.returncode == 6
        assert second.stdout == ""
        assert "the journal is held by " in second.stderr
        assert f"pid {first.pid} since 20" in second.stderr
        assert "Nothing was written" in second.stderr
        assert "driven by " in desk.done("status", "plan.yaml")
        assert len(writes(desk.lab)) >= sent
        first.until(lambda line: "switched -> completed" in line)
        assert first.end().returncode == 0
    assert_once_each(desk.lab, accounts=1)
