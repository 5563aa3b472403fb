"""What a page calls an account's own: only where the whole name stands, and never so that two are taken for one."""

from __future__ import annotations

import pytest

from orchestrator.report.once import Once
from orchestrator.report.own_words import OwnWords, written
from orchestrator.report.passages import Passages, _numbers
from tests.report.reports import reported

ACCOUNT, DMSA, SID = "CN=svc-a,OU=S,DC=corp,DC=example", "CN=a,OU=M,DC=corp,DC=example", "S-1-5-21-1-2-3-1104"
FACTS = [
    {"object": "account", "name": "dn", "before": ACCOUNT, "again": ACCOUNT, "changed": False},
    {"object": "account", "name": "sid", "before": SID, "again": SID, "changed": False},
    {"object": "dmsa", "name": "dn", "before": None, "again": DMSA, "changed": True},
]
ONE = {"account": ACCOUNT, "dmsa": "a", "hosts": [{"name": "App01.corp.example"}], "snapshots": [{"facts": FACTS}]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"linked to {ACCOUNT}; {DMSA}.", "linked to the account; the dMSA."),
        (f"{ACCOUNT}2 and x{DMSA}", f"{ACCOUNT}2 and x{DMSA}"),
        (f"(A;;RP;;;{SID})", "(A;;RP;;;(the account's SID))"),
        (f"(A;;RP;;;{SID}5)", f"(A;;RP;;;{SID}5)"),
        ("since 2026-03-02T12:00:00.123456+00:00", "since 2026-03-02T12:00:00Z"),
        ("since 2026-03-02T12:00:00+01:00", "since 2026-03-02T12:00:00+01:00"),
    ],
)
def test_only_whole_names_are_replaced(text, said):
    assert OwnWords(ONE).of(text) == said


def test_an_account_without_a_name_changes_nothing():
    assert OwnWords({**ONE, "account": "", "snapshots": []}).of("as it is") == "as it is"


def test_who_a_guard_speaks_of():
    own = OwnWords(ONE)
    assert own.role(ACCOUNT.upper()) == "the account"
    assert own.role("A") == "the dMSA"
    assert own.role("app01.corp.example") == "a host"
    assert own.role("dc01.corp.example") == "dc01.corp.example"


def test_values_are_written_in_one_line():
    assert written([1, None, True]) == "1, unset, true"
    assert written({"b": 1, "a": "ü"}) == '{"a": "ü", "b": 1}'


def test_what_only_one_has_stands_where_it_belongs():
    found = Once([("a", 1), ("b", 1), ("a", 2), ("b", 1)])
    assert found.all == [("a", 2)]
    assert (found.number("a"), found.number("b"), found.number("c")) == (0, None, None)


def test_numbers_that_follow_each_other_are_a_span():
    assert _numbers([3, 1, 2, 7, 9, 10, 2]) == "1-3 7 9-10"


def test_nothing_that_a_guard_said_is_lost_between_what_is_shared_and_what_is_not():
    document = reported("seed-1")
    passages = [
        Passages(one, number, document["answers"].__getitem__) for number, one in enumerate(document["migrations"])
    ]
    shared = Once((said, one.number) for one in passages for said in one.said())
    for one in passages:
        apart = {said for _, _, said in one.apart(shared)}
        assert apart | {said for said, _ in shared.all if said in set(one.said())} == set(one.said())
        assert not apart & {said for said, _ in shared.all}
        numbers = " ".join(told for _, told in one.together(shared))
        assert bool(numbers) == (set(one.said()) != apart)
