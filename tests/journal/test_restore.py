"""A journal rebuilt from its mirror or an export is the journal; what is not whole is refused, and its row named."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime

import pytest

from orchestrator.errors import Exit
from orchestrator.journal import (
    Entry,
    ExportUnusable,
    JournalUnusable,
    LeaseLost,
    MirrorCorrupt,
    MirrorUnusable,
    hold_against,
    line_of,
    open_journal,
    restore,
    write_export,
)
from orchestrator.journal.chain import canonical

AT = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=UTC)
BODY = {"b": [1, 2.5, True, None, {"ü\n\x00😀": "'; DROP TABLE"}], "whole": 3.0, "large": 1e300, "é": -0.0}


@pytest.fixture
def journal(path):
    """Seven rows of two runs, in three epochs, two of them an operator's words."""
    with closing(open_journal(path, create=True)) as opened:
        opened.append([Entry("a", AT, "began", 1, BODY)], expected=0, lease=None)
        for epoch, head in ((1, 1), (2, 3), (3, 5)):
            lease = opened.acquire(f"runner {epoch}")
            opened.append([Entry("a", None, "x", 1, {}), Entry("b", AT, "y", 2, BODY)], expected=head, lease=lease)
            opened.release(lease)
        yield opened


@pytest.fixture
def export(journal, mirror):
    assert write_export(mirror, map(line_of, journal.read())) == 7
    return mirror


@pytest.fixture
def elsewhere(tmp_path):
    return tmp_path / "another" / "machine" / "journal.db"


def rows(path):
    with closing(open_journal(path, create=False)) as journal:
        return list(journal.read())


def test_it_is_the_journal_row_by_row(journal, export, elsewhere):
    restored = restore(export, elsewhere)
    assert rows(elsewhere) == list(journal.read())
    assert (restored.rows, restored.epoch, restored.runs) == (7, 3, ["a", "b"])
    assert (restored.unfinished, restored.witnessed) == (0, False)
    with closing(open_journal(elsewhere, create=False)) as rebuilt:
        assert rebuilt.verify() == journal.verify()
        assert rebuilt.verify().witnessed == 7, "its end is marked, like that of any journal"
        assert rebuilt.holder() is None


def test_the_epoch_goes_on_above_all_that_were(journal, export, elsewhere):
    old = journal.acquire("the lost runner")
    restore(export, elsewhere)
    with closing(open_journal(elsewhere, create=False)) as rebuilt:
        lease = rebuilt.acquire("the next one")
        assert lease.epoch == 4
        rebuilt.append([Entry("a", None, "x", 1, {})], expected=7, lease=lease)
        with pytest.raises(LeaseLost):
            rebuilt.append([Entry("a", None, "x", 1, {})], expected=8, lease=type(lease)(3, "z", old.since))


def test_a_line_can_be_checked_with_a_json_tool_and_sha256(journal, export):
    from hashlib import sha256

    last = sha256(b"dmsa journal 1").hexdigest()
    for line in export.read_bytes().splitlines():
        row = json.loads(line)
        claimed = row.pop("hash")
        last = sha256(f"{last}\n{canonical(row)}".encode()).hexdigest()
        assert claimed == last


def test_nothing_is_overwritten(path, journal, export):
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match=r"it is there. Nothing was written"):
        restore(export, path)
    assert path.read_bytes() == before
    with pytest.raises(ExportUnusable, match=r"it is there. Nothing was written"):
        write_export(export, [b""])


def test_what_is_left_of_a_lost_journal_is_not_overwritten_either(export, elsewhere):
    elsewhere.parent.mkdir(parents=True)
    elsewhere.with_name("journal.db.head").write_text("x")
    with pytest.raises(JournalUnusable, match="shows that there was a journal"):
        restore(export, elsewhere)
    assert not elsewhere.exists()


def test_an_append_that_was_cut_off_is_left_out_and_said(journal, export, elsewhere):
    whole = export.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for length in (last + 1, last + 30, len(whole) - 1):
        export.write_bytes(whole[:length])
        restored = restore(export, elsewhere)
        assert (restored.rows, restored.unfinished) == (6, length - last)
        for file in elsewhere.parent.iterdir():
            file.unlink()


def lines(export, change):
    export.write_bytes(b"\n".join(change(export.read_bytes().rstrip(b"\n").split(b"\n"))) + b"\n")


def forged(found):
    """Somebody who knows the form changes a row and its hash, and forgets the rows after it."""
    from hashlib import sha256

    row = json.loads(found[3])
    previous = json.loads(found[2])["hash"]
    row["kind"] = "z"
    del row["hash"]
    row["hash"] = sha256(f"{previous}\n{canonical(row)}".encode()).hexdigest()
    return [*found[:3], canonical(row).encode(), *found[4:]]


