"""What cannot be used is said so, in full and at once; nothing is done, and nothing overwritten."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.desk import Desk, read_plan, writes


def test_every_problem_of_a_plan_is_named_with_its_place(desk):
    (desk.folder / "plan.yaml").write_text(
        "version: 1\n"
        "name: Quick Start\n"
        "estate: {lab: estates/quickstart.yaml}\n"
        "wavs: []\n"
        "waves:\n"
        "  - name: pilot\n"
        "    at_once: 0\n"
        "    migrations: []\n"
    )
    run = desk.dmsa("run", "plan.yaml")
    assert (run.returncode, run.stdout) == (3, "")
    for place in ("plan.yaml:2:7: name:", "plan.yaml:4:1: wavs:", "plan.yaml:7:14: waves[0].at_once:"):
        assert place in run.stderr
    assert "Traceback" not in run.stderr
    assert not desk.journal.parent.exists()
    assert desk.dmsa("check", "plan.yaml").returncode == 3


def test_a_plan_that_asks_for_deletion_meets_the_safety_rule(desk):
    plan = read_plan("quickstart.yaml")
    plan["policy"]["cleanup"] = True
    desk.write_plan(plan)
    run = desk.dmsa("run", "plan.yaml")
    assert run.returncode == 3
    assert "never deleted" in run.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("run", "nowhere.yaml"), 3, "nowhere.yaml:1:1: the file cannot be read: No such file or directory"),
        (("run", "plan.yaml", "--only", "nobody"), 3, "--only nobody: quickstart has no such wave, dMSA or account"),
        (("run", "plan.yaml", "--until", "nonsense"), 2, "--until nonsense: expected one of planned, prepared,"),
        (("run", "plan.yaml", "--until", "unlinked"), 2, "--until unlinked: expected one of planned, prepared,"),
        (("run",), 2, "Missing argument 'PLAN'"),
        (("run", "plan.yaml", "--log-format", "xml"), 2, "'xml' is not one of 'console', 'json'"),
        (("hold", "plan.yaml"), 2, "Missing option '--reason'"),
        (("hold", "plan.yaml", "--reason", "x"), 3, "there is no journal at .dmsa/journal.db: no run has begun"),
        (("undo", "plan.yaml", "--only", "pilot"), 3, "there is no journal at .dmsa/journal.db: no run has begun"),
        (("delete", "plan.yaml"), 2, "No such command 'delete'"),
        (("journal", "show"), 3, "journal .dmsa/journal.db: there is no such file"),
        (("journal", "verify"), 3, "journal .dmsa/journal.db: there is no such file"),
        (("lab", "show", "--state", "nowhere"), 3, "nowhere is no lab's state directory"),
        (("lab", "serve", "nowhere.yaml", "--state", "lab"), 3, "nowhere.yaml cannot be used"),
        (("lab", "serve", "plan.yaml", "--state", "lab"), 3, "plan.yaml: the estate file is invalid"),
        (("run", "plan.yaml", "--journal", "oracle://me:secret@db/x"), 3, "journal oracle://…:"),
        (("run", "plan.yaml", "--journal", "postgresql://me:secret@db/x"), 3, "it has a password in it"),
        (("status", "plan.yaml", "--journal", "postgresql://me:secret@db/x"), 3, "journal postgresql://…@db/x:"),
        (("run", "plan.yaml", "--journal", "."), 3, "journal .: it is not a file"),
    ],
)
def test_what_cannot_be_meant_is_said_and_nothing_is_done(desk, arguments, status, said):
    ended = desk.dmsa(*arguments)
    assert ended.returncode == status
    assert said in " ".join(ended.stderr.split())
    assert "secret" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not desk.journal.exists()


def test_with_v_the_traceback_is_shown_and_the_exit_code_stays(desk):
    ended = desk.dmsa("run", "nowhere.yaml", "-v")
    assert ended.returncode == 3
    assert "Traceback" in ended.stderr
    assert ended.stderr.splitlines()[-2].startswith("dmsa: nowhere.yaml:1:1:")


def not_a_database(path: Path) -> None:
    path.write_text("Dear diary,\n" * 20)


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE bookmark (url)")
    database.close()


def empty(path: Path) -> None:
    path.touch()


def newer(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA application_id = {int.from_bytes(b'dMSA', 'big')}")
    database.execute("PRAGMA user_version = 99")
    database.execute("CREATE TABLE row (body)")
    database.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (not_a_database, "it is neither a journal nor a SQLite file"),
        (of_another_program, "it is a SQLite database of another program"),
        (empty, "it is empty, so it is no journal"),
        (newer, "it was written by a newer version of dmsa (journal format 99"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "status"])
def test_a_file_that_is_no_journal_of_ours_is_left_as_it_is(desk, verb, make, said):
    path = desk.folder / "theirs.db"
    make(path)
    before = path.read_bytes()
    ended = desk.dmsa(verb, "plan.yaml", "--journal", "theirs.db")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith(f"dmsa: journal theirs.db: {said}")
    assert path.read_bytes() == before
    assert not (desk.folder / "theirs.db.lab").exists()


def test_a_folder_that_cannot_be_written(desk):
    (desk.folder / "file").touch()
    ended = desk.dmsa("run", "plan.yaml", "--journal", "file/journal.db")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "dmsa: journal file/journal.db: " in ended.stderr
    assert "or name another with --journal" in ended.stderr


def test_an_altered_journal_stops_everything(prepared):
    database = sqlite3.connect(prepared.journal)
    triggers = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for trigger in triggers:
        database.execute(f"DROP TRIGGER {trigger}")
    table = next(name for name in tables if "run" in columns(database, name))
    database.execute(f"UPDATE {table} SET run = 'quickstop' WHERE seq = 3")
    database.commit()
    database.close()
    sent = writes(prepared.lab)

    run = prepared.dmsa("run", "plan.yaml")
    assert (run.returncode, run.stdout) == (3, "")
    assert "the journal is damaged or was altered" in run.stderr
    assert "Nothing was written" in run.stderr
    assert writes(prepared.lab) == sent
    assert prepared.dmsa("status", "plan.yaml").returncode == 3
    assert prepared.dmsa("journal", "verify").returncode == 5


def columns(database: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in database.execute(f"PRAGMA table_info({table})")}


@pytest.mark.parametrize("verb", ["run", "status", "hold", "rollback"])
def test_a_plan_that_was_changed_since_the_run_began(prepared, verb):
    plan = json.loads((prepared.folder / "plan.yaml").read_text())
    plan["policy"]["dwell"] = "2d"
    prepared.write_plan(plan)
    more = {"hold": ("--reason", "x"), "rollback": ("--all", "--yes")}.get(verb, ())
    rows = prepared.rows()
    ended = prepared.dmsa(verb, "plan.yaml", *more)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "plan.yaml is not the plan that the run quickstart goes by" in ended.stderr
    assert "dmsa amend" in ended.stderr
    assert prepared.rows() == rows


def test_a_simulated_estate_cannot_change_its_past(prepared):
    estate = prepared.folder / "estates" / "quickstart.yaml"
    estate.write_text(estate.read_text().replace("Nightly batches", "Daily batches"))
    ended = prepared.dmsa("run", "plan.yaml")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "journal.db.lab was begun with another estate file" in ended.stderr
    assert prepared.driver is None


def test_an_estate_file_that_is_not_there(desk):
    (desk.folder / "estates" / "quickstart.yaml").unlink()
    ended = desk.dmsa("run", "plan.yaml")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "estates/quickstart.yaml cannot be used" in ended.stderr
    assert "Nothing was started" in ended.stderr


def test_a_name_that_the_terminal_cannot_show_stops_nothing(tmp_path):
    desk = Desk.new(tmp_path, lambda plan: plan["waves"][0].update(name="пилот", failures={"allow": "много"}))
    ended = desk.dmsa("check", "plan.yaml", PYTHONIOENCODING="ascii")
    assert ended.returncode == 3
    assert "\\u043c" in ended.stdout
    assert json.loads(desk.dmsa("check", "plan.yaml", "--json", PYTHONIOENCODING="ascii").stdout)


def test_what_is_left_of_a_journal_is_not_taken_for_no_run(prepared):
    prepared.journal.unlink()
    for verb in (("status", "plan.yaml"), ("run", "plan.yaml")):
        ended = prepared.dmsa(*verb)
        assert ended.returncode == 3, ended.stdout
        assert "journal .dmsa/journal.db: " in ended.stderr


def test_a_selection_that_is_done_does_not_speak_for_the_rest(prepared):
    ended = prepared.dmsa("run", "plan.yaml", "--only", "dmsa-batch", "--until", "prepared")
    assert ended.returncode == 0
    assert ended.stdout.endswith("What was selected is done. `dmsa run plan.yaml` goes on with the rest.\n")
