"""``journal show`` and ``journal verify``, as they are typed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli.journal import app
from orchestrator.errors import InputInvalid
from orchestrator.journal import Entry, JournalUnusable, open_journal
from orchestrator.journal.chain import GENESIS
from orchestrator.model.event import VERSION, Held, Moved, RunBegan, to_body
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.planfile import load_plan

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


@pytest.mark.parametrize("verb", ["show", "verify"])
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
        "journal": str(journal), "intact": True, "rows": 6, "hash": last.hash, "witnessed": 6, "exit": 0,
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
