"""The four steps that wait for every copy: late, away, back in time or too late, released, and other copies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.engine.decide import next_action
from orchestrator.model.action import Action, Observe, Record, Wait
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import DIRECTORY, Held, Released, WaitBegan
from tests.cases import AT, MIGRATION, Situation, situation

WITHIN = timedelta(hours=12)
LATE: dict[str, Any] = {"copies": {"dc02": {"pair": "broken"}}}
AWAY: dict[str, Any] = {"faults": {"dc02": {}}}
STEPS: dict[str, tuple[dict[str, Any], str]] = {
    "link": ({"phase": "started", "sent": ["Start"]}, "1/1"),
    "complete": ({"phase": "soaked", "sent": ["Start", "Complete"]}, "2/2"),
    "undo": (
        {
            "phase": "completed",
            "intention": "back",
            "way": "undo",
            "wish": "1/1",
            "sent": ["Start", "Complete", "Undo"],
        },
        "1/1",
    ),
    "undo-from-the-started-side": (
        {"phase": "restarted", "intention": "back", "way": "undo", "wish": "0/-", "sent": ["Start", "Undo"]},
        "0/-",
    ),
    "reset": (
        {
            "phase": "completed",
            "intention": "back",
            "way": "reset",
            "wish": "0/-",
            "sent": ["Start", "Complete", "Reset"],
        },
        "0/-",
    ),
}
BEGAN = AT - timedelta(minutes=1)
STEP = pytest.mark.parametrize("name", STEPS)


class Estate:
    """A migration in one of the four, and what there is to read; time is told, rows are folded in."""

    def __init__(self, name: str, **more: Any) -> None:
        state, self.pair = STEPS[name]
        self.given: Situation = situation({"state": {**state, "since": BEGAN}, **more})
        self.run, self.more = self.given.case.run, more

    def look(self, after: timedelta, read: dict[str, Any], fold: bool = True) -> Action:
        """Read until something else is to be done than reading, and fold in what that says."""
        at = AT + after
        far = situation({"read": {"pair": self.pair, **read}, "at": at, **self.more}).far
        seen: Seen | None = None
        for _ in range(9):
            case = Case.of(self.run, self.given.case.plan, MIGRATION, at, timedelta(0))
            action = next_action(case, DIRECTORY, seen)
            if isinstance(action, Observe):
                seen = far.seen(MIGRATION, action.reads, seen if action.more else None)
                continue
            if isinstance(action, Record) and action.events[0].kind == "controllers-found":
                self._fold(action, at)
                continue
            if fold:
                self._fold(action, at)
            return action
        raise AssertionError(action)

    def _fold(self, action: Action, at: Any) -> None:
        if isinstance(action, Wait):
            about = {"migration": MIGRATION, "subject": DIRECTORY, "waiting_for": action.waiting_for}
            self.run.apply(WaitBegan.model_validate({**about, "until": action.until, "detail": action.detail}), at)
        for event in getattr(action, "events", ()):
            self.run.apply(event, at)

    @property
    def done(self) -> bool:
        """Whether the directory is done, or the phase over."""
        state = self.run[MIGRATION]
        return DIRECTORY in state.done or state.since != BEGAN


def held(action: Action) -> Held:
    assert isinstance(action, Record), action
    assert isinstance(action.events[-1], Held), action
    return action.events[-1]


@STEP
@pytest.mark.parametrize("read", [LATE, AWAY], ids=["late", "away"])
class TestTheDeadline:
    def test_it_waits_and_says_which_since_when_and_until_when(self, name: str, read: dict[str, Any]):
        action = Estate(name).look(timedelta(0), read)
        assert isinstance(action, Wait), action
        assert (action.waiting_for, action.until) == ("replication", AT + WITHIN)
        assert f"since {AT.isoformat()}" in action.detail
        assert "dc02.corp.example " in action.detail

    def test_past_it_a_person_is_told_which_since_when_and_what_to_do(self, name: str, read: dict[str, Any]):
        estate = Estate(name)
        estate.look(timedelta(0), read)
        assert isinstance(estate.look(WITHIN - timedelta(seconds=1), read), Wait)
        hold = held(estate.look(WITHIN, read))
        assert hold.reason == "not-converged"
        assert f"since {AT.isoformat()}" in hold.detail
        assert "dc02.corp.example" in hold.detail
        assert ("dc02.corp.example answer" if read is AWAY else "repadmin /showrepl") in hold.release
        assert "dmsa release" in hold.release

    @pytest.mark.parametrize("after", [WITHIN - timedelta(seconds=1), WITHIN])
    def test_back_in_time_is_in_time_also_at_the_last_look(self, name: str, read: dict[str, Any], after: timedelta):
        estate = Estate(name)
        estate.look(timedelta(0), read)
        estate.look(after, {})
        assert estate.done

    def test_back_after_it_a_release_is_enough(self, name: str, read: dict[str, Any]):
        estate = Estate(name)
        estate.look(timedelta(0), read)
        held(estate.look(WITHIN, read))
        estate.run.apply(Released(migration=MIGRATION, by="ada", reason="mended"), AT + WITHIN)
        estate.look(WITHIN + timedelta(minutes=5), {})
        assert estate.done

    def test_released_while_it_lasts_it_waits_anew(self, name: str, read: dict[str, Any]):
        estate = Estate(name)
        estate.look(timedelta(0), read)
        held(estate.look(WITHIN, read))
        estate.run.apply(Released(migration=MIGRATION, by="ada", reason="one more night"), AT + 2 * WITHIN)
        action = estate.look(2 * WITHIN, read)
        assert isinstance(action, Wait), action
        assert action.until == AT + 3 * WITHIN
        assert f"since {(AT + 2 * WITHIN).isoformat()}" in action.detail
        assert held(estate.look(3 * WITHIN, read)).reason == "not-converged"


@STEP
class TestACopyThatIsAway:
    def test_an_outage_of_hours_costs_no_attempts(self, name: str):
        estate = Estate(name)
        for minutes in range(0, 700, 5):
            assert isinstance(estate.look(timedelta(minutes=minutes), AWAY), Wait)
            assert not estate.run[MIGRATION].tries
        estate.look(timedelta(minutes=700), {})
        assert estate.done

    def test_one_that_comes_back_late_is_told_as_late(self, name: str):
        estate = Estate(name)
        assert "dc02.corp.example cannot be read" in estate.look(timedelta(0), AWAY).detail
        action = estate.look(timedelta(hours=1), LATE)
        assert isinstance(action, Wait)
        assert action.news
        assert "dc02.corp.example does not show" in action.detail
        assert action.until == AT + WITHIN

    def test_what_only_a_person_can_mend_holds_at_once(self, name: str):
        fault = {"kind": "permanent", "code": "access-denied", "message": "access denied", "reached": True}
        assert held(Estate(name).look(timedelta(0), {"faults": {"dc02": fault}})).reason == "fault"


THREE = [{"HostName": f"dc0{number}.corp.example"} for number in (1, 2, 3)]
UNNAMED = {"estate": {"directory": {"endpoint": "dc01.corp.example", "server": "dc01.corp.example"}}}


@STEP
class TestWhereThePlanNamesNone:
    def _estate(self, name: str, *known: str) -> Estate:
        return Estate(name, **UNNAMED, known_controllers=[f"{one}.corp.example" for one in known])

    def test_one_that_was_added_must_agree_too(self, name: str):
        estate = self._estate(name, "dc01", "dc02")
        action = estate.look(timedelta(0), {"controllers": THREE, "copies": {"dc03": {"pair": "broken"}}})
        assert isinstance(action, Wait), action
        assert "dc03.corp.example does not show" in action.detail
        assert estate.run.controllers == tuple(one["HostName"] for one in THREE)

    def test_one_that_was_demoted_is_waited_for_no_longer(self, name: str):
        estate = self._estate(name, "dc01", "dc02", "dc03")
        away = {"faults": {"dc03": {}}}
        assert isinstance(estate.look(timedelta(0), {"controllers": THREE, **away}), Wait)
        estate.look(timedelta(hours=1), {"controllers": THREE[:2], **away})
        assert estate.done
        assert "dc03.corp.example" not in estate.run.controllers

    def test_one_that_became_read_only_never_takes_part(self, name: str):
        estate = self._estate(name, "dc01", "dc02")
        estate.look(timedelta(0), {"controllers": [THREE[0], {**THREE[1], "IsReadOnly": True}], **LATE})
        assert estate.done

    def test_the_same_ones_are_written_down_once(self, name: str):
        estate = self._estate(name, "dc02", "DC01")
        estate.look(timedelta(0), {"controllers": THREE[:2]})
        assert estate.run.controllers == ("dc02.corp.example", "DC01.corp.example")
