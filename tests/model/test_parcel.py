"""Whatever a call or a reply can hold arrives as it was packed; what no runner would have written is refused."""

from __future__ import annotations

import json
import math
from datetime import UTC, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.call import Cmdlet, Read, Ticket, Write
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, RemoteError, Reply
from orchestrator.model.parcel import (
    Carried,
    Carry,
    Declined,
    End,
    Ended,
    ParcelUnreadable,
    order_of,
    packed,
    result_of,
)

TEXT = st.text(st.characters(codec=None), max_size=8)
ZONES = st.sampled_from([UTC, None, timezone(timedelta(hours=5, minutes=45))])
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**53 - 2, 2**53 + 2)
    | st.floats(allow_nan=False)
    | TEXT
    | st.datetimes(timezones=ZONES)
    | st.timedeltas()
    | st.uuids()
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
NAMED = st.dictionaries(TEXT, VALUES, max_size=3)
STATEMENTS = st.builds(Cmdlet, TEXT, NAMED)
CALLS = st.builds(Read, TEXT, st.lists(STATEMENTS, max_size=3).map(tuple)) | st.builds(Write, TEXT, STATEMENTS)
ORDERS = st.builds(Carry, CALLS, st.builds(Ticket, TEXT, st.uuids(), st.uuids())) | st.builds(End, TEXT, st.uuids())
FAULTS = st.builds(
    Fault,
    st.sampled_from(FaultKind),
    *[TEXT] * 3,
    reached=st.booleans(),
    busy=st.booleans(),
    after=st.floats(0, 1e6),
)
REPLIES = st.builds(
    Reply,
    st.sampled_from(Outcome),
    st.lists(st.builds(Record, TEXT, NAMED), max_size=3).map(tuple),
    st.lists(st.builds(RemoteError, *[TEXT] * 6), max_size=2).map(tuple),
    st.none() | FAULTS,
    st.booleans(),
)
RESULTS = st.builds(Carried, REPLIES, st.booleans()) | st.builds(Ended, st.booleans()) | st.builds(Declined, TEXT, TEXT)


def kinds(value):
    """The types of a value, all the way down: equal is not enough, for 1 == 1.0 == True."""
    if isinstance(value, tuple):
        return [kinds(one) for one in value]
    if isinstance(value, dict):
        return {name: kinds(one) for name, one in value.items()}
    return type(value), getattr(value, "tzinfo", None) is None


def values(thing):
    if isinstance(thing, Carry):
        statements = thing.call.statements if isinstance(thing.call, Read) else (thing.call.statement,)
        return [kinds(dict(one.parameters)) for one in statements]
    return [kinds(dict(one.properties)) for one in thing.reply.records] if isinstance(thing, Carried) else []


@given(ORDERS)
def test_an_order_arrives_as_it_was_given(order):
    text = packed(order)
    assert text.isascii()
    assert order_of(text) == order
    assert values(order_of(text)) == values(order)
    assert packed(order_of(text)) == text


@given(RESULTS)
def test_a_result_arrives_as_it_was_given(result):
    text = packed(result)
    assert text.isascii()
    assert result_of(text) == result
    assert values(result_of(text)) == values(result)
    assert packed(result_of(text)) == text


def test_what_equals_not_even_itself_arrives_too():
    reply = Reply(Outcome.SUCCEEDED, (Record("System.Double", {"": math.nan}),))
    found = result_of(packed(Carried(reply, True)))
    assert isinstance(found, Carried)
    assert math.isnan(found.reply.records[0].value)


SHELL = str(UUID(int=5))


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        None,
        {"bring": 1},
        {"end": ["app01", SHELL], "ended": True},
        {"end": ["app01"]},
        {"end": ["app01", "no id"]},
        {"end": ["app01", "{" + SHELL + "}"]},
        {"end": [1, SHELL]},
        {"carry": [{"script": ["app01", "Get-Process"]}, "app01", SHELL, SHELL]},
        {"carry": [{"write": ["app01", [["Get-Date", {}], ["Get-Date", {}]]]}, "app01", SHELL, SHELL]},
        *(
            {"carry": [{"read": ["app01", [["Get-Date", {"X": value}]]]}, "app01", SHELL, SHELL]}
            for value in (
                {"object": 1},
                {"map": []},
                {},
                {"time": "soon"},
                {"span": 1.5},
                {"int": "12"},
                {"int": " 9007199254740993"},
                {"float": "1"},
                {"uuid": 1},
                2**53,
                {"float": ["nan"]},
            )
        ),
    ],
)
def test_what_nobody_wrote_is_refused(data):
    with pytest.raises(ParcelUnreadable, match="cannot be read"):
        order_of(json.dumps(data))


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"ended": NaN}', '{"ended": 1}', '{"ended": true, "ended": false}', '{"carried": [["lost"], true]}'],
)
def test_a_result_that_nobody_wrote_is_refused(text):
    with pytest.raises(ParcelUnreadable, match="same version"):
        result_of(text)


def test_an_order_is_no_result():
    with pytest.raises(ParcelUnreadable, match="unknown word 'end'"):
        result_of(packed(End("app01", UUID(int=5))))
