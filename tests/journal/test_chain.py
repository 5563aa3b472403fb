"""The hash chain by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.journal import Entry, JournalCorrupt
from orchestrator.journal.chain import GENESIS, Record, bodies, canonical, checked, extend, link

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ENTRY = st.builds(
    Entry,
    run=TEXT,
    at=st.none() | st.datetimes(timezones=st.just(UTC)),
    kind=TEXT,
    version=st.integers(0, 9),
    body=st.dictionaries(TEXT, JSON, max_size=3),
)
EPOCH = st.none() | st.integers(1, 9)


def chain(entries, epoch=None):
    return list(extend(GENESIS, 0, entries, bodies(entries), epoch))


@given(ENTRY, EPOCH)
def test_what_is_hashed_is_the_canonical_row_after_the_hash_before_it(entry, epoch):
    (record,) = chain([entry], epoch)
    row = {
        "at": record.at,
        "body": entry.body,
        "epoch": epoch,
        "kind": entry.kind,
        "run": entry.run,
        "seq": 1,
        "version": entry.version,
    }
    assert record.hash == sha256(GENESIS.encode() + b"\n" + rfc8785.dumps(row)).hexdigest()


@given(ENTRY, EPOCH)
def test_a_row_reads_back_as_it_was_written(entry, epoch):
    (record,) = chain([entry], epoch)
    row = checked(GENESIS, record)
    assert (row.run, row.at, row.kind, row.version, row.body) == (
        entry.run, entry.at, entry.kind, entry.version, entry.body,
    )  # fmt: skip
    assert (row.seq, row.epoch, row.hash) == (1, epoch, record.hash)


@given(st.lists(ENTRY, min_size=2, max_size=5), st.data())
def test_no_row_stands_anywhere_but_in_its_place(entries, data):
    records = chain(entries)
    number = data.draw(st.integers(1, len(records) - 1))
    assert checked(records[number - 1].hash, records[number]).seq == number + 1
    for other in (GENESIS, *(record.hash for record in records)):
        if other != records[number - 1].hash:
            with pytest.raises(JournalCorrupt, match=f"at row {number + 1}"):
                checked(other, records[number])


def test_a_missing_row_is_named():
    with pytest.raises(JournalCorrupt, match="at row 1: the row is missing"):
        checked(None, chain([Entry("r", None, "k", 1, {}), Entry("r", None, "k", 1, {})])[1])


@pytest.mark.parametrize(
    "change",
    [{"run": "R"}, {"at": None}, {"kind": "x"}, {"version": 2}, {"version": 1.0}, {"body": '{"a": 1}'}, {"epoch": None},
     {"epoch": 2}, {"seq": 2}, {"hash": "0" * 64}, {"body": None}, {"body": b"{}"}, {"run": b"r"}, {"kind": "\udc80"}],
    ids=str,
)  # fmt: skip
def test_every_column_is_covered(change):
    good = Record(1, "r", "2026-01-01T00:00:00Z", "k", 1, '{"a":1}', 1, "")
    good = good._replace(hash=link(GENESIS, good))
    assert checked(GENESIS, good).at == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(JournalCorrupt):
        checked(GENESIS, good._replace(**change))


@pytest.mark.parametrize("row", [{"body": "{"}, {"at": "yesterday"}])
def test_a_row_hashed_well_but_not_readable_is_named(row):
    bad = Record(1, "r", None, "k", 1, "{}", 1, "")._replace(**row)
    with pytest.raises(JournalCorrupt, match="at row 1: it cannot be read"):
        checked(GENESIS, bad._replace(hash=link(GENESIS, bad)))


TRICKY = (
    st.sampled_from(["\u2028", "\x7f", "\x1f", "\b\f\n\r\t", '"\\/', "\ud7ff", "\ue000", "\U0001f600", "\ufb33"]) | TEXT
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TRICKY | st.text(st.characters(codec=None), max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(TRICKY | st.integers(), inner),
    max_leaves=8,
)


@given(ANYTHING)
def test_canonical_text_is_what_rfc_8785_says_or_is_refused_with_it(value):
    try:
        wanted = rfc8785.dumps(value).decode()
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - as for any value that is no JSON data
            canonical(value)
    else:
        assert canonical(value) == wanted


@pytest.mark.parametrize("number", [2**53 - 1, 1 - 2**53, 1e21, 1e-7, -0.0, 5e-324, 0.1])
def test_numbers_are_written_as_ecmascript_writes_them(number):
    assert canonical([number, {"n": number}]) == rfc8785.dumps([number, {"n": number}]).decode()


@pytest.mark.parametrize(
    "value", [2**53, "\ud800", {"\udfff": 1}, {1: 2}, float("nan"), b"", {1, 2}, {"a": object}], ids=repr
)
def test_what_is_no_json_data_has_no_canonical_text(value):
    with pytest.raises(ValueError):  # noqa: PT011
        canonical({"value": [value]})


def test_names_are_ordered_by_utf_16():
    assert canonical({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'


def test_canonical_text_does_not_depend_on_the_order_of_keys():
    assert canonical({"b": 1, "a": 2}) == canonical({"a": 2, "b": 1}) == '{"a":2,"b":1}'


def test_the_first_hash_never_changes():
    assert sha256(b"dmsa journal 1").hexdigest() == GENESIS
    (record,) = chain([Entry("run", datetime(2026, 11, 20, tzinfo=UTC), "kind", 1, {"key": "value"})], 1)
    assert record.hash == "167b5ca185fbcab067ebef337b6de8a8b48d4048e4bfe867903c77ce87ea6cc1"
