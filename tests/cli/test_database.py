"""A run whose journal is in a PostgreSQL database: as on a disk, and when the database goes away meanwhile."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from pathlib import Path

import pytest

from orchestrator.board.follower import Follower, Source
from orchestrator.cli.history import open_existing
from orchestrator.cli.recalled import recalled
from orchestrator.journal import open_journal
from tests.board.stage import append, rows, wanted
from tests.cli.desk import Desk, assert_once_each
from tests.patience import PATIENCE
from tests.postgres import running

pytestmark = pytest.mark.service
ONLY = ("--only", "dmsa-batch")
RUN = ("run", "plan.yaml", *ONLY, "--lease", "2")


@pytest.fixture(scope="module")
def mortal():
    """A server that tests kill."""
    with running() as server:
        yield server


def lab(desk: Desk) -> Path:
    (state,) = (desk.folder / ".dmsa").glob("postgresql-*.lab")
    return state


def phase(desk: Desk, url: str) -> str:
    ended = desk.dmsa("status", "plan.yaml", "--json", DMSA_JOURNAL=url)
    document = json.loads(ended.stdout)
    return next(one["phase"] for wave in document["waves"] for one in wave["migrations"] if one["dmsa"] == "dmsa-batch")


def test_a_runner_that_stays_survives_a_database_that_was_killed(desk, mortal):
    url = mortal.journal()
    with desk.running(*RUN, "--watch", DMSA_JOURNAL=url) as run:
        run.until(lambda line: "start: Start-" in line)
        mortal.restart()
        ended = run.end()
    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert "the database cannot be reached, or was lost on the way" in ended.stderr
    assert "Nothing is sent meanwhile, and it is tried again in 5 s" in ended.stderr
    assert phase(desk, url) == "completed"
    assert_once_each(lab(desk), accounts=1)


def test_one_that_does_not_ends_and_the_next_goes_on(desk, mortal):
    url = mortal.journal()
    with desk.running(*RUN, DMSA_JOURNAL=url) as run:
        run.until(lambda line: "complete: Complete-" in line)
        mortal.kill()
        ended = run.end()
    assert (ended.returncode, "Traceback" in ended.stderr) == (3, False), ended.stderr
    assert "the database cannot be reached, or was lost on the way" in ended.stderr
    down = desk.dmsa(*RUN, DMSA_JOURNAL=url, PGPASSWORD="hunter2")
    assert (down.returncode, down.stdout) == (3, "")
    assert "the database cannot be reached" in down.stderr
    assert "Nothing was written. See that it runs" in down.stderr
    assert not {"Traceback", "hunter2"} & {word.strip() for word in down.stderr.split()}
    mortal.start()
    with contextlib.closing(open_journal(url, create=False)) as journal:
        end = time.monotonic() + PATIENCE
        while journal.holder() is not None:
            assert time.monotonic() < end
    again = desk.dmsa(*RUN, DMSA_JOURNAL=url)
    assert again.returncode == 0, again.stderr
    assert_once_each(lab(desk), accounts=1)


def test_one_that_stands_by_takes_over_from_one_that_was_killed(desk, database):
    url = {"DMSA_JOURNAL": database}
    with desk.running(*RUN, "--watch", **url) as first:
        first.until(lambda line: "start: Start-" in line)
        with desk.running(*RUN, "--watch", "--stand-by", listen_to="stderr", **url) as second:
            said = second.until(lambda line: "stands by" in line)
            assert f"pid {first.pid} drives; this one stands by" in said
            held = desk.dmsa(*RUN, **url)
            assert held.returncode == 6
            assert "if it has died, the lease is over at" in held.stderr
            first.signal(signal.SIGKILL)
            first.end()
            ended = second.end()
    assert ended.returncode == 0, ended.stderr
    assert phase(desk, database) == "completed"
    assert_once_each(lab(desk), accounts=1)


def test_one_that_stands_by_is_told_to_stop_as_any_other(desk, database):
    with contextlib.closing(open_journal(database, create=False)) as journal:
        journal.acquire("somebody")
        waits = desk.running("run", "plan.yaml", "--watch", "--stand-by", listen_to="stderr", DMSA_JOURNAL=database)
        with waits as second:
            second.until(lambda line: "somebody drives; this one stands by" in line)
            second.signal(signal.SIGTERM)
            assert second.end().returncode == 128 + signal.SIGTERM


def test_every_verb_reads_it(desk, postgres_server, database, tmp_path):
    mirror = tmp_path / "mirror.jsonl"
    url = {"DMSA_JOURNAL": database, "DMSA_MIRROR": str(mirror)}
    ended = desk.dmsa("run", "plan.yaml", *ONLY, "--until", "linked", **url)
    assert ended.returncode == 0, ended.stderr
    assert f"--journal {database}" in ended.stdout
    for words in (
        ("status", "plan.yaml", "--json"),
        ("report", "plan.yaml", "-o", str(tmp_path / "report.html")),
        ("metrics", "plan.yaml"),
        ("journal", "show", "--last", "3"),
        ("journal", "verify", "--mirror", str(mirror)),
        ("journal", "export", "-o", str(tmp_path / "export.jsonl")),
        ("hold", "plan.yaml", *ONLY, "--reason", "closing"),
    ):
        ended = desk.dmsa(*words, **url)
        assert (ended.returncode in {0, 7}, "Traceback" in ended.stderr) == (True, False), (words, ended)
    other = postgres_server.journal()
    for place, code in ((other, 0), (other, 3), ("restored.db", 0)):
        ended = desk.dmsa("journal", "restore", "--from", str(mirror), "--journal", place)
        assert ended.returncode == code, ended.stderr
    printed = {desk.dmsa("journal", "export", "--journal", place).stdout for place in (database, other, "restored.db")}
    assert printed == {mirror.read_text(encoding="utf-8")}


def test_the_board_follows_it_and_says_when_it_is_down(mortal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    url, told = mortal.journal(), rows()
    follows = Follower(Source(url, lambda: open_existing(url, read_only=True), recalled), [wanted()], str)
    with contextlib.closing(open_journal(url, create=False)) as journal:
        append(journal, told[:60])
    assert follows.look().rows == 60
    mortal.kill()
    sight = follows.look()
    assert (sight.rows, "the database cannot be reached" in sight.trouble) == (60, True)
    mortal.start()
    with contextlib.closing(open_journal(url, create=False)) as journal:
        append(journal, told[60:])
    sight = follows.look()
    assert (sight.rows, sight.trouble) == (len(told), None)
    follows.close()
