"""The message that begins a pipeline, held against the one that pypsrp writes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypsrp.messages import MessageType, PipelineState
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.serializer import ObjectMeta, TaggedValue
from pypsrp.wsman import WSMan

from orchestrator.remote.codec import Codec
from orchestrator.remote.pipeline_message import create_pipeline, primitive
from orchestrator.remote.wording import Command

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=8
) | st.sampled_from(["_x000A_", "_X", "a&b<c>d", "]]>", "\x00\x1f\x85", "\U0001f600"])
FLAT = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | st.uuids()
    | st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(timezone(timedelta(hours=1))))  # noqa: DTZ001
    | st.timedeltas(timedelta(0), timedelta(days=99))
)
VALUE = st.recursive(
    FLAT, lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
COMMAND = st.builds(
    Command,
    TEXT.filter(bool),
    st.dictionaries(TEXT, VALUE, max_size=4),
    st.lists(VALUE, max_size=2).map(tuple),
)


def as_pypsrp_takes_it(value: Any) -> Any:
    """Return a value as pypsrp writes it without loss; times and long numbers it cannot write by itself."""
    if isinstance(value, tuple):
        return [as_pypsrp_takes_it(item) for item in value]
    if isinstance(value, Mapping):
        return {name: as_pypsrp_takes_it(item) for name, item in value.items()}
    if isinstance(value, datetime):
        return element("DT", value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    if isinstance(value, timedelta):
        return element("TS", f"PT{value.total_seconds():f}S")
    if type(value) is int and not -(2**31) <= value < 2**31:
        return TaggedValue("I64", value)
    return value


def element(tag: str, text: str) -> ET.Element:
    made = ET.Element(tag)
    made.text = text
    return made


@pytest.fixture(scope="module")
def pool():
    return RunspacePool(WSMan("host", auth="basic", username="a", password="b"))


def by_pypsrp(pool, statements, protocol):
    pool.protocol_version = protocol
    powershell, said = PowerShell(pool), []
    for statement in statements:
        if powershell.commands:
            powershell.add_statement()
        for command in statement:
            powershell.add_cmdlet(command.name)
            for name, value in command.parameters.items():
                powershell.add_parameter(name, as_pypsrp_takes_it(value))
            for value in command.arguments:
                powershell.add_argument(as_pypsrp_takes_it(value))
    powershell._invoke = said.append
    powershell.begin_invoke(remote_stream_options=0)
    return ET.tostring(pool._serializer.serialize(said[0]), encoding="unicode")


@given(
    statements=st.lists(st.lists(COMMAND, min_size=1, max_size=2), min_size=1, max_size=3),
    protocol=st.sampled_from(["2.1", "2.2", "2.3"]),
)
@settings(max_examples=60)
def test_it_is_the_document_that_pypsrp_writes(pool, statements, protocol):
    ours = create_pipeline(statements, protocol).decode()
    assert ET.canonicalize(ours) == ET.canonicalize(by_pypsrp(pool, statements, protocol))


@pytest.mark.parametrize(
    ("value", "tag", "text"),
    [
        (timedelta(hours=1), "TS", "PT3600.000000S"),
        (datetime(2026, 3, 2, 1, tzinfo=timezone(timedelta(hours=1))), "DT", "2026-03-02T00:00:00.000000Z"),
        (2**40, "I64", "1099511627776"),
        (True, "B", "true"),
    ],
)
def test_what_is_no_text(value, tag, text):
    assert primitive(value) == (tag, text)


@pytest.mark.parametrize(
    "xml",
    [
        '<Obj RefId="0"><MS><I32 N="PipelineState">4</I32></MS></Obj>',
        '<Obj RefId="0"><MS><I32 N="PipelineState">3</I32></MS></Obj>',
        '<Obj RefId="0"><MS>\n<I32 N="PipelineState">5</I32></MS></Obj>',
    ],
)
def test_an_end_is_read_as_pypsrp_reads_it(pool, xml):
    meta = ObjectMeta("Obj", object=PipelineState)
    ours, theirs = Codec().deserialize(xml, meta), pool._serializer.deserialize(xml, meta)
    assert (ours.state, ours.error_record) == (theirs.state, theirs.error_record)
    assert ours.MESSAGE_TYPE == MessageType.PIPELINE_STATE
