"""States written into a journal on disk: they travel with it, verify proves them, and show tells of them in a line."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.cli.recalled import KIND, recalled
from orchestrator.journal import JournalCorrupt, open_journal
from orchestrator.journal.chain import Record, canonical, link
from orchestrator.journal.highwater import Mark, write_mark
from orchestrator.model.sheet import packed, unpacked
from tests.cli.desk import assert_promised
from tests.histories import again, folded, rows_of

NAME, RUN = "released-3-soaking", "released"


@pytest.fixture
def written(path, mirror):
    """A journal with a mirror, into which the state of its run was written three times or more."""
    with closing(open_journal(path, create=True, mirror=mirror)) as journal:
        again(rows_of(NAME), 12, journal)
    return path


def typed(*words):
    done = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
    assert_promised(tuple(map(str, words)), done.stdout)
    return done.exit_code, done.stdout


def states(path):
    with closing(open_journal(path, create=False)) as journal:
        return [row for row in journal.read() if row.kind == KIND]


def recall(path):
    with closing(open_journal(path, create=False)) as journal:
        return recalled(journal, RUN)[0]


def test_verify_says_that_they_are_proved(written):
    code, out = typed("journal", "verify", "--journal", written)
    count = len(states(written))
    assert count >= 3
    assert (code, f"; {count} states written down, each what the rows before it make" in out) == (0, True)
    document = json.loads(typed("journal", "verify", "--journal", written, "--json")[1])
    assert document["states"] == {"proved": count, "unproved": 0}


def test_show_prints_them_on_one_short_line(written):
    lines = [line for line in typed("journal", "show", "--journal", written)[1].splitlines() if KIND in line]
    assert len(lines) == len(states(written))
    assert all(len(line) < 150 and "where everything stands" in line for line in lines)


def test_they_are_in_the_mirror_and_in_what_is_restored_from_it(written, mirror, tmp_path):
    assert typed("journal", "verify", "--journal", written, "--mirror", mirror)[0] == 0
    restored = tmp_path / "restored.db"
    assert typed("journal", "restore", "--from", mirror, "--journal", restored)[0] == 0
    assert states(restored) == states(written)
    assert recall(restored) == recall(written) == folded(rows_of(NAME), RUN)
    assert typed("journal", "verify", "--journal", restored)[0] == 0


def forge(path, seq, change):
    """Change a state as somebody can who may write the file: every hash from there on, the mark, the rules put back."""
    with closing(sqlite3.connect(path)) as database:
        rules = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in rules:
            database.execute(f"DROP TRIGGER {name}")
        previous = ""
        for columns in database.execute("SELECT * FROM entries ORDER BY seq").fetchall():
            record = Record(*columns)
            if record.seq == seq:
                record = record._replace(body=canonical(change(json.loads(record.body))))
            if record.seq >= seq:
                record = record._replace(hash=link(previous, record))
                database.execute("UPDATE entries SET body = ?, hash = ? WHERE seq = ?", (*record[5::2], record.seq))
            previous = record.hash
        for _, sql in rules:
            database.execute(sql)
        database.commit()
    write_mark(path.with_name(path.name + ".head"), Mark(record.seq, record.hash))


def test_a_forger_who_makes_every_hash_anew_is_found_by_folding(written):
    def change(body):
        return body | {"own": packed(unpacked(body["own"]).replace(b'"phase":"', b'"attempt":2,"phase":"'))}

    *_, seq = (row.seq for row in states(written))
    forge(written, seq, change)
    assert recall(written) != folded(rows_of(NAME), RUN), "who only looks goes by it"
    code, out = typed("journal", "verify", "--journal", written)
    assert code == 5
    assert f"at row {seq}: the state of the run {RUN} that is written there (where the run stands) is not what" in out
    document = json.loads(typed("journal", "verify", "--journal", written, "--json")[1])
    assert (document["intact"], document["row"], document["exit"]) == (False, seq, 5)


def test_a_flipped_bit_in_one_is_found_by_its_hash_and_nobody_goes_by_it(written):
    seq = states(written)[-1].seq
    with closing(sqlite3.connect(written)) as database:
        (rule,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'rows_are_never_changed'").fetchone()
        database.execute("DROP TRIGGER rows_are_never_changed")
        database.execute("UPDATE entries SET body = replace(body, 'form', 'norm') WHERE seq = ?", (seq,))
        database.execute(rule)
        database.commit()
    code, out = typed("journal", "verify", "--journal", written)
    assert (code, f"at row {seq}: its hash does not fit" in out) == (5, True)
    with pytest.raises(JournalCorrupt, match="its hash does not fit"):
        recall(written)
