"""Who may use the dMSA, when it is worth writing down, and what follows for the dates."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.ledger import FLOOR, LedgerSeen, dwell_due, flat_due, ledger_reads, ledger_seen, worth_writing
from orchestrator.model.observation import Unreadable
from orchestrator.model.state import Ledger
from tests.cases import AT, MIGRATION, Situation, situation

APP01, OLD = "app01.corp.example", "old07.corp.example"
GROUP = "CN=App Hosts,OU=Groups,DC=corp,DC=example"


def read(given_: Situation) -> LedgerSeen:
    seen = given_.far.seen(MIGRATION, ledger_reads(given_.case))
    for _ in range(5):
        ledger = ledger_seen(given_.case, seen)
        if isinstance(ledger, LedgerSeen):
            return ledger
        seen = given_.far.seen(MIGRATION, ledger, seen)
    raise AssertionError("it asks for ever")


def ledger(**facts: object) -> LedgerSeen:
    return read(situation({"read": facts}))


def test_nobody_yet():
    assert ledger() == LedgerSeen(frozenset(), frozenset())


def test_hosts_of_the_plan_are_named_as_the_plan_names_them():
    assert ledger(principals=["APP01.corp.example"], computers=["APP01.Corp.Example"]).hosts == {APP01}


def test_strangers_are_named_by_their_dns_name():
    assert ledger(principals=[APP01, OLD], computers=[APP01, OLD]) == LedgerSeen(frozenset({APP01}), frozenset({OLD}))


def test_a_group_stands_for_the_computers_in_it():
    assert ledger(principals=[GROUP], computers=[], members={GROUP: [APP01, OLD]}) == LedgerSeen(
        frozenset({APP01}), frozenset({OLD})
    )


def test_what_is_neither_computer_nor_group_of_computers_is_named_by_its_dn():
    assert ledger(principals=[GROUP], computers=[]).others == {GROUP}


def test_a_host_twice_is_a_host():
    assert ledger(principals=[APP01, GROUP], members={GROUP: [APP01]}).principals == (APP01,)


def test_no_answer_is_not_nobody():
    for facts in ({"refused": ["Get-ADComputer"]}, {"dmsa": None}, {"refused": ["Get-ADServiceAccount"]}):
        with pytest.raises(Unreadable):
            ledger(principals=[APP01], **facts)


def written(at=AT, **known: object):
    case = situation({"state": {"snapshot": False}}).case
    return replace(case, at=at, state=replace(case.state, ledger=Ledger(**known)))


class TestWorthWriting:
    """What changed, and else a row a day."""

    SEEN = LedgerSeen(frozenset({APP01}), frozenset())

    def test_the_first_reading(self):
        assert worth_writing(written(), self.SEEN)
        assert worth_writing(written(), LedgerSeen(frozenset(), frozenset()))

    def test_a_change(self):
        known = {"present": frozenset({APP01, OLD}), "read_at": AT}
        assert worth_writing(written(**known), self.SEEN)

    def test_a_row_a_day(self):
        known = {"present": frozenset({APP01}), "read_at": AT}
        assert not worth_writing(written(AT + timedelta(hours=23), **known), self.SEEN)
        assert worth_writing(written(AT + timedelta(hours=24), **known), self.SEEN)

    def test_without_the_time_it_is_written_once_and_not_for_ever(self):
        assert worth_writing(written(None), self.SEEN)
        assert not worth_writing(written(None, present=frozenset({APP01})), self.SEEN)
        assert worth_writing(written(AT, present=frozenset({APP01})), self.SEEN)


@given(st.integers(0, 60), st.booleans())
def test_the_floor_holds_unless_it_is_waived_and_the_plan_s_dwell_always(days, waived):
    facts = {"plan": {"dwell": f"{days}d"}, "state": {"ledger": {"since": AT}, "converged_at": AT, "registry_at": AT}}
    due = dwell_due(situation(facts).case, floor_waived=waived)
    assert due == AT + (timedelta(days=days) if waived else max(FLOOR, timedelta(days=days)))


def test_before_anybody_was_seen_nothing_is_due():
    case = situation({}).case
    assert dwell_due(case, floor_waived=False) is None
    assert flat_due(case) is None


def test_flat_counts_from_the_youngest_and_anew_after_an_undo():
    state = {"ledger": {"first_seen": {APP01: AT, OLD: AT + timedelta(days=2)}}}
    assert flat_due(situation({"state": state}).case) == AT + timedelta(days=9)
    anew = {**state, "anew_at": AT + timedelta(days=30)}
    assert flat_due(situation({"state": anew}).case) == AT + timedelta(days=37)


def test_the_row_s_hash_is_that_of_the_list_whatever_its_order():
    one = LedgerSeen(frozenset({APP01, "b"}), frozenset({OLD})).event("a")
    other = LedgerSeen(frozenset({"b", APP01}), frozenset({OLD})).event("a")
    assert one == other
    assert one.principals == (APP01, "b", OLD)
