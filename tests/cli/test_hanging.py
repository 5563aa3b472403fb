"""Told to stop while a host hangs: what is under way is written down as unknown, and the next run settles it.

The endpoints are in this process, the command in one of its own; its client waits far longer for an answer than a
runner that was told to stop may take, so that the end it comes to is not the client's.
"""

import json
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from orchestrator.journal import open_journal
from orchestrator.model.driven import RunnerLeft
from orchestrator.model.event import AttemptFinished, AttemptStarted, from_body
from orchestrator.model.observation import Outcome
from tests.cli.desk import PATIENCE, ROOT, counted
from tests.cli.inside import WRITES, Inside, inside
from tests.cli.test_interruptions import STOPPING

START = "Start-ADServiceAccountMigration"


def events(place: Inside):
    with closing(open_journal(place.folder / "journal.db", create=False)) as journal:
        holder = journal.holder()
        return holder, [from_body(row.kind, row.body) for row in journal.read()]


def let_wait(place: Inside, seconds: int) -> None:
    """Let the client wait so long for an answer; that is no part of what a plan is."""
    file = place.folder / "plan.json"
    plan = json.loads(file.read_text(encoding="utf-8"))
    plan["estate"]["connections"][0]["timeout"] = f"{seconds}s"
    file.write_text(json.dumps(plan), encoding="utf-8")


@pytest.fixture
def place(tmp_path):
    with inside(tmp_path, {"kind": "hang", "when": {"cmdlet": START}}) as place:
        let_wait(place, 600)
        yield place


def started(place: Inside) -> subprocess.Popen[str]:
    args = ("run", str(place.folder / "plan.json"), "--journal", str(place.folder / "journal.db"))
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *args],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_hanging_host_is_waited_for_ten_seconds_and_no_longer(place):
    with started(place) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if f"start: {START}" in line:
                break
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 143
    assert err == f"SIGTERM: {STOPPING}"
    assert out.splitlines()[-1].startswith("Stopped by SIGTERM. `dmsa run ")
    holder, told = events(place)
    assert holder is None
    assert isinstance(told[-1], RunnerLeft)
    assert [one.cmdlet for one in told if isinstance(one, AttemptStarted)][-1] == START
    assert [one.outcome for one in told if isinstance(one, AttemptFinished)][-1] is Outcome.UNKNOWN

    assert_the_next_run_finishes(place)


def test_a_second_signal_does_not_wait_and_the_next_run_settles(place):
    with started(place) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if f"start: {START}" in line:
                break
        assert run.stderr is not None
        run.send_signal(signal.SIGINT)
        assert run.stderr.readline() == f"SIGINT: {STOPPING}"
        run.send_signal(signal.SIGINT)
        run.wait(PATIENCE)
        run.communicate()
    assert run.returncode == -signal.SIGINT
    holder, told = events(place)
    assert holder is None
    assert not isinstance(told[-1], RunnerLeft)

    assert_the_next_run_finishes(place)


def assert_the_next_run_finishes(place: Inside) -> None:
    """What one account takes arrived, and no more, and no shell stays behind."""
    let_wait(place, 2)
    assert place.dmsa("run").exit_code == 0
    assert place.sessions() == {}
    assert counted(place.lab) == WRITES
