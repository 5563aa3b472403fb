"""A runner that stays, and what other terminals say to it meanwhile: every command is a process of its own.

The far side is a served lab, whose record says what arrived. Nothing here sleeps: each step waits for what the one
before must bring about.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.desk import DC, ROOT, Desk, Plan, counted, hasten, reached, read_plan, writes
from tests.cli.running import Running

REPORT, BATCH = ("plan.yaml", "--only", "dmsa-report"), ("plan.yaml", "--only", "dmsa-batch")
WATCH = ("run", "plan.yaml", "--watch")


@contextmanager
def served(folder: Path, change: Callable[[Plan], None]) -> Iterator[tuple[Desk, Path, Running]]:
    """Give a desk whose plan reaches a lab by TCP, and the lab's state."""
    (folder / "estates").mkdir(parents=True)
    shutil.copy(ROOT / "plans" / "estates" / "quickstart.yaml", folder / "estates")
    desk, state = Desk(folder), folder / "state"
    with desk.running("lab", "serve", "estates/quickstart.yaml", "--state", str(state), "--json") as lab:
        assert lab.until_line(1)
        ready = json.loads(lab.lines[0])
        shutil.copy(ready["ca"], folder / "ca.pem")
        (folder / "password").write_text(ready["password"])
        plan = read_plan("quickstart.yaml")
        hasten(plan)
        change(plan)
        plan["estate"] = reached(ready)
        plan["estate"]["connections"][0]["timeout"] = "100s"  # a machine that is busy is not away
        desk.write_plan(plan)
        yield desk, state, lab


def weeks(plan: Plan) -> None:
    """Let the dwell last for half a year: on a lab that is a minute or two of reading the clock."""
    plan["policy"] |= {"dwell": "196d", "ledger_every": "7d"}
    plan["waves"] = plan["waves"][:1]


def pilot_only(plan: Plan) -> None:
    plan["waves"] = plan["waves"][:1]


def waits_for_dwell(name: str) -> Callable[[str], bool]:
    return lambda line: name in line and "waits for dwell" in line


def ended_by(run: Running, number: int, status: int) -> str:
    run.signal(number)
    ended = run.end()
    assert ended.returncode == status, ended.stdout
    assert "Traceback" not in ended.stdout
    return ended.stdout


@pytest.fixture
def dwelling(tmp_path: Path) -> Iterator[tuple[Desk, Path, Running]]:
    """A runner that stays, whose two migrations are in a dwell of half a year."""
    with served(tmp_path, weeks) as (desk, state, _lab), desk.running_freely(*WATCH) as run:
        for _ in range(2):
            run.until(waits_for_dwell("dmsa-"))
        yield desk, state, run


def test_a_dwell_is_held_shown_released_and_goes_on_until_the_same_day(dwelling):
    desk, state, run = dwelling
    before = desk.migrations()["dmsa-report"]["waiting"]
    assert before["for"] == "dwell"
    said = desk.done("hold", *REPORT, "--reason", "incident 4711")
    assert said.startswith("dmsa-report: held (operator): incident 4711\n")
    assert f"pid {run.pid} drives, and begins nothing new for it." in said
    run.until(lambda line: "dmsa-report" in line and "HELD (operator): incident 4711" in line)

    shown = desk.done("status", "plan.yaml")
    assert "  dmsa-report  HELD   restarted\n" in shown
    assert "  dmsa-batch   waits  restarted, for dwell until " in shown
    held, other = (desk.migrations()[name] for name in ("dmsa-report", "dmsa-batch"))
    assert (held["waiting"], held["failure"], other["held"]) == (None, None, None)
    assert held["held"]["by"] is not None

    second = desk.done("hold", *REPORT, "--reason", "another reason")
    assert "dmsa-report: held already by " in second
    assert "incident 4711. Your word was not added: one release lets it go on" in second

    said = desk.done("release", *REPORT, "--reason", "over")
    assert f"pid {run.pid} goes on from restarted" in said
    run.until(lambda line: "dmsa-report" in line and "released by" in line)
    assert desk.migrations()["dmsa-report"]["waiting"] == before
    assert not [row for row in writes(state) if row["cmdlet"].startswith("Complete")]
    ended_by(run, signal.SIGTERM, 143)


def test_an_abort_in_the_dwell_is_carried_out_and_the_rest_stays(dwelling):
    desk, state, run = dwelling
    desk.done("hold", "plan.yaml", "--reason", "change freeze")
    assert all(one["held"] for one in desk.migrations().values())
    desk.done("release", *BATCH, "--reason", "not this one")
    back = desk.done("rollback", *REPORT, "--reason", "not tonight")
    assert "Rolled back: 1, each compared with its snapshot." in back
    run.until(lambda line: "dmsa-report" in line and "-> rolled_back" in line)
    assert run.alive, "the other one is in its dwell"
    assert desk.phases() == {"dmsa-report": "rolled_back", "dmsa-batch": "restarted"}
    assert desk.migrations()["dmsa-batch"]["held"] is None
    assert counted(state)["Undo-ADServiceAccountMigration", DC] == 1
    ended_by(run, signal.SIGINT, 130)


