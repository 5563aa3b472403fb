"""Escaped text matches itself and nothing else, and never ends the filter it stands in."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.model.escape import event_data, guid_filter, ldap, sid_octets, wql, xpath
from orchestrator.remote.queries import is_event_query, is_ldap_filter, is_wql_condition

UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which are refused, and half characters, which the gate refuses."""
nasty = st.text(alphabet=st.sampled_from("ab*()\\'\"\x00\n\x7f|&=;[] é€😀") | st.characters(), max_size=30)


@given(nasty)
def test_ldap_comes_back_and_stays_inside(text):
    assume(not re.search(r"[\ud800-\udfff]", text))  # half a character: the gate refuses it
    escaped = ldap(text)
    octets = re.sub(rb"\\([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), escaped.encode())
    assert octets.decode() == text
    assert not set(escaped) & set("*()\0")
    assert is_ldap_filter(f"(cn={escaped})")
    assert is_ldap_filter(f"(&(cn={escaped})(!(cn={escaped})))")


@given(st.uuids())
def test_a_guid_is_its_stored_octets(guid):
    written = guid_filter(guid)
    octets = bytes.fromhex(re.sub(r"[^0-9a-f]", "", written.removeprefix("(objectGUID=")))
    assert UUID(bytes_le=octets) == guid
    assert is_ldap_filter(written)


@given(st.integers(0, 2**48 - 1), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=15))
def test_a_sid_is_its_stored_octets(authority, parts):
    written = sid_octets("-".join(("S-1", str(authority), *map(str, parts))))
    octets = bytes.fromhex(written.replace("\\", ""))
    assert octets[:2] == bytes((1, len(parts)))
    assert int.from_bytes(octets[2:8], "big") == authority
    assert [int.from_bytes(octets[at : at + 4], "little") for at in range(8, len(octets), 4)] == parts
    assert is_ldap_filter(f"(objectSid={written})")


@given(
    nasty | st.sampled_from(["S-1-5", "S-2-5-18", "S-1-5-", "S-1-5-4294967296", "S-1-281474976710656-1", "s-1-5-18"])
)
def test_what_is_no_sid_has_no_octets(text):
    assume(text.startswith(("S-2-", "S-1-28")) or not re.fullmatch(r"S-1-[0-9]+(-[0-9]{1,9})+", text))
    with pytest.raises(ValueError, match=r"is no SID|does not fit"):
        sid_octets(text)


@given(nasty)
def test_wql_comes_back_and_stays_inside(text):
    assume(not UNWRITABLE.search(text))
    escaped = wql(text)
    assert re.sub(r"\\(.)", r"\1", escaped) == text
    assert is_wql_condition(f"StartName='{escaped}' OR Name='{escaped}'")


@given(nasty)
def test_xpath_stays_inside(text):
    assume(not UNWRITABLE.search(text) and not {"'", '"'} <= set(text))
    literal = xpath(text)
    assert literal[1:-1] == text
    assert is_event_query(f"*[EventData[Data[@Name='TargetUserName']={literal}]]")


@given(nasty, nasty, st.sampled_from(["=", "!="]))
def test_a_field_is_compared_and_nothing_else(name, value, operator):
    assume(not UNWRITABLE.search(name + value))
    assume(not any({"'", '"'} <= set(text) for text in (name, value)))
    test = event_data(name, operator, value)
    assert test == f"Data[@Name={xpath(name)}]{operator}{xpath(value)}"
    assert is_event_query(f"*[EventData[({test} or {test}) and {test}]]")


def test_a_field_is_compared_in_two_ways_only():
    with pytest.raises(ValueError, match="does not compare"):
        event_data("IpAddress", "or 1=", "x")


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "\x7f"])
def test_what_cannot_be_written_is_refused(text):
    for escape in (wql, xpath):
        with pytest.raises(ValueError, match="control character"):
            escape(text)


def test_both_quotes_have_no_xpath():
    with pytest.raises(ValueError, match="both quotes"):
        xpath("""O'Brien "the" admin""")
