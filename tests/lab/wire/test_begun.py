"""What begins a pipeline, read in the lab's own way: it is what psrpcore reads, or left to psrpcore."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psrpcore import PowerShell, PSRemotingCrypto
from psrpcore.types import PSVersion, SessionCapability, deserialize

from orchestrator.lab.wire import begun, incoming
from orchestrator.remote.pipeline_message import create_pipeline
from orchestrator.remote.wording import Command
from tests.remote.test_pipeline_message import COMMAND

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CAPABILITY = SessionCapability(
    PSVersion=PSVersion("2.0"), protocolversion=PSVersion("2.3"), SerializationVersion=PSVersion("1.1.0.1")
)
PROTOCOLS = st.sampled_from(["2.1", "2.2", "2.3"])
STATEMENTS = st.lists(st.lists(COMMAND, min_size=1, max_size=2), min_size=1, max_size=3)
EXAMPLE = create_pipeline(
    [
        [Command("Get-A", {"Name": "x_x0041_", "Many": ("a", 1, None), "Table": {"k": True}}), Command("Get-B")],
        [Command("Get-C", {"Name": "y"}, ("first",))],
    ],
    "2.3",
).decode()
PIECES = re.findall(r"<[^>]*>|[^<]+", EXAMPLE)


def by_psrpcore(message: bytes) -> incoming.Begun:
    capabilities = {"our_capability": CAPABILITY, "their_capability": CAPABILITY}
    read = deserialize(ET.fromstring(message), PSRemotingCrypto(), **capabilities)
    return incoming.begun(PowerShell.FromPSObjectForRemoting(read))


@given(STATEMENTS, PROTOCOLS)
@UNHURRIED
def test_it_is_what_psrpcore_reads(statements, protocol):
    message = create_pipeline(statements, protocol)
    no_call_has_it = b"<Sg" in message  # a number with a fraction
    assert begun.read(message) == (None if no_call_has_it else by_psrpcore(message))


def test_the_messages_of_a_run_are_read_here():
    assert begun.read(EXAMPLE.encode()) == by_psrpcore(EXAMPLE.encode())


@given(st.data())
@settings(UNHURRIED, max_examples=400)
def test_what_psrpcore_would_refuse_or_read_otherwise_is_left_to_it(data):
    pieces = list(PIECES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(pieces) - 1))
        match data.draw(st.sampled_from(["away", "twice", "other", "moved", "letter"])):
            case "away":
                del pieces[at]
            case "twice":
                pieces.insert(at, pieces[at])
            case "other":
                pieces[at] = data.draw(st.sampled_from(PIECES))
            case "moved":
                pieces.insert(data.draw(st.integers(0, len(pieces) - 1)), pieces.pop(at))
            case "letter":
                letter = data.draw(st.integers(0, len(pieces[at]) - 1))
                put = data.draw(st.sampled_from('0123456789aBN"x_ '))
                pieces[at] = pieces[at][:letter] + put + pieces[at][letter + 1 :]
    message = "".join(pieces).encode()
    read = begun.read(message)
    if read is not None:
        assert read == by_psrpcore(message)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<S N="V">y</S>', '<SB N="V">y</SB>'),
        ('<S N="V">y</S>', '<Ref N="V" RefId="5"/>'),
        ('<S N="V">y</S>', '<I32 N="V">2147483648</I32>'),
        ('<S N="V">y</S>', '<DT N="V">2026-03-02T00:00:00Z</DT>'),
        ('<S N="V">y</S>', '<S N="v">y</S>'),
        ('<S N="Cmd">Get-C</S>', '<S N="Cmd">Get-C</S><S N="cmd">Get-D</S>'),
        ('<B N="IsScript">false</B>', '<B N="IsScript">no</B>'),
        ('<TNRef RefId="2"/>', '<TNRef RefId="77"/>'),
        ('<B N="NoInput">true</B>', ""),
        ("</MS></Obj>", ""),
        ("<I32>2</I32>", "<I32>9</I32>"),
    ],
)
def test_uncommon_and_broken_messages_are_left_to_psrpcore(old, new):
    assert old in EXAMPLE
    assert begun.read(EXAMPLE.replace(old, new).encode()) is None


def test_a_script_is_read_as_one():
    message = EXAMPLE.replace('<B N="IsScript">false</B>', '<B N="IsScript">true</B>').encode()
    read = begun.read(message)
    assert read == by_psrpcore(message)
    assert read is not None
    assert all(command.is_script for command in incoming.statements(read.commands)[0])


def test_however_an_empty_element_is_written():
    assert begun.read(ET.tostring(ET.fromstring(EXAMPLE), short_empty_elements=False)) == by_psrpcore(EXAMPLE.encode())
