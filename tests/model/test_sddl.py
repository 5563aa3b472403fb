"""Descriptors survive being written and read, and no text at all does more than be refused by name."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.model.security.sddl import Acl, Entry, SddlInvalid, Security, read, write
from orchestrator.model.security.words import (
    FULL,
    OF_OBJECTS,
    OTHER_WORDS,
    WITH_MORE,
    Inherit,
    Kind,
    Right,
    sid_of,
    word_for,
)

DOMAIN = "S-1-5-21-1-2-3"
WORDS = re.findall(
    "..",
    "AAACANAOAPASAUBABGBOBUCACDCGCNCOCYDADCDDDGDUEAEDEKERESHAHIISIUKALALGLSLULWMEMPMSMUNONSNUOWPAPOPSPURARCRDRERMRORSRU"
    "SASISOSSSUSYUDWDWR",
)
"""The words for SIDs of MS-DTYP 2.5.1.1, as the document lists them."""

numbers = st.integers(0, 2**32 - 1)
sids = (
    st.sampled_from(WORDS).map(lambda word: sid_of(word, DOMAIN))
    | st.integers(0, 10**6).map(lambda rid: f"{DOMAIN}-{rid}")
    | st.builds(
        lambda authority, parts: "-".join(("S-1", str(authority), *map(str, parts))),
        st.integers(0, 2**48 - 1),
        st.lists(numbers, min_size=1, max_size=15),
    )
)
guids = st.uuids().map(str)
conditions = st.sampled_from(["(@User.a == 1)", '(Title == "a) (b")', "((Exists x) && !(y))", '("n",TS,0x0,"v;(")'])


@st.composite
def entries(draw):
    kind = draw(st.sampled_from(Kind))
    about, inherited_by = (draw(st.none() | guids) if kind in OF_OBJECTS else None for _ in range(2))
    more = draw(conditions) if kind in WITH_MORE else ""
    flags = Inherit(draw(st.integers(0, 255)))
    return Entry(kind, flags, draw(numbers), draw(sids), about, inherited_by, more)


controls = st.lists(st.sampled_from(["P", "AR", "AI"]), unique=True).map(tuple)
acls = st.builds(Acl, controls, st.none() | st.lists(entries(), max_size=4).map(tuple))
descriptors = st.builds(Security, st.none() | sids, st.none() | sids, st.none() | acls, st.none() | acls)


@settings(deadline=None)
@given(descriptors)
def test_what_was_written_is_read_again(security):
    text = write(security, DOMAIN)
    assert read(text, DOMAIN) == security
    assert write(read(text, DOMAIN), DOMAIN) == text


@settings(deadline=None)
@given(st.text() | st.text(alphabet='ODGS:();ACWPRSID-0x1"P@ ', max_size=60))
@example("D:" + "(" * 500)
@example('D:(XA;;GA;;;WD;("')
@example("D:(XA;;GA;;;WD;" + "(" * 200)
@example("D:(A;;" + "9" * 11 + ";;;WD)")
@example("O:S-1-" + "9" * 15 + "-1")
def test_any_text_is_read_or_refused_by_name(text):
    with suppress(SddlInvalid):
        read(text, DOMAIN)


@settings(deadline=None)
@given(descriptors, st.data())
def test_a_damaged_descriptor_is_read_or_refused_by_name(security, data):
    text = write(security, DOMAIN)
    at = data.draw(st.integers(0, len(text)))
    put = data.draw(st.sampled_from(["", "(", ")", ";", ":", '"', "A", "0x", "-"]))
    with suppress(SddlInvalid):
        read(text[:at] + put + text[at + data.draw(st.integers(0, 3)) :], DOMAIN)


DEFAULT_OF_CLASS = (
    "D:(OD;;CR;00299570-246d-11d0-a768-00aa006e0529;;WD)(OA;;WP;5f202010-79a5-11d0-9020-00c04fc2d4cf;"
    "bf967a86-0de6-11d0-a285-00aa003049e2;CO)(OA;;RP;46a9b11d-60ae-405a-b7e8-ff8a58d456d2;;S-1-5-32-560)"
    "(OA;;RPWP;77b5b886-944a-11d1-aebd-0000f80367c1;;PS)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;AO)(A;;LCRPDTLOCRSDRC;;;CO)"
)


@pytest.mark.parametrize(
    "text",
    [
        DEFAULT_OF_CLASS,
        "O:DAG:DAD:AI(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)(A;CIIOID;GA;;;CO)",
        "O:BAG:SYD:PAI(D;;DTSD;;;WD)",
        "D:NO_ACCESS_CONTROL",
        "D:P",
        "",
        "D:(A;;0xffffffff;;;OW)S:AI(OU;CIIDSA;WP;;bf967aa5-0de6-11d0-a285-00aa003049e2;WD)",
    ],
)
def test_what_windows_writes_is_written_again(text):
    assert write(read(text, DOMAIN), DOMAIN) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("D:(A;;CC;0feb936f-47b3-49f2-9386-1dedc2c23765;;WD)", "with a GUID"),
        ("D:(A;;QQ;;;WD)", "no right is called QQ"),
        ("D:(A;;CC;;;QQ)", "somebody unknown"),
        ("D:(QQ;;CC;;;WD)", "a kind of entry"),
        ("D:(A;QQ;CC;;;WD)", "; was expected"),
        ("D:(A;;CC;;;WD", ") was expected"),
        ("D:(A;;CC;;;S-1-5)", "a SID"),
        ("D:(A;;0x1ffffffff;;;WD)", "rights"),
        ("D:(A;;4294967296;;;WD)", "32 bits"),
        ("G:BAO:BA", "another part"),
        ("D:(A;;CC;;;WD) ", "another part"),
        ("D:(A;;CC;;;WD;(x))", ") was expected"),
        ("O:S-1-5-21-4294967296", "too large"),
    ],
)
def test_what_is_refused_says_why(text, says):
    with pytest.raises(SddlInvalid, match=re.escape(says)):
        read(text, DOMAIN)


def test_every_word_for_somebody_has_one_sid_and_back():
    known = {word: sid_of(word, DOMAIN) for word in WORDS}
    assert None not in known.values()
    assert len(set(known.values())) == len(WORDS)
    assert {word_for(str(sid), DOMAIN) for sid in known.values()} == set(WORDS)
    assert sid_of("QQ", DOMAIN) is None


def test_only_the_own_domain_has_words():
    assert word_for("S-1-5-21-9-9-9-512", DOMAIN) == "S-1-5-21-9-9-9-512"


@pytest.mark.parametrize(
    ("word", "means"),
    [("GA", FULL), ("GW", Right.RC | Right.WP | Right.SW), ("GX", Right.RC | Right.LC), ("CC", Right.CC)],
)
def test_generic_rights_mean_what_a_directory_maps_them_to(word, means):
    acl = read(f"D:(A;;{word};;;WD)", DOMAIN).dacl
    assert acl is not None
    assert acl.entries is not None
    assert acl.entries[0].mask == means


@pytest.mark.parametrize("word", OTHER_WORDS)
def test_words_for_other_objects_are_read(word):
    assert write(read(f"D:(A;;{word};;;WD)", DOMAIN), DOMAIN) != ""