@pytest.mark.parametrize(
    ("change", "seq", "why"),
    [
        (lambda found: found[1:], 1, "row 2 stands in its place"),
        (lambda found: [*found[:3], *found[4:]], 4, "row 5 stands in its place"),
        (lambda found: [*found[:4], found[3], *found[4:]], 5, "row 4 stands in its place"),
        (lambda found: [*found[:3], found[4], found[3], *found[5:]], 4, "row 5 stands in its place"),
        (lambda found: [*found[:3], b"", *found[3:]], 4, "it is no JSON"),
        (lambda found: [*found[:3], b"[]", *found[3:]], 4, "no row of a journal"),
        (lambda found: [*found[:3], b"[" * 100_000, *found[3:]], 4, "it is no JSON"),
        (lambda found: [*found[:3], found[3] + b" ", *found[4:]], 4, "not in the form in which rows are written"),
        (lambda found: [*found[:3], found[3].replace(b'"x"', b'"z"'), *found[4:]], 4, "its hash does not fit"),
        (lambda found: [*found[:3], found[3].replace(b'"epoch":2', b'"epoch":0'), *found[4:]], 4, "epoch, 0, is older"),
        (forged, 5, "its hash does not fit"),
        (lambda found: [*found, b"name: plan"], 8, "it is no JSON"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_refused_and_its_row_named(change, seq, why, export, elsewhere, journal):
    lines(export, change)
    with pytest.raises(MirrorCorrupt, match=why) as raised:
        restore(export, elsewhere)
    assert (raised.value.seq, raised.value.exit_code) == (seq, Exit.INVALID)
    assert f"at row {seq}, line {seq}: " in str(raised.value)
    assert not elsewhere.parent.parent.exists(), "nothing was made"
    with pytest.raises(MirrorCorrupt, match=why):
        hold_against(export, journal)


def test_a_line_whose_end_is_bent_is_no_line_that_was_cut_off(export, elsewhere):
    whole = export.read_bytes()
    for bit in range(8):
        export.write_bytes(whole[:-1] + bytes((whole[-1] ^ 1 << bit,)))
        with pytest.raises(MirrorCorrupt, match="at row 7, line 7"):
            restore(export, elsewhere)


def test_the_export_of_one_run_is_for_reading_only(journal, mirror, elsewhere):
    write_export(mirror, map(line_of, journal.read(run="a")))
    with pytest.raises(MirrorCorrupt, match="at row 3, line 3: row 4 stands in its place"):
        restore(mirror, elsewhere)


def test_rows_lost_from_the_end_of_a_mirror_show_by_its_mark(path, journal, mirror, elsewhere):
    open_journal(path, create=False, mirror=mirror).close()
    assert restore(mirror, elsewhere).witnessed
    whole = mirror.read_bytes()
    mirror.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))
    again = elsewhere.with_name("again.db")
    with pytest.raises(MirrorCorrupt, match="row 7 was written, but the file ends at row 5") as raised:
        restore(mirror, again)
    assert raised.value.seq == 6
    mirror.with_name(mirror.name + ".head").unlink()
    assert restore(mirror, again).rows == 5, "if going on from there is meant"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda _file: None, "No such file"),
        (lambda file: file.mkdir(), "it is not a file"),
        (lambda file: file.touch(), "there is no row in it"),
    ],
)
def test_a_file_that_is_none(make, why, mirror, elsewhere):
    make(mirror)
    with pytest.raises(MirrorUnusable, match=why):
        restore(mirror, elsewhere)
    assert not elsewhere.parent.exists()


def test_a_mirror_and_its_journal_held_against_each_other(path, journal, export, elsewhere):
    found = hold_against(export, journal)
    assert (found.rows, found.behind, found.unfinished) == (7, 0, 0)
    restore(export, elsewhere)
    with closing(open_journal(elsewhere, create=False)) as ahead:
        ahead.append([Entry("a", None, "x", 1, {})], expected=7, lease=None)
        assert hold_against(export, ahead).behind == 1
        export.write_bytes(b"".join(map(line_of, ahead.read())))
    with pytest.raises(MirrorCorrupt, match="it goes on to row 8, and the journal ends at row 7") as raised:
        hold_against(export, journal)
    assert raised.value.seq == 8
    journal.append([Entry("a", None, "another", 1, {})], expected=7, lease=None)
    with pytest.raises(MirrorCorrupt, match="the two are not of one history") as raised:
        hold_against(export, journal)
    assert raised.value.seq == 8
