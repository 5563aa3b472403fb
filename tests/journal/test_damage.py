"""A SQLite journal that was cut, bent, edited or replaced says so, and names where; nothing is silently lost."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.errors import OrchestratorError
from orchestrator.journal import Entry, JournalCorrupt, JournalUnusable, open_journal
from orchestrator.journal.highwater import Mark, read_mark, write_mark
from orchestrator.journal.sqlite_file import schema
from tests.journal import damage


def entries(first, count):
    return [Entry("run", None, "said", 1, {"number": number}) for number in range(first, first + count)]


def numbers(path):
    with closing(open_journal(path, create=False)) as journal:
        journal.verify()
        return [row.body["number"] for row in journal.read()]


def mark_of(path):
    return path.with_name(path.name + ".head")


@pytest.fixture
def written(path):
    """A journal of ten rows, closed in good order."""
    with closing(open_journal(path, create=True)) as journal:
        lease = journal.acquire("alice")
        journal.append(entries(0, 9), expected=0, lease=lease)
        journal.append(entries(9, 1), expected=9, lease=None)
        journal.release(lease)
    return path


@pytest.fixture
def live(path, tmp_path):
    """The files of a journal as they are while it is being written: the rows are in the -wal file still."""
    with closing(open_journal(path, create=True)) as journal:
        for number in range(5):
            journal.append(entries(number * 2, 2), expected=number * 2, lease=None)
        copy = tmp_path / "copy" / path.name
        copy.parent.mkdir()
        for suffix in ("", "-wal", ".head"):
            shutil.copy(path.with_name(path.name + suffix), copy.with_name(path.name + suffix))
    return copy


def tamper(path, *statements):
    """Change the file as somebody would who knows SQLite, and leave its rules as they were."""
    with closing(sqlite3.connect(path)) as database:
        triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)
        for _, sql in triggers:
            database.execute(sql)
        database.commit()


SWAP = "UPDATE entries SET seq = CASE seq WHEN 4 THEN -5 WHEN 5 THEN -4 END WHERE seq IN (4, 5)"


@pytest.mark.parametrize(
    ("statements", "seq"),
    [
        (["UPDATE entries SET body = '{\"number\":7}' WHERE seq = 4"], 4),
        (["UPDATE entries SET body = '{\"number\": 3}' WHERE seq = 4"], 4),
        (["UPDATE entries SET kind = 'Said' WHERE seq = 4"], 4),
        (["UPDATE entries SET run = 'other' WHERE seq = 4"], 4),
        (["UPDATE entries SET at = '2026-01-01T00:00:00Z' WHERE seq = 4"], 4),
        (["UPDATE entries SET version = 2 WHERE seq = 4"], 4),
        (["UPDATE entries SET epoch = NULL WHERE seq = 4"], 4),
        (["UPDATE entries SET body = CAST(x'ff' AS TEXT) WHERE seq = 4"], 4),
        (["UPDATE entries SET body = CAST(body AS BLOB) WHERE seq = 4"], 4),
        (["UPDATE entries SET hash = replace(hash, substr(hash, 1, 1), 'g') WHERE seq = 4"], 4),
        (["DELETE FROM entries WHERE seq = 1"], 1),
        (["DELETE FROM entries WHERE seq = 4"], 4),
        (["DELETE FROM entries WHERE seq = 4", "UPDATE entries SET seq = seq - 1 WHERE seq > 4"], 4),
        (["PRAGMA ignore_check_constraints = 1", SWAP, "UPDATE entries SET seq = -seq WHERE seq < 0"], 4),
        (["DELETE FROM entries WHERE seq = 10"], 10),
        (["DELETE FROM entries"], 1),
        (["UPDATE lease SET epoch = 0"], 0),
        (["DELETE FROM lease"], 0),
        (["INSERT INTO entries SELECT 12, run, at, kind, version, body, epoch, hash FROM entries WHERE seq = 4"], 11),
    ],
    ids=lambda value: value[0][:60] if isinstance(value, list) else None,
)
def test_every_edit_is_found_and_its_row_named(written, statements, seq):
    tamper(written, *statements)
    with pytest.raises(JournalCorrupt) as raised:
        numbers(written)
    assert raised.value.seq == seq


def test_reading_finds_it_too_and_hands_out_nothing_behind_it(written):
    tamper(written, "UPDATE entries SET version = 2 WHERE seq = 4")
    with closing(open_journal(written, create=False)) as journal:
        seen = []
        with pytest.raises(JournalCorrupt, match="at row 4"):
            seen += [seen.append(row.seq) for row in journal.read()]
        assert seen == [1, 2, 3]


@pytest.mark.parametrize("statement", [
    "UPDATE entries SET kind = 'x'", "DELETE FROM entries WHERE seq = 10", "DELETE FROM lease",
    "UPDATE lease SET epoch = 0",
    "INSERT INTO entries SELECT 12, run, at, kind, version, body, epoch, hash FROM entries WHERE seq = 4",
    "INSERT OR REPLACE INTO entries SELECT * FROM entries WHERE seq = 4",
    "INSERT INTO entries SELECT 11, run, at, kind, version, body, 0, hash FROM entries WHERE seq = 4",
    "INSERT INTO entries SELECT 11, run, 'today', kind, version, body, epoch, hash FROM entries WHERE seq = 4",
    "INSERT INTO entries SELECT 11, run, at, kind, version, body, epoch, '' FROM entries WHERE seq = 4",
    "INSERT INTO lease VALUES (2, 1, NULL, NULL)",
])  # fmt: skip
def test_the_file_itself_refuses(written, statement):
    before = numbers(written)
    with closing(sqlite3.connect(written)) as database, pytest.raises(sqlite3.IntegrityError, match=r"[a-z]+_[a-z]+_"):
        database.execute(statement)
    assert numbers(written) == before


@pytest.mark.parametrize("name", [
    line.split()[2] for line in schema().splitlines() if line.startswith(("CREATE TRIGGER", "CREATE INDEX"))
])  # fmt: skip
def test_a_rule_that_was_taken_out_of_the_file_is_named(written, name):
    with closing(sqlite3.connect(written)) as database:
        database.execute(f"DROP {'INDEX' if name == 'entries_of_a_run' else 'TRIGGER'} {name}")
    with pytest.raises(JournalCorrupt, match=f"rules were changed: {name}"):
        open_journal(written, create=True)


def test_a_rule_that_was_weakened_is_named(written):
    with closing(sqlite3.connect(written)) as database:
        database.execute("DROP TRIGGER epochs_only_grow")
        database.execute("CREATE TRIGGER epochs_only_grow BEFORE UPDATE ON lease BEGIN SELECT 1; END")
        database.execute("CREATE TRIGGER added AFTER INSERT ON entries BEGIN UPDATE lease SET holder = NULL; END")
    with pytest.raises(JournalCorrupt, match="rules were changed: added, epochs_only_grow"):
        open_journal(written, create=False)


def test_another_journal_mode_is_named(written):
    with closing(sqlite3.connect(written)) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    with pytest.raises(JournalUnusable, match="switched it to journal mode delete"):
        open_journal(written, create=False)


def test_an_older_copy_in_its_place_is_found(written, tmp_path):
    shutil.copy(written, tmp_path / "monday")
    with closing(open_journal(written, create=False)) as journal:
        journal.append(entries(10, 3), expected=10, lease=None)
    shutil.copy(tmp_path / "monday", written)
    with pytest.raises(JournalCorrupt, match="row 13 was written, but the file ends at row 10") as raised:
        open_journal(written, create=True)
    assert raised.value.seq == 11


def test_another_history_in_its_place_is_found(written, tmp_path):
    other = tmp_path / "other.db"
    with closing(open_journal(other, create=True)) as journal:
        journal.append(entries(100, 20), expected=0, lease=None)
    shutil.copy(other, written)
    with pytest.raises(JournalCorrupt, match="at row 10: it is not the row that was written"):
        open_journal(written, create=False)


def test_a_journal_without_its_mark_is_good_but_says_that_nothing_vouches_for_its_end(written):
    mark_of(written).unlink()
    with closing(open_journal(written, create=False)) as journal:
        assert journal.verify().witnessed is None
        journal.append(entries(10, 1), expected=10, lease=None)
        assert journal.verify().witnessed == 11


@pytest.mark.parametrize("damage", [b"", b"\0" * 151, b"7", b"00000000000000000099 " + b"0" * 129 + b"\n"])
def test_a_damaged_mark_vouches_for_nothing_and_accuses_nobody(written, damage):
    mark_of(written).write_bytes(damage)
    assert numbers(written) == list(range(10))


def test_a_mark_reads_back(path):
    assert read_mark(path) is None
    for mark in (Mark(10**12, "a" * 64), Mark(1, "b" * 64)):
        write_mark(path, mark)
        assert read_mark(path) == mark


def test_a_log_cut_anywhere_never_passes_for_whole(live):
    log = live.with_name(live.name + "-wal")
    whole = log.read_bytes()
    assert len(whole) > 5 * 4096
    for length in (*range(0, len(whole), 1009), len(whole) - 1):
        log.write_bytes(whole[:length])
        with pytest.raises(JournalCorrupt, match=r"row 10 was written, but the file ends at row [0-8]:"):
            open_journal(live, create=False)
        assert log.read_bytes() == whole[:length]  # evidence is kept


def test_an_append_that_was_cut_short_is_as_if_it_had_not_begun(live):
    log = live.with_name(live.name + "-wal")
    log.write_bytes(log.read_bytes()[:-1])
    mark_of(live).unlink()  # as it was while the last append still wrote: no mark for row 10 yet
    assert numbers(live) == list(range(8))
    with closing(open_journal(live, create=False)) as journal:
        assert journal.append(entries(8, 2), expected=8, lease=None) == 10
    assert numbers(live) == list(range(10))


def test_a_file_cut_anywhere_is_refused_or_has_lost_nothing(written):
    whole = written.read_bytes()
    refused = 0
    for length in (*range(0, len(whole), 509), len(whole) - 1):
        written.write_bytes(whole[:length])
        try:
            assert numbers(written) == list(range(10))
        except OrchestratorError:
            refused += 1
            assert written.stat().st_size == length
        else:  # SQLite reads what is missing of its last page as zeros
            assert not any(whole[length:])
    assert refused > 30


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), suffix=st.sampled_from(["", "-wal", ".head"]))
@example(place=18.5 / 20480, bit=1, suffix="")
@example(place=0.1875, bit=7, suffix="")  # SQLite's complaint is no text then
def test_one_bit_turned_is_found_or_has_changed_nothing(live, place, bit, suffix):
    files = {name: name.read_bytes() for name in live.parent.iterdir() if not name.name.endswith(("-shm", ".lock"))}
    bent = live.with_name(live.name + suffix)
    data = bytearray(files[bent])
    data[int(place * len(data))] ^= 1 << bit
    bent.write_bytes(data)
    try:
        found = numbers(live)
    except OrchestratorError as error:
        assert str(error)  # noqa: PT017 - either answer is right, as long as it is one of the two
    else:
        assert found == list(range(10))
    finally:
        for name in live.parent.iterdir():
            name.unlink()
        for name, content in files.items():
            name.write_bytes(content)


# A sample of `python -m tests.journal.damage`, which makes every cut and turns every bit.


@pytest.fixture(scope="module")
def forms():
    return {f"{form.name}: {form.target}": form for form in damage.forms()}


@pytest.mark.parametrize("name", [
    "journal, closed: journal.db", "journal, being written: journal.db", "journal, being written: journal.db-wal",
    "journal, last append not acknowledged: journal.db-wal", "mirror: mirror",
    "mirror, last append not acknowledged: mirror",
])  # fmt: skip
def test_no_injury_loses_a_row_in_silence(forms, name):
    form = forms[name]
    found = damage.trial(form, bits=9973, cuts=3989, first=random.randrange(3989))
    outcomes = {became for _, became, _ in found}
    assert not outcomes & damage.BAD, found
    assert "refused" in outcomes


def test_injuries_are_all_of_them():
    made = list(damage.injuries(b"abc"))
    assert len(made) == len(set(made)) == 3 + 24
    assert {injury.of(b"abc") for injury in made if injury.bit is None} == {b"", b"a", b"ab"}
    assert all(sum((a ^ b).bit_count() for a, b in zip(injury.of(b"abc"), b"abc", strict=True)) == 1
               for injury in made if injury.bit is not None)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE lease SET epoch = 0", "the lease was set back"),
        ("UPDATE lease SET epoch = 'x'", "the row that says who may write cannot be read: 'x', None, None"),
        ("UPDATE lease SET holder = 'x', since = 'today'", "cannot be read: 1, 'x', 'today'"),
    ],
)
def test_a_bent_lease_is_named_before_anybody_may_drive(written, change, why):
    tamper(written, change)
    with pytest.raises(JournalCorrupt, match=why):
        open_journal(written, create=False)
