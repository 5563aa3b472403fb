"""What is read before a decision, and what is not read twice: each reading is a round trip."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from orchestrator.engine.decide import FRESH, next_action
from orchestrator.model.action import Action, Observe, Perform, Record, Wait
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import Held
from tests.cases import AT, MIGRATION, Situation, situation

COMPLETE = "Complete-ADServiceAccountMigration"
MOVED = "CN=svc-app,OU=Elsewhere,DC=corp,DC=example"


def follow(given: Situation, seen: Seen | None = None) -> tuple[list[Observe], Action]:
    """Return the readings that are asked for, and the first action that is no reading and no note; a hold counts."""
    case, readings = given.case, []
    for _ in range(9):
        action = next_action(case, given.subject, seen)
        if isinstance(action, Observe):
            readings.append(action)
            seen = given.far.seen(MIGRATION, action.reads, seen if action.more else None)
            seen = replace(seen, guarded=seen.guarded or action.guarded)
        elif isinstance(action, Record) and not any(isinstance(event, Held) for event in action.events):
            for event in action.events:
                case.run.apply(event, AT)
            case = Case.of(case.run, case.plan, MIGRATION, AT)
        else:
            return readings, action
    raise AssertionError(f"no end to it: {readings}")


def round_trips(readings: list[Observe]) -> list[list[str]]:
    """Return for each reading the endpoints of its round trips, without the domain."""
    return [sorted(read.endpoint.partition(".")[0] for read in reading.reads) for reading in readings]


def asked(reading: Observe) -> list[str]:
    """Return the cmdlets of a reading."""
    return [statement.name for read in reading.reads for statement in read.statements]


class TestPrepare:
    """The account is asked for by its DN until the snapshot knows its GUID."""

    @staticmethod
    def planned(**read: Any) -> Situation:
        return situation({"state": {"snapshot": False}, "read": {"dmsa": None, **read}})

    def test_the_account_that_was_found_by_its_dn_is_not_asked_for_again_by_its_guid(self):
        readings, action = follow(self.planned())
        first, second, third = round_trips(readings)
        assert first == ["app01", "dc01", "dc01", "dc02"], "the operator's token travels alone"
        assert second == ["dc01"] * 4, "the forest's catalog and two descriptors travel apart"
        assert third == ["dc01"]
        assert "Get-ADUser" not in asked(readings[1])
        assert set(asked(readings[2])) == {"Get-DmsaDescriptor"}
        assert isinstance(action, Perform)
        assert action.write.statement.name == "New-ADServiceAccount"

    def test_a_copy_that_found_another_account_under_that_dn_is_asked_by_guid(self):
        other = {"account": {"ObjectGUID": "00000000-0000-0000-0000-000000000009"}}
        readings, _ = follow(self.planned(copies={"dc02": other}))
        assert round_trips(readings)[-1] == ["dc02"]
        assert asked(readings[-1]) == ["Get-ADUser"]

    def test_a_copy_that_found_nobody_is_asked_by_guid(self):
        readings, _ = follow(self.planned(copies={"dc02": {"account": None}}))
        assert round_trips(readings)[-1] == ["dc02"]


class TestStart:
    """What the guards want to know travels in one round trip to each endpoint; then the logs are searched."""

    def test_one_round_with_the_guards(self):
        readings, action = follow(situation({"state": {"phase": "prepared"}}))
        first, second = round_trips(readings)
        assert first == ["app01", "dc01", "dc01", "dc02"], "the second is its global catalog"
        assert second == ["dc01", "dc02"]
        assert set(asked(readings[1])) == {"Get-WinEvent"}
        assert readings[0].guarded
        assert isinstance(action, Perform)

    def test_the_groups_of_an_account_that_was_moved_are_asked_for_where_it_is_now(self):
        given = situation({"state": {"phase": "prepared"}, "read": {"account": {"DistinguishedName": MOVED}}})
        readings, action = follow(given)
        assert round_trips(readings) == [["app01", "dc01", "dc01", "dc02"], ["dc01", "dc01", "dc01", "dc02"]]
        (groups,) = readings[1].reads[0].statements
        assert groups.name == "Get-ADGroup"
        assert MOVED in str(groups.parameters["LDAPFilter"])
        assert isinstance(action, Perform)
        assert action.write.statement.parameters["SupersededAccount"] == MOVED


class TestComplete:
    """The further copies are asked when they can have something to say."""

    def test_what_is_written_down_with_the_intent_travels_with_the_guards(self):
        readings, _ = follow(situation({"state": {"phase": "soaked", "sent": ["Start"]}, "read": {"pair": "1/1"}}))
        assert round_trips(readings) == [["app01", "dc01", "dc01", "dc02"], ["dc01", "dc02"], ["dc01"] * 4, ["dc01"]]
        assert "Win32_Service" in str(readings[0].reads)

    def test_the_read_back_is_of_the_copy_that_was_written(self):
        state = {"phase": "soaked", "sent": ["Start", "Complete"], "performed": [["directory", COMPLETE, 1]]}
        readings, action = follow(situation({"state": state, "read": {"pair": "2/2"}}))
        assert round_trips(readings) == [["dc01"]]
        assert isinstance(action, Wait)
        assert action.waiting_for == "replication"

    def test_what_did_not_land_is_found_without_them(self):
        state = {"phase": "soaked", "sent": ["Start", "Complete"], "performed": [["directory", COMPLETE, 1]]}
        away = {"pair": "0/-", "faults": {"dc02": {}}}
        readings, action = follow(situation({"state": state, "read": away}))
        assert round_trips(readings) == [["dc01"]]
        assert isinstance(action, Record)
        assert action.events[-1].reason == "guard:pair-matches"


class TestAge:
    """A write may have to wait for a session, or for another restart at its host."""

    @staticmethod
    def decided(age: timedelta) -> Action:
        given = situation({"state": {"phase": "prepared"}})
        readings, action = follow(given)
        assert isinstance(action, Perform)
        seen = None
        for observe in readings:
            seen = given.far.seen(MIGRATION, observe.reads, seen)
        assert seen is not None
        return next_action(given.case, given.subject, replace(seen, guarded=True, since=AT - age))

    def test_a_fresh_reading_is_acted_upon(self):
        assert isinstance(self.decided(FRESH), Perform)

    def test_an_old_one_is_read_again_with_the_guards(self):
        action = self.decided(FRESH + timedelta(seconds=1))
        assert isinstance(action, Observe)
        assert (action.more, action.guarded) == (False, True)
