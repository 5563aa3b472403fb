"""Security descriptors: read whole or not at all, compared by what they say, and protection known when it is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.descriptor import Descriptor, descriptor_read, descriptor_seen, protects
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, RemoteError, Reply, Unreadable
from orchestrator.remote.gate import check

HEAD = "O:DAG:DAD:AI"
ADMINS, USERS = "(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)", "(A;;LCRPLORC;;;AU)"
MEMBERSHIP = "(OA;;WP;888eedd6-ce04-df40-b462-b8a50e41ba38;;S-1-5-21-1-2-3-1105)"
CONDITIONAL = '(XA;;FX;;;AU;(@User.Title=="PM" && (@User.Division=="Finance")))'


def reply(*sddl: str, outcome: Outcome = Outcome.SUCCEEDED, **more: object) -> Reply:
    records = tuple(Record("System.DirectoryServices.ActiveDirectorySecurity", {"Sddl": one}) for one in sddl)
    return Reply(outcome, records, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("identity", ["00000000-0000-0000-0000-000000000001", "OU=Service Accounts,DC=corp,DC=example"])
def test_the_gate_knows_the_read(identity: str):
    check(descriptor_read("dc01.corp.example", identity, "dc01.corp.example"))


def test_one_descriptor_is_an_answer():
    assert descriptor_seen(reply(HEAD + ADMINS), "it") == HEAD + ADMINS


@pytest.mark.parametrize(
    "said",
    [
        reply(),
        reply(HEAD, HEAD),
        reply(HEAD, errors=(RemoteError("x", "PermissionDenied", "", "Access is denied"),)),
        reply(outcome=Outcome.FAILED, fault=Fault(FaultKind.PERMANENT, "x", "Access is denied")),
        reply(outcome=Outcome.UNKNOWN),
    ],
)
def test_anything_else_is_none_and_says_whose(said: Reply):
    with pytest.raises(Unreadable, match="the security descriptor of the account"):
        descriptor_seen(said, "the account")


@given(st.permutations([ADMINS, USERS, MEMBERSHIP, CONDITIONAL, ADMINS]))
def test_the_order_of_entries_says_nothing(entries: list[str]):
    found = Descriptor.of(HEAD + "".join(entries))
    assert found == Descriptor.of(HEAD + ADMINS + USERS + MEMBERSHIP + CONDITIONAL + ADMINS)
    assert found != Descriptor.of(HEAD + ADMINS + USERS + MEMBERSHIP + CONDITIONAL)
    assert found != Descriptor.of("O:SYG:DAD:AI" + "".join(entries))


def test_what_one_has_and_another_lacks():
    small, large = Descriptor.of(HEAD + ADMINS), Descriptor.of(HEAD + ADMINS + USERS + ADMINS)
    assert small.lacks(large) == [ADMINS, USERS]
    assert large.lacks(small) == []


@pytest.mark.parametrize(
    ("entry", "does"),
    [
        ("(D;;DTSD;;;WD)", True),
        ("(D;;SDDT;;;S-1-1-0)", True),
        ("(D;;DC;;;WD)", True),
        ("(D;CI;DC;;;WD)", True),
        ("(A;;DTSD;;;WD)", False),
        ("(D;;DTSD;;;AU)", False),
        ("(D;;DTSDWP;;;WD)", False),
        ("(D;;;;;WD)", False),
        ("(OD;;DC;888eedd6-ce04-df40-b462-b8a50e41ba38;;WD)", False),
        ("()", False),
    ],
)
def test_protection_is_known_when_it_is_seen(entry: str, does: bool):
    assert protects(entry) is does
