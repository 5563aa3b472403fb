"""The contract of a journal, asked of every implementation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from orchestrator.errors import Exit
from orchestrator.journal import (
    Entry,
    Journal,
    JournalConflict,
    JournalCorrupt,
    JournalHeld,
    LeaseLost,
    Row,
    Verdict,
)
from orchestrator.journal.chain import GENESIS


def entries(*words, run="quickstart"):
    return [Entry(run, None, "said", 1, {"word": word}) for word in words]


def words(journal, **where):
    return [row.body["word"] for row in journal.read(**where)]


def test_is_a_journal_and_begins_empty(journal):
    assert isinstance(journal, Journal)
    assert journal.head() == 0
    assert list(journal.read()) == []
    assert journal.runs() == []
    assert journal.holder() is None
    assert journal.verify() in {Verdict(0, GENESIS, None), Verdict(0, GENESIS, 0)}


def test_gives_back_what_was_appended(journal):
    at = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    body = {"b": [1, 2.5, True, None, {"ü\n\x00😀": "'; DROP TABLE"}], "a": (), "whole": 3.0}
    assert journal.append([Entry("r", at, "k", 7, body)], expected=0, lease=None) == 1
    (row,) = journal.read()
    assert isinstance(row, Row)
    assert (row.seq, row.run, row.kind, row.version, row.epoch) == (1, "r", "k", 7, None)
    assert row.at == at
    assert row.at.tzinfo is UTC
    assert row.body == {**body, "a": []}
    assert journal.verify() == Verdict(1, row.hash, 1)


def test_what_is_read_belongs_to_the_reader(journal):
    journal.append(entries("kept"), expected=0, lease=None)
    next(journal.read()).body["word"] = "changed"
    assert words(journal) == ["kept"]


def test_filters(journal):
    journal.append([*entries("a"), *entries("b", run="other"), *entries("c")], expected=0, lease=None)
    assert words(journal, after=1) == ["b", "c"]
    assert words(journal, after=3) == words(journal, after=99) == words(journal, run="nobody") == []
    assert words(journal, run="quickstart") == ["a", "c"]
    assert words(journal, after=1, run="quickstart") == ["c"]
    assert journal.runs() == ["quickstart", "other"]


def test_finds_the_newest_of_a_kind_without_reading_what_is_before_it(journal):
    kinds = [("a", "r"), ("b", "r"), ("a", "s"), ("c", "s"), ("c", "r")]
    journal.append([Entry(run, None, kind, 1, {}) for kind, run in kinds], expected=0, lease=None)
    assert journal.latest("a").seq == 3
    assert journal.latest("a", "r").seq == 1
    assert journal.latest("c", "s").seq == 4
    assert journal.latest("b", "s") is journal.latest("d") is journal.latest("a", "t") is None
    assert journal.latest("a", within=3).seq == 3
    assert journal.latest("a", within=2) is None
    assert journal.latest("a", "r", within=3).seq == 1, "of the run's rows"
    assert journal.latest("a", "r", within=2) is None
    assert journal.latest("a") == list(journal.read())[2]


def test_says_where_the_last_rows_begin(journal):
    assert journal.before_last(5) == journal.before_last(5, "r") == 0
    journal.append([*entries("a"), *entries("b", run="other"), *entries("c", "d")], expected=0, lease=None)
    for rows, whole, of_run, of_other in ((1, "d", "d", "b"), (2, "cd", "cd", "b"), (3, "bcd", "acd", "b")):
        assert words(journal, after=journal.before_last(rows)) == list(whole)
        assert words(journal, after=journal.before_last(rows, "quickstart"), run="quickstart") == list(of_run)
        assert words(journal, after=journal.before_last(rows, "other"), run="other") == list(of_other)
    assert journal.before_last(99) == journal.before_last(99, "quickstart") == 0


def test_a_witness_is_shown_every_row_once_it_is_checked_and_may_refuse(journal):
    journal.append(entries(*"abc"), expected=0, lease=None)
    shown = []
    journal.verify(shown.append)
    assert shown == list(journal.read())

    def refuses(row):
        if row.body["word"] == "b":
            raise JournalCorrupt(row.seq, "it is not mine")

    with pytest.raises(JournalCorrupt) as refusal:
        journal.verify(refuses)
    assert refusal.value.seq == 2


def test_reads_more_than_fits_into_a_page(journal):
    many = [str(number) for number in range(1000)]
    assert journal.append(entries(*many), expected=0, lease=None) == 1000
    assert words(journal) == many


def test_rows_appended_while_reading_disturb_nobody(journal):
    journal.append(entries(*"abc"), expected=0, lease=None)
    reading = journal.read()
    assert next(reading).body == {"word": "a"}
    journal.append(entries("d"), expected=3, lease=None)
    assert [row.body["word"] for row in reading][:2] == ["b", "c"]


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_who_has_not_read_everything_writes_nothing(journal, expected):
    journal.append(entries("a", "b"), expected=0, lease=None)
    with pytest.raises(JournalConflict) as raised:
        journal.append(entries("c", "d"), expected=expected, lease=None)
    assert (raised.value.expected, raised.value.found) == (expected, 2)
    assert words(journal) == ["a", "b"]


@pytest.mark.parametrize(
    "body", [{"nan": float("nan")}, {"big": 2**53}, {1: 1}, {"at": datetime.now(UTC)}, {"\ud800": 1}]
)
def test_one_bad_entry_and_none_is_written(journal, body):
    with pytest.raises(ValueError, match=r"."):
        journal.append([*entries("good"), Entry("r", None, "bad", 1, body)], expected=0, lease=None)
    assert journal.head() == 0
    assert journal.append(entries("good"), expected=0, lease=None) == 1


def test_an_entry_without_time_zone_cannot_be_made():
    with pytest.raises(ValueError, match="needs a zone"):
        Entry("r", datetime(2026, 1, 1), "k", 1, {})  # noqa: DTZ001


def test_nothing_to_append_still_asks_for_head_and_lease(journal):
    lease = journal.acquire("alice")
    assert journal.append([], expected=0, lease=lease) == 0
    with pytest.raises(JournalConflict):
        journal.append([], expected=1, lease=lease)
    journal.release(lease)
    with pytest.raises(LeaseLost):
        journal.append([], expected=0, lease=lease)


def test_one_runner_at_a_time_and_everybody_can_see_who(opener):
    ours, theirs = opener(), opener()
    before = datetime.now(UTC) - timedelta(seconds=1)
    lease = ours.acquire("alice@runner01 pid 4242")
    assert lease.epoch == 1
    assert before < lease.since < datetime.now(UTC) + timedelta(seconds=1)
    assert theirs.holder() == ours.holder() == lease
    for handle in (theirs, ours):
        with pytest.raises(JournalHeld, match="held by alice@runner01 pid 4242 since 20") as raised:
            handle.acquire("bob")
        assert (raised.value.holder, raised.value.since) == (lease.holder, lease.since)
        assert raised.value.exit_code == Exit.JOURNAL_HELD
    assert theirs.holder() == lease


def test_a_lease_given_back_can_be_taken_under_the_next_epoch(opener):
    ours, theirs = opener(), opener()
    first = ours.acquire("alice")
    ours.release(first)
    assert theirs.holder() is None
    second = theirs.acquire("bob")
    assert (second.epoch, second.holder) == (2, "bob")
    ours.release(first)  # late, and without a word
    assert ours.holder() == second


def test_rows_carry_the_epoch_they_were_written_under(journal):
    lease = journal.acquire("alice")
    journal.append(entries("driven"), expected=0, lease=lease)
    journal.append(entries("operator's word"), expected=1, lease=None)
    assert [row.epoch for row in journal.read()] == [1, None]


def test_a_late_writer_is_refused(opener):
    ours, theirs = opener(), opener()
    old = ours.acquire("alice")
    ours.append(entries("in time"), expected=0, lease=old)
    ours.close()  # as when its process ends
    assert theirs.holder() is None
    new = theirs.acquire("bob")
    assert new.epoch == old.epoch + 1
    with pytest.raises(LeaseLost, match="epoch 1; it is in epoch 2 now, held by bob") as raised:
        theirs.append(entries("late"), expected=1, lease=old)
    assert (raised.value.epoch, raised.value.current, raised.value.holder) == (1, 2, "bob")
    assert raised.value.exit_code == Exit.JOURNAL_HELD
    assert words(theirs) == ["in time"]
    assert theirs.append(entries("ours"), expected=1, lease=new) == 2


def test_the_expected_row_is_asked_before_the_lease(journal):
    lease = journal.acquire("alice")
    journal.release(lease)
    with pytest.raises(JournalConflict):
        journal.append(entries("x"), expected=5, lease=lease)


def test_handles_share_one_history_and_one_chain(opener):
    ours, theirs = opener(), opener()
    ours.append(entries("a"), expected=0, lease=None)
    theirs.append(entries("b"), expected=1, lease=None)
    assert ours.head() == theirs.head() == 2
    assert list(ours.read()) == list(theirs.read())
    assert ours.verify() == theirs.verify()
