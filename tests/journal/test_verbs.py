"""``journal show``, ``verify``, ``export`` and ``restore``, as they are typed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from orchestrator.cli.journal import app
from orchestrator.errors import InputInvalid
from orchestrator.journal import Entry, ExportUnusable, JournalCorrupt, JournalUnusable, open_journal
from orchestrator.journal.chain import GENESIS
from orchestrator.model.driven import RunBegan
from orchestrator.model.event import VERSION, Held, Moved, to_body
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.planfile import load_plan
from orchestrator.views.journal_schema import line_schema, rebuilt_schema, soundness_schema

QUICKSTART = Path(__file__).parents[2] / "plans" / "quickstart.yaml"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(event, run="quickstart"):
    return Entry(run, AT, event.kind, VERSION, to_body(event))


@pytest.fixture
def journal(path):
    said = [
        Entry("quickstart", None, "run-began", VERSION, to_body(RunBegan(digest="d" * 64, plan={}, by="a", tool="1"))),
        entry(Moved(migration="svc-web", trigger=Trigger.PREPARE, source=Phase.PLANNED, dest=Phase.PREPARED)),
        entry(Held(migration="svc-web", reason="operator", detail="wait\x1b[2J\nfor Bob", release="dmsa release")),
        entry(Moved(migration="svc-db", trigger=Trigger.PREPARE, source=Phase.PLANNED, dest=Phase.PREPARED), "other"),
        Entry("quickstart", AT, "moved-by-magic", VERSION, {"migration": "svc-web", "wand": 7}),
        Entry("quickstart", AT, "moved", VERSION + 1, {"migration": "svc-web", "sideways": True}),
    ]
    with closing(open_journal(path, create=True)) as opened:
        opened.append(said, expected=0, lease=None)
    return path


def typed(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_show_prints_a_line_a_row(journal):
    code, out = typed("show", "--journal", journal)
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 6)
    assert (
        lines[0] == f"{'-':<20}       1  run-began                           run began, plan digest dddddddddddd, by a"
    )
    assert lines[1] == "2026-03-01T12:00:00Z       2  moved              svc-web          planned -> prepared"


def test_show_never_sends_control_characters_to_the_terminal(journal):
    _, out = typed("show", "--journal", journal)
    assert "\x1b" not in out
    assert r"HELD (operator): wait\x1b[2J; for Bob" in out


def test_show_shows_what_it_does_not_know_as_it_is(journal):
    lines = typed("show", "--journal", journal)[1].splitlines()
    assert lines[4].endswith("5  moved-by-magic     svc-web          wand=7")
    assert lines[5].endswith("6  moved              svc-web          sideways=True")


@pytest.mark.parametrize(
    ("words", "seqs"),
    [
        ([], [1, 2, 3, 4, 5, 6]),
        (["--last", "2"], [5, 6]),
        (["other"], [4]),
        (["quickstart", "--last", "3"], [3, 5, 6]),
        ([QUICKSTART], [1, 2, 3, 5, 6]),
    ],
)
def test_show_filters_and_speaks_json(journal, words, seqs):
    code, out = typed("show", *words, "--journal", journal, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["journal"] == str(journal)
    assert [row["seq"] for row in document["rows"]] == seqs
    assert set(document["rows"][0]) == {"seq", "run", "at", "kind", "version", "body", "epoch", "hash"}


def test_the_name_of_a_run_is_the_name_of_its_plan():
    assert load_plan(QUICKSTART).plan.name == "quickstart"


@pytest.mark.parametrize("plan", ["nobody", QUICKSTART.with_name("erp.yaml")])
def test_show_of_a_run_that_is_not_there_names_those_that_are(journal, plan):
    with pytest.raises(InputInvalid, match=r"no run of .* It has quickstart, other"):
        typed("show", plan, "--journal", journal)


@pytest.mark.parametrize("verb", ["show", "verify", "export"])
def test_where_no_journal_is_none_is_made(path, verb):
    with pytest.raises(JournalUnusable, match="there is no such file"):
        typed(verb, "--journal", path)
    assert not path.exists()


def test_verify_of_a_good_journal(journal):
    with closing(open_journal(journal, create=False)) as opened:
        *_, last = opened.read()
    code, out = typed("verify", "--journal", journal)
    assert code == 0
    assert out == (
        f"{journal}: 6 rows, each as it was written; last hash {last.hash}; its end is confirmed up to row 6\n"
    )
    assert json.loads(typed("verify", "--journal", journal, "--json")[1]) == {
        "journal": str(journal), "intact": True, "rows": 6, "hash": last.hash, "witnessed": 6,
        "states": {"proved": 0, "unproved": 0}, "signatures": 0, "mirror": None, "certificate": None, "exit": 0,
    }  # fmt: skip


def test_verify_without_a_mark_says_what_it_cannot_tell(path):
    open_journal(path, create=True).close()
    code, out = typed("verify", "--journal", path)
    assert code == 0
    assert f"0 rows, each as it was written; last hash {GENESIS}; no mark lies beside it" in out


@pytest.mark.parametrize(
    ("statement", "row", "why"),
    [
        ("UPDATE entries SET kind = 'x' WHERE seq = 3", 3, "its hash does not fit its content and the row before it"),
        ("UPDATE lease SET epoch = 'x'", None, "the file's own rules were changed: rows_are_never_changed"),
    ],
)
def test_verify_names_what_is_wrong(journal, statement, row, why):
    with closing(sqlite3.connect(journal)) as database:
        (rule,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'rows_are_never_changed'").fetchone()
        database.execute("DROP TRIGGER rows_are_never_changed")
        database.execute(statement)
        if row:
            database.execute(rule)
        database.commit()
    code, out = typed("verify", "--journal", journal, "--json")
    assert code == 5
    assert json.loads(out) == {"journal": str(journal), "intact": False, "row": row, "why": why, "exit": 5}
    code, out = typed("verify", "--journal", journal)
    assert code == 5
    assert f"{journal}: the journal is damaged or was altered{f' at row {row}' if row else ''}: {why}." in out


def test_export_prints_the_rows_as_show_does_a_line_each(journal):
    code, out = typed("export", "--journal", journal)
    rows = json.loads(typed("show", "--journal", journal, "--json")[1])["rows"]
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == rows
    for line in out.splitlines():
        Draft202012Validator(line_schema()).validate(json.loads(line))
    assert [json.loads(line)["seq"] for line in typed("export", "other", "--journal", journal)[1].splitlines()] == [4]


def test_export_to_a_file_restore_and_verify_of_both(journal, tmp_path):
    file, rebuilt = tmp_path / "history.jsonl", tmp_path / "rebuilt" / "journal.db"
    assert typed("export", "-o", file, "--journal", journal) == (0, f"{file}: 6 rows\n")
    assert typed("export", "--journal", journal)[1] == file.read_text(encoding="utf-8")
    with pytest.raises(ExportUnusable, match="it is there"):
        typed("export", "-o", file, "--journal", journal)

    document = json.loads(typed("restore", "--from", file, "--journal", rebuilt, "--json")[1])
    Draft202012Validator(rebuilt_schema()).validate(document)
    assert {key: document[key] for key in ("rows", "epoch", "runs", "unfinished", "witnessed")} == {
        "rows": 6, "epoch": 0, "runs": ["quickstart", "other"], "unfinished": 0, "witnessed": False,
    }  # fmt: skip
    assert typed("show", "--journal", rebuilt) == typed("show", "--journal", journal)

    code, out = typed("verify", "--journal", rebuilt, "--mirror", file)
    assert code == 0
    assert out.splitlines()[1] == f"{file}: 6 rows, each as in the journal; it ends where the journal ends"
    document = json.loads(typed("verify", "--journal", rebuilt, "--mirror", file, "--json")[1])
    Draft202012Validator(soundness_schema()).validate(document)
    assert document["mirror"] == {"path": str(file), "rows": 6, "behind": 0}


def test_restore_says_what_was_left_out_and_what_nobody_vouches_for(journal, tmp_path):
    file = tmp_path / "history.jsonl"
    typed("export", "-o", file, "--journal", journal)
    file.write_bytes(file.read_bytes()[:-7])
    _, out = typed("restore", "--from", file, "--journal", tmp_path / "rebuilt.db")
    assert "5 rows of quickstart, other, each as it was written" in out
    assert "no mark lies beside the copy: rows lost from its end would not show; the next runner has epoch 1" in out
    assert "bytes at the end of the copy were left out: the beginning of a row whose writing was cut off" in out


def test_verify_names_what_is_wrong_with_a_mirror(journal, tmp_path):
    file = tmp_path / "history.jsonl"
    typed("export", "-o", file, "--journal", journal)
    file.write_bytes(file.read_bytes().replace(b"for Bob", b"for Eve"))
    code, out = typed("verify", "--journal", journal, "--mirror", file, "--json")
    Draft202012Validator(soundness_schema()).validate(json.loads(out))
    assert code == 5
    assert (json.loads(out)["row"], json.loads(out)["intact"]) == (3, False)
    code, out = typed("verify", "--journal", journal, "--mirror", file)
    assert code == 5
    assert f"the mirror {file} is damaged, was altered, or is no mirror at row 3, line 3: its hash does not fit" in out


def test_what_is_damaged_is_exported_up_to_where_it_is(journal):
    with closing(sqlite3.connect(journal)) as database:
        (rule,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'rows_are_never_changed'").fetchone()
        database.execute("DROP TRIGGER rows_are_never_changed")
        database.execute("UPDATE entries SET kind = 'x' WHERE seq = 3")
        database.execute(rule)
        database.commit()
    result = CliRunner().invoke(app, ["export", "--journal", str(journal)])
    assert isinstance(result.exception, JournalCorrupt)
    assert [json.loads(line)["seq"] for line in result.stdout.splitlines()] == [1, 2]