def test_all_is_held_and_it_stays_and_listens(tmp_path):
    with served(tmp_path, one) as (desk, state, _lab), desk.running_freely(*WATCH) as run:
        run.until(lambda line: "drives" in line)
        desk.done("hold", "plan.yaml", "--reason", "nothing tonight")
        run.until(lambda line: "at rest: " in line and "1 HELD for a person (1 operator)" in line)
        arrived, rows = len(writes(state)), desk.rows()
        assert run.alive
        other = desk.dmsa(*WATCH)
        assert other.returncode == 6
        assert (len(writes(state)), desk.rows()) == (arrived, rows), "it waits, and does nothing meanwhile"
        desk.done("release", "plan.yaml", "--reason", "go")
        run.until(lambda line: "released by" in line)
        ended = run.end()
    assert ended.returncode == 0
    assert desk.phases() == {"dmsa-batch": "completed"}


def one(plan: Plan) -> None:
    plan["waves"] = plan["waves"][:1]
    plan["waves"][0]["migrations"] = [m for m in plan["waves"][0]["migrations"] if m["dmsa"]["name"] == "dmsa-batch"]


def test_held_before_anything_of_it_began_also_where_nobody_drives(prepared):
    """A wave that has not begun, and nobody drives: the next run finds it held."""
    said = prepared.done("hold", "plan.yaml", "--only", "main", "--reason", "not before Monday")
    assert [line.partition(":")[0] for line in said.splitlines()] == ["dmsa-erp", "dmsa-web", "dmsa-sync"]
    assert "drives" not in said
    run = prepared.dmsa("run", "plan.yaml")
    assert run.returncode == 4
    phases = prepared.phases()
    assert {phases[name] for name in ("dmsa-erp", "dmsa-web", "dmsa-sync")} == {"planned"}
    assert {phases[name] for name in ("dmsa-report", "dmsa-batch")} == {"completed"}


def test_without_a_journal_there_is_nothing_to_hold(desk):
    """It might be the wrong journal: a hold that nobody heeds is worse than none."""
    ended = desk.dmsa("hold", "plan.yaml", "--reason", "wait", "--journal", "elsewhere.db")
    assert ended.returncode == 3
    assert "there is no journal at elsewhere.db" in ended.stderr
    assert not (desk.folder / "elsewhere.db").exists()


def test_what_has_left_when_it_is_held_may_end_and_nothing_else_begins(tmp_path):
    """The far side stands still in the middle of restarts, and is held meanwhile; then it goes on."""
    with served(tmp_path, pilot_only) as (desk, state, lab), desk.running_freely(*WATCH) as run:
        run.until(lambda line: "restart: Restart-Service" in line)
        lab.signal(signal.SIGSTOP)
        arrived = Counter(named(row) for row in writes(state))
        said = desk.done("hold", "plan.yaml", "--reason", "stop")
        under_way = [attempt for one in desk.state().migrations.values() for attempt in one.open.values()]
        assert under_way
        assert f"Under way, and may still end: {under_way[0].started.cmdlet} on " in said
        lab.signal(signal.SIGCONT)

        run.until(lambda line: "at rest: " in line and "2 HELD for a person" in line)
        may_end = Counter((one.started.cmdlet, one.started.endpoint) for one in under_way)
        assert Counter(named(row) for row in writes(state)) - arrived <= may_end
        assert "completed" not in desk.phases().values()
        assert not any(one.open for one in desk.state().migrations.values()), "what became of them is written down"

        desk.done("release", "plan.yaml", "--reason", "go on")
        assert run.end().returncode == 0
    assert set(desk.phases().values()) == {"completed"}


def named(row: dict[str, Any]) -> tuple[str, str]:
    return row["cmdlet"], row["host"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="only POSIX has it")
def test_a_terminal_that_goes_ends_it_in_good_order(dwelling):
    desk, _, run = dwelling
    out = ended_by(run, signal.SIGHUP, 129)
    assert "Stopped by SIGHUP." in out
    assert desk.driver is None


def test_a_mirror_that_is_away_for_a_while_ends_nothing(tmp_path):
    """Nothing is sent that the mirror does not have; once it is back the runner takes over from itself."""
    share, away = tmp_path / "share", tmp_path / "away"
    share.mkdir()
    mirrored = (*WATCH, "--mirror", str(share / "rows.jsonl"))
    with served(tmp_path / "desk", weeks) as (desk, state, _lab), desk.running_freely(*mirrored) as run:
        for _ in range(2):
            run.until(waits_for_dwell("dmsa-"))
        share.rename(away)
        run.until(lambda line: "Nothing is sent meanwhile, and it is tried again in 5 s." in line)
        arrived = len(writes(state))
        assert run.alive
        away.rename(share)
        run.until(lambda line: "drives" in line)
        run.until(lambda line: "at rest: " in line)
        assert len(writes(state)) == arrived
        ended_by(run, signal.SIGTERM, 143)
    desk.done("journal", "verify", "--mirror", str(share / "rows.jsonl"))
