"""Half links anywhere in the domain: each that is not answered is named, and no whole pair is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.lab.estate import EstateSpec
from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Read
from orchestrator.model.observation import Outcome, Reply, Unreadable
from orchestrator.model.stray import Linked, Stray, linked_search, linked_seen, stray_links

BASE = "DC=corp,DC=example"
DC = "dc01.corp.example"
A, B = f"CN=a,{BASE}", f"CN=b,{BASE}"
D, E = f"CN=d,{BASE}", f"CN=e,{BASE}"


def account(dn: str, state: int, link: str | None) -> Linked:
    return Linked(dn, False, state, link)


def dmsa(dn: str, state: int, link: str | None) -> Linked:
    return Linked(dn, True, state, link)


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ([], []),
        ([account(A, 1, D), dmsa(D, 1, A)], []),
        ([account(A.upper(), 2, D.lower()), dmsa(D, 2, A)], []),
        ([dmsa(D, 0, A)], [(D, "does not name it")]),
        ([dmsa(D, 2, A), account(A, 1, E), dmsa(E, 1, A)], [(D, f"names {E}")]),
        ([account(A, 2, D)], [(A, "or may not be read")]),
        ([account(A, 1, D), dmsa(D, 1, B)], [(A, f"names {B}"), (D, "does not name it")]),
        ([account(A, 1, D), dmsa(D, 2, A)], [(D, "state 2, and CN=a,DC=corp,DC=example, with which")]),
        ([account(A, 0, D), dmsa(D, 0, A)], [(D, "state 0")]),
        ([dmsa(D, 2, None)], [(D, "names nobody")]),
        ([account(A, 1, None)], [(A, "names nobody")]),
        ([account(A, 0, None), dmsa(D, 3, None)], []),
    ],
)
def test_what_is_not_answered_is_named(found, named):
    strays = stray_links(found)
    assert [stray.dn for stray in strays] == [dn for dn, _ in named]
    assert all(words in stray.says for stray, (_, words) in zip(strays, named, strict=True))


pairs = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 2])), unique_by=lambda pair: pair[0])


@settings(deadline=None)
@given(pairs, st.randoms())
def test_whole_pairs_are_never_named_and_one_without_its_other_side_always_is(numbers, order):
    whole = [
        each
        for number, state in numbers
        for each in (
            account(f"CN=a{number},{BASE}", state, f"CN=d{number},{BASE}"),
            dmsa(f"CN=d{number},{BASE}", state, f"CN=a{number},{BASE}"),
        )
    ]
    order.shuffle(whole)
    assert stray_links(whole) == ()
    if whole:
        gone = whole.pop()
        assert [stray.dn for stray in stray_links(whole)] == [gone.link]


def searched(*dmsas: dict[str, Any]) -> tuple[Stray, ...]:
    estate = Estate(
        EstateSpec.model_validate(
            {
                "domain": {"dns": "corp.example", "netbios": "CORP"},
                "dcs": [{"name": DC}],
                "users": [{"dn": A}, {"dn": B}],
                "dmsas": dmsas,
            }
        )
    )
    far = MemoryTransport(estate, "CORP\\operator")
    ticket = far.ticket(DC)
    assert ticket is not None
    return stray_links(linked_seen(far.run(Read(DC, (linked_search(BASE, DC),)), ticket), DC))


def test_the_directory_shows_them_all_in_one_search():
    whole = {"dn": E, "state": 2, "supersedes": B}
    assert searched(whole) == ()
    assert [one.dn for one in searched(whole, {"dn": D, "state": 2, "supersedes": A, "linked_by": "dmsa"})] == [D]
    one_side = searched(whole, {"dn": D, "state": 2, "supersedes": A, "linked_by": "account"})
    assert [one.dn for one in one_side] == [A, D]
    assert searched({"dn": D, "state": 3}, {"dn": E}) == ()


def test_what_was_not_answered_is_not_empty():
    with pytest.raises(Unreadable, match="did not say"):
        linked_seen(Reply(Outcome.FAILED), DC)
