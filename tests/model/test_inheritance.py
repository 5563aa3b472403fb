"""What is not inheritable is not inherited, and what is says what it said (MS-DTYP 2.5.3.4.4): random descriptors."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.model.security.access import Wish, granted
from orchestrator.model.security.inheritance import inherited, origin
from orchestrator.model.security.sddl import Acl, Security, read, write
from orchestrator.model.security.words import ALLOWING, Inherit, Right
from tests.model.test_sddl import DOMAIN, descriptors

DMSA, OTHER = "0feb936f-47b3-49f2-9386-1dedc2c23765", "bf967aba-0de6-11d0-a285-00aa003049e2"
WAY = Inherit.CI | Inherit.OI | Inherit.NP | Inherit.IO | Inherit.ID
CREATORS = {"S-1-3-0", "S-1-3-1"}
EACH_KIND = read(
    f"O:DAD:(A;;GA;;;WD)(A;CIIO;GA;;;CO)(A;CI;GA;;;CG)(OA;CIIO;GA;;{OTHER};WD)(D;CINP;WP;;;WD)(OA;CIIO;GA;;{DMSA};WD)"
    "(A;OI;GA;;;WD)(A;CIIOID;WD;;;AU)",
    DOMAIN,
)


def entries(security: Security):
    return (security.dacl.entries or ()) if security.dacl else ()


def changed(security: Security, change) -> Security:
    """Change each entry of a descriptor's list, if it has one."""
    if security.dacl is None or security.dacl.entries is None:
        return security
    return replace(security, dacl=replace(security.dacl, entries=tuple(map(change, security.dacl.entries))))


@st.composite
def containers(draw):
    """Draw descriptors whose entries are often inheritable, and often by the class that is asked about."""
    classes = st.sampled_from([None, DMSA, OTHER])
    flags = st.sampled_from([Inherit(0), Inherit.CI, Inherit.CI | Inherit.IO, Inherit.CI | Inherit.NP, Inherit.OI])
    return changed(
        draw(descriptors),
        lambda one: replace(
            one,
            flags=draw(flags | st.just(one.flags)),
            inherited_by=draw(classes) if one.inherited_by else None,
            trustee=draw(st.sampled_from([one.trustee, one.trustee, "S-1-3-0", "S-1-1-0"])),
        ),
    )


@settings(deadline=None)
@given(containers())
@example(EACH_KIND)
def test_a_child_inherits_what_is_inheritable_and_nothing_else(security):
    meant = [
        one
        for one in entries(security)
        if one.flags & Inherit.CI and one.inherited_by in {None, DMSA} and one.trustee not in CREATORS
    ]
    child = inherited(security, DMSA)
    assert [replace(one, flags=one.flags & ~WAY) for one in entries(child)] == [
        replace(one, flags=one.flags & ~WAY) for one in meant
    ]
    assert all(one.applies and one.inherited for one in entries(child))
    assert (child.owner, child.group, child.sacl) == (None, None, None)
    assert read(write(child, DOMAIN), DOMAIN) == child


@settings(deadline=None)
@given(containers())
@example(EACH_KIND)
def test_what_goes_one_level_down_goes_no_further(security):
    child = inherited(security, DMSA)
    stopped = [one for one in entries(security) if not one.flags & Inherit.NP]
    through = inherited(replace(security, dacl=Acl((), tuple(stopped))), DMSA)
    assert inherited(child, DMSA) == inherited(through, DMSA)


@settings(deadline=None)
@given(containers())
@example(EACH_KIND)
def test_what_an_entry_says_of_the_container_changes_nothing_below(security):
    for flag in (Inherit.IO, Inherit.ID):
        assert inherited(changed(security, lambda one, flag=flag: replace(one, flags=one.flags ^ flag)), DMSA) == (
            inherited(security, DMSA)
        )


@settings(deadline=None)
@given(containers(), st.sampled_from([Right.WP, Right.WD, Right.WO]))
def test_nobody_is_granted_what_no_inheritable_entry_grants(security, right):
    child = inherited(security, DMSA)
    for trustee in {one.trustee for one in entries(security)} | {str(security.owner)}:
        grant = granted(child, {trustee}, Wish(right, "do it", frozenset({DMSA})))
        if grant is not None:
            assert grant.entry is not None
            above = origin(security, grant.entry, DMSA)
            assert above in entries(security)
            assert above.flags & Inherit.CI
            assert above.kind in ALLOWING
            assert above.trustee == trustee
            assert above.mask & right


@pytest.mark.parametrize("text", ["D:NO_ACCESS_CONTROL", "D:", "O:DA", "D:(A;;GA;;;WD)(A;OI;GA;;;WD)"])
def test_nothing_comes_of_nothing(text):
    assert entries(inherited(read(text, DOMAIN), DMSA)) == ()
