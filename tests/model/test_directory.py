"""What an answer about the pair says, and what it does not."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.call import Read
from orchestrator.model.directory import Account, DmsaSeen, PairSeen, pair_reads, pair_seen, plain
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Fault, FaultKind, Outcome, Record, RemoteError, Reply, Unreadable
from tests.cases import MIGRATION
from tests.reading import ACCOUNT, DMSA, FarSide

AT = datetime(2026, 3, 2, tzinfo=UTC)
SERVER = "dc01.corp.example"


def account(state: int = 0, link: str | None = None) -> Account:
    return Account(UUID(int=1), ACCOUNT, "S-1", "svc", "user", True, True, state, link, frozenset(), {})


def dmsa(state: int = 0, link: str | None = None) -> DmsaSeen:
    return DmsaSeen(UUID(int=2), DMSA, "dmsa", state, link, (), frozenset(), "", {})


def seen(**facts: object) -> PairSeen:
    far = FarSide(facts, {}, AT)
    return pair_seen(SERVER, far.reply(Read(SERVER, pair_reads(SERVER, MIGRATION, ACCOUNT))), MIGRATION)


@pytest.mark.parametrize(
    ("one", "other", "pair"),
    [
        (account(), dmsa(), Pair.UNLINKED),
        (account(), None, Pair.UNLINKED),
        (None, dmsa(), Pair.UNLINKED),
        (account(1, DMSA), dmsa(1, ACCOUNT), Pair.STARTED),
        (account(1, DMSA.upper()), dmsa(1, ACCOUNT.lower()), Pair.STARTED),
        (account(2, DMSA), dmsa(2, ACCOUNT), Pair.COMPLETED),
        (account(1, DMSA), dmsa(2, ACCOUNT), Pair.BROKEN),
        (account(3, DMSA), dmsa(3, ACCOUNT), Pair.BROKEN),
        (account(1, DMSA), dmsa(1), Pair.BROKEN),
        (account(1), dmsa(1, ACCOUNT), Pair.BROKEN),
        (account(1, "CN=other"), dmsa(1, ACCOUNT), Pair.BROKEN),
        (account(0, DMSA), dmsa(0, ACCOUNT), Pair.BROKEN),
        (account(0, DMSA), dmsa(), Pair.BROKEN),
        (account(), dmsa(3), Pair.BROKEN),
        (None, dmsa(1, ACCOUNT), Pair.BROKEN),
        (account(1, DMSA), None, Pair.BROKEN),
    ],
)
def test_the_pair(one, other, pair):
    assert PairSeen(SERVER, one, other).pair is pair


@given(st.integers(0, 3), st.integers(0, 3), st.sampled_from([None, ACCOUNT, "x"]), st.sampled_from([None, DMSA, "x"]))
def test_linked_means_that_both_name_each_other_and_agree(theirs, ours, forward, back):
    pair = PairSeen(SERVER, account(ours, back), dmsa(theirs, forward)).pair
    mutual = forward == ACCOUNT and back == DMSA
    assert (pair in {Pair.STARTED, Pair.COMPLETED}) == (mutual and theirs == ours and theirs in {1, 2})
    assert (pair is Pair.UNLINKED) == (theirs == ours == 0 and forward is None and back is None)


def test_what_is_not_there_is_said_to_be_not_there():
    assert seen(account=None).account is None
    assert seen(dmsa=None).dmsa is None
    assert "the account is not there" in str(seen(account=None))
    assert "no dMSA" in str(seen(dmsa=None))


def test_what_was_not_answered_is_not_absent():
    for denied in ("Get-ADUser", "Get-ADServiceAccount"):
        with pytest.raises(Unreadable, match="did not answer for the account: Access is denied"):
            seen(refused=[denied])


def test_an_absent_object_of_another_question_is_not_the_account():
    """The pipeline ended before the account was asked for."""
    error = RemoteError("x", "ObjectNotFound", "", "Cannot find it", cmdlet="Get-ADServiceAccount")
    reply = Reply(Outcome.FAILED, errors=(error,), fault=Fault(FaultKind.PERMANENT, "x", "Cannot find it"))
    with pytest.raises(Unreadable):
        pair_seen(SERVER, reply, MIGRATION)


def test_another_account_of_the_answer_is_not_the_dmsa():
    assert seen(dmsa={"SamAccountName": "dmsa-app2$"}).dmsa is None
    assert seen(dmsa={"SamAccountName": "DMSA-APP$"}).dmsa is not None


def test_two_of_a_name_are_not_understood():
    one = Record("ADUser", {"ObjectGUID": UUID(int=1)})
    with pytest.raises(Unreadable, match="more than one object"):
        pair_seen(SERVER, Reply(Outcome.SUCCEEDED, (one, one)), MIGRATION)


@pytest.mark.parametrize(
    ("of", "name"),
    [
        ("account", "ObjectGUID"),
        ("account", "DistinguishedName"),
        ("account", "SID"),
        ("account", "userAccountControl"),
        ("account", "ProtectedFromAccidentalDeletion"),
        ("account", "ObjectClass"),
        ("dmsa", "ObjectGUID"),
        ("dmsa", "DistinguishedName"),
        ("dmsa", "msDS-DelegatedMSAState"),
    ],
)
def test_a_property_that_is_missing_is_never_a_default(of, name):
    with pytest.raises(Unreadable, match=name):
        seen(**{of: {name: "(absent)"}})


def test_only_an_unset_state_of_the_account_is_0():
    assert seen().account.state == 0
    assert seen(account={"msDS-SupersededServiceAccountState": None}).account.state == 0


def test_a_flag_must_be_a_flag():
    with pytest.raises(Unreadable, match="neither true nor false"):
        seen(account={"ProtectedFromAccidentalDeletion": "True"})


def test_multi_valued_attributes_of_every_shape():
    for spns in (["b", "a"], "a", []):
        found = seen(account={"servicePrincipalName": spns}).account
        assert found.spns == frozenset([spns] if isinstance(spns, str) else spns)
    assert seen(account={"servicePrincipalName": ["b", "a"]}).account.watched["servicePrincipalName"] == ["a", "b"]


def test_enabled_is_read_from_the_control_bits():
    assert seen(account={"userAccountControl": 0x10200}).account.enabled
    assert not seen(account={"userAccountControl": 0x10202}).account.enabled


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (2**53, 2**53),
        (2**53 + 1, str(2**53 + 1)),
        (9223372036854775807, "9223372036854775807"),
        (True, True),
        (None, None),
        (("b", "a"), ["a", "b"]),
        (AT, "2026-03-02T00:00:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"b": 1, "a": ("y", "x")}, {"a": ["x", "y"], "b": 1}),
    ],
)
def test_what_a_snapshot_keeps(value, kept):
    assert plain(value) == kept
