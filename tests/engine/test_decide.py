"""What is next for one subject, in the order in which it is decided."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestrator.engine.decide import after_end_shell, current_step, next_action, subjects
from orchestrator.model.action import Action, EndShell, Observe, Perform, Record, Wait
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import AttemptStarted, Held, Moved, RetryDue
from orchestrator.model.lifecycle import Pair, Trigger
from orchestrator.model.state import Attempt
from tests.cases import AT, MIGRATION, Situation, situation

START = "Start-ADServiceAccountMigration"
SETTLE = timedelta(seconds=60)
FAULT = {"kind": "transient", "code": "quota", "message": "busy"}


def lost(given: Situation, since: datetime | None = AT, **more: Any) -> Case:
    """Return the case with a Start whose outcome is unknown."""
    started = AttemptStarted(
        migration=MIGRATION,
        step=Trigger.START,
        subject="directory",
        endpoint="dc01.corp.example",
        cmdlet=START,
        parameters={},
        shell=UUID(int=7),
        pipeline=UUID(int=8),
        wish=Pair.STARTED,
    )
    attempt = Attempt(started, AT, unsettled=True, unsettled_since=since, **more)
    return replace(given.case, state=replace(given.case.state, open={"directory": attempt}))


def observe(given: Situation, case: Case | None = None) -> Seen:
    """Read until the engine asks for nothing more."""
    case, seen = case or given.case, None
    for _ in range(9):
        action = next_action(case, given.subject, seen)
        if not isinstance(action, Observe):
            break
        seen = given.far.seen(MIGRATION, action.reads, seen if action.more else None)
        seen = replace(seen, guarded=seen.guarded or action.guarded)
    assert seen is not None
    return seen


def decide(given: Situation) -> Action:
    """Return the first action that is more than a question."""
    return next_action(given.case, given.subject, observe(given))


def held(action: Action) -> Held:
    assert isinstance(action, Record)
    assert isinstance(action.events[-1], Held), action
    return action.events[-1]


def kinds(action: Action) -> list[str]:
    assert isinstance(action, Record), action
    return [event.kind for event in action.events]


def prepared(**facts: Any) -> Situation:
    return situation(
        {"state": {"phase": "prepared", "performed": [["directory", START, 1]], "sent": ["Start"]}, **facts}
    )


class TestUnknown:
    """An attempt of unknown outcome: end its shell, wait, look, and only then decide."""

    def test_first_the_shell_is_ended(self):
        action = next_action(lost(prepared()), "directory", None)
        assert action == EndShell("dc01.corp.example", UUID(int=7))

    def test_before_that_nothing_that_was_read_counts(self):
        given = prepared(read={"pair": "1/1"})
        assert isinstance(next_action(lost(given), "directory", observe(given)), EndShell)

    def test_then_the_settling_time(self):
        case = lost(prepared(), shell_ended=True)
        action = next_action(replace(case, at=AT + SETTLE - timedelta(seconds=1)), "directory", None)
        assert isinstance(action, Wait)
        assert (action.waiting_for, action.until) == ("settle", AT + SETTLE)

    def test_then_a_look(self):
        case = replace(lost(prepared(), shell_ended=True), at=AT + SETTLE)
        assert isinstance(next_action(case, "directory", None), Observe)

    def test_then_it_is_settled_and_then_what_was_read_decides(self):
        given = prepared(read={"pair": "1/1"})
        case = replace(lost(given, shell_ended=True), at=AT + SETTLE)
        seen = observe(given, case)
        assert kinds(next_action(case, "directory", seen)) == ["attempt-settled"]
        case.run.migrations[MIGRATION] = case.state
        for event in next_action(case, "directory", seen).events:
            case.run.apply(event, case.at)
        settled = Case.of(case.run, case.plan, MIGRATION, case.at)
        assert kinds(next_action(settled, "directory", seen)) == ["subject-done", "moved"]

    def test_where_nobody_knew_the_time_the_settling_counts_from_now(self):
        case = replace(lost(prepared(), since=None, shell_ended=True), at=AT)
        action = next_action(case, "directory", None)
        assert isinstance(action, Wait)
        assert action.until == AT + SETTLE

    def test_without_the_time_it_is_not_settled(self):
        for since in (None, AT):
            case = replace(lost(prepared(), since=since, shell_ended=True), at=None)
            assert isinstance(next_action(case, "directory", None), Wait)

    def test_a_shell_that_is_not_acknowledged_is_asked_about_again_and_then_held(self):
        case = lost(prepared())
        again = after_end_shell(case, "directory", acknowledged=False).events[0]
        assert isinstance(again, RetryDue)
        spent = replace(case, state=replace(case.state, tries={("directory", "read"): 4}))
        assert held(after_end_shell(spent, "directory", acknowledged=False)).reason == "unknown-outcome"

    def test_a_host_that_was_told_to_reboot_is_given_its_time(self):
        case = lost(prepared())
        attempt = case.state.open["directory"]
        told = replace(attempt, started=attempt.started.model_copy(update={"cmdlet": "Restart-Computer"}))
        away = replace(case, state=replace(case.state, open={"directory": told}, tries={("directory", "read"): 4}))
        soon = after_end_shell(replace(away, at=AT + timedelta(minutes=29)), "directory", acknowledged=False)
        assert kinds(soon) == ["retry-due"]
        assert soon.events[0].tries == 4
        late = after_end_shell(replace(away, at=AT + timedelta(minutes=30)), "directory", acknowledged=False)
        assert held(late).reason == "unknown-outcome"

    def test_a_shell_that_is_gone_is_written_down(self):
        assert kinds(after_end_shell(lost(prepared()), "directory", acknowledged=True)) == ["shell-ended"]


class TestReading:
    """What could not be read."""

    def test_a_transient_fault_is_tried_again(self):
        given = situation({"state": {"phase": "started"}, "read": {"faults": {"dc01": {}}}})
        action = decide(given)
        assert kinds(action) == ["retry-due"]
        assert (action.events[0].of, action.events[0].tries) == ("read", 1)
        assert action.events[0].until == AT + timedelta(seconds=5)

    def test_until_the_attempts_are_spent(self):
        state = {"phase": "started", "tries": {"directory read": 4}}
        hold = held(decide(situation({"state": state, "read": {"faults": {"dc01": {"message": "dc01 is away"}}}})))
        assert hold.reason == "retries-spent"
        assert hold.detail == "dc01 is away (tried 5 times)"

    @pytest.mark.parametrize("tries", [0, 3])
    def test_while_nobody_knows_the_time_it_waits_and_nothing_is_spent(self, tries):
        state = {"phase": "started", "tries": {"directory read": tries}}
        facts = {"at": None, "state": state, "read": {"faults": {"dc01": {"message": "dc01 is away"}}}}
        action = decide(situation(facts))
        assert action == Wait("retry", None, None, "dc01 is away")

    def test_what_was_spent_before_the_time_was_lost_is_held(self):
        state = {"phase": "started", "tries": {"directory read": 4}}
        hold = held(decide(situation({"at": None, "state": state, "read": {"faults": {"dc01": {"message": "away"}}}})))
        assert (hold.reason, hold.detail) == ("retries-spent", "away (tried 5 times)")

    def test_an_endpoint_without_room_is_no_failed_try(self):
        state = {"phase": "started", "tries": {"directory read": 4, "directory turned-away": 2}}
        full = {"dc01": {"message": "dc01 is full", "busy": True}}
        event = decide(situation({"state": state, "read": {"faults": full}})).events[0]
        assert (event.kind, event.tries, event.turned_away, event.fault.busy) == ("retry-due", 4, 3, True)
        assert event.until == AT + timedelta(seconds=20)

    def test_it_is_left_alone_for_as_long_as_it_asks(self):
        full = {"dc01": {"message": "dc01 is full", "busy": True, "after": 600}}
        event = decide(situation({"state": {"phase": "started"}, "read": {"faults": full}})).events[0]
        assert event.until == AT + timedelta(minutes=10)

    def test_that_it_was_never_reached_before_is_no_reason_to_refuse_it(self):
        full = {"app01": {"message": "app01 is overloaded", "busy": True, "after": 60}}
        facts = {"state": {"snapshot": False}, "read": {"dmsa": None, "faults": full}}
        event = decide(situation(facts)).events[0]
        assert (event.kind, event.turned_away) == ("retry-due", 1)

    def test_without_room_for_a_day_a_person_is_asked(self):
        state = {"phase": "started", "tries": {"directory turned-away": 299}}
        full = {"dc01": {"message": "dc01 is full", "busy": True}}
        hold = held(decide(situation({"state": state, "read": {"faults": full}})))
        assert (hold.reason, hold.detail) == ("retries-spent", "dc01 is full (turned away 300 times)")

    def test_while_nobody_knows_the_time_room_is_waited_for(self):
        full = {"dc01": {"message": "dc01 is full", "busy": True}}
        facts = {"at": None, "state": {"phase": "started"}, "read": {"faults": full}}
        assert decide(situation(facts)) == Wait("retry", None, None, "dc01 is full")

    def test_once_is_once(self):
        plan = {"retry": {"attempts": 1}}
        facts = {"plan": plan, "state": {"phase": "started"}, "read": {"faults": {"dc01": {"message": "dc01 is away"}}}}
        assert held(decide(situation(facts))).detail == "dc01 is away (tried once)"

    def test_a_permanent_one_is_held_at_once(self):
        fault = {"kind": "permanent", "code": "access-denied", "message": "no", "reached": True}
        hold = held(decide(situation({"state": {"phase": "started"}, "read": {"faults": {"dc02": fault}}})))
        assert (hold.reason, hold.detail) == ("fault", "dc02.corp.example: no")

    def test_of_two_the_permanent_one_is_told(self):
        faults = {"dc01": {}, "dc02": {"kind": "permanent", "message": "denied"}}
        assert "denied" in held(decide(situation({"state": {"phase": "started"}, "read": {"faults": faults}}))).detail

    def test_another_copy_that_is_away_is_waited_for_and_spends_nothing(self):
        """The pinned copy can be read; the other one is late, for whatever reason."""
        action = decide(situation({"state": {"phase": "started"}, "read": {"pair": "1/1", "faults": {"dc02": {}}}}))
        assert isinstance(action, Wait)
        assert (action.waiting_for, action.until) == ("replication", AT + timedelta(hours=12))

    def test_a_write_is_not_decided_on_while_another_copy_is_away(self):
        """The guards ask it too: before anything is changed it is an outage like any other."""
        given = situation({"state": {"phase": "soaked"}, "read": {"pair": "1/1", "faults": {"dc02": {}}}})
        assert kinds(decide(given)) == ["retry-due"]

    def test_recovered_once(self):
        given = situation({"state": {"phase": "started", "tries": {"directory read": 2}}, "read": {"pair": "1/1"}})
        action, case = decide(given), given.case
        assert kinds(action) == ["recovered"]
        case.run.apply(action.events[0], AT)
        after = Case.of(case.run, case.plan, MIGRATION, AT)
        assert kinds(next_action(after, "directory", observe(given, after))) == ["subject-done", "moved"]

    def test_never_reached_at_preflight_is_the_guard_s(self):
        facts = {
            "state": {"snapshot": False},
            "read": {"dmsa": None, "faults": {"app01": {"message": "app01 is away"}}},
        }
        hold = held(decide(situation(facts)))
        assert hold.reason == "guard:host-reachable"
        assert "app01 is away" in hold.detail

    def test_reached_and_busy_at_preflight_is_tried_again(self):
        fault = {"code": "quota", "message": "no shell to spare", "reached": True}
        facts = {"state": {"snapshot": False}, "read": {"dmsa": None, "faults": {"app01": fault}}}
        assert kinds(decide(situation(facts))) == ["retry-due"]

    def test_an_expected_absence_is_no_fault(self):
        state = {"phase": "linked", "performed": [["app01", "Restart-Computer", 1]]}
        given = situation({"subject": "app01", "state": state, "read": {"faults": {"app01": {}}}})
        action = decide(given)
        assert isinstance(action, Wait)
        assert action.waiting_for == "reboot"

    def test_an_object_that_is_not_there_is_an_answer(self):
        hold = held(decide(situation({"state": {"phase": "started"}, "read": {"account": None}})))
        assert hold.reason == "original-missing"

    def test_what_a_reply_does_not_say_is_held(self):
        facts = {"state": {"phase": "started"}, "read": {"account": {"ObjectGUID": "(absent)"}}}
        hold = held(decide(situation(facts)))
        assert (hold.reason, hold.detail) == ("fault", "ADUser came back without ObjectGUID")


class TestWriting:
    """What follows a write that failed, and what precedes one."""

    def test_a_failed_write_is_looked_at_before_it_is_repeated(self):
        state = {"phase": "prepared", "sent": ["Start"], "faults": [["directory", START, FAULT]]}
        assert isinstance(next_action(situation({"state": state}).case, "directory", None), Observe)

    @pytest.mark.parametrize("kind", ["transient", "permanent"])
    def test_a_fault_does_not_matter_if_the_write_landed(self, kind):
        state = {"phase": "prepared", "sent": ["Start"], "faults": [["directory", START, {**FAULT, "kind": kind}]]}
        assert kinds(decide(situation({"state": state, "read": {"pair": "1/1"}}))) == ["subject-done", "moved"]

    def test_a_transient_one_is_repeated_later(self):
        state = {"phase": "prepared", "sent": ["Start"], "faults": [["directory", START, FAULT]]}
        action = decide(situation({"state": state}))
        assert kinds(action) == ["retry-due"]
        assert action.events[0].of == "write"

    def test_a_permanent_one_is_held_with_its_own_words(self):
        fault = {**FAULT, "kind": "permanent", "message": "Access is denied", "remedy": "ask the owner"}
        hold = held(
            decide(
                situation({"state": {"phase": "prepared", "sent": ["Start"], "faults": [["directory", START, fault]]}})
            )
        )
        assert (hold.reason, hold.detail) == ("fault", "Access is denied")
        assert "ask the owner" in hold.release
        assert "dmsa release" in hold.release

    def test_what_never_takes_effect_is_not_written_for_ever(self):
        state = {"phase": "prepared", "sent": ["Start"], "performed": [["directory", START, 5]]}
        hold = held(decide(situation({"state": state})))
        assert hold.reason == "retries-spent"
        assert "was sent 5 times" in hold.detail

    def test_the_guards_are_asked_on_the_reading_that_the_write_is_decided_on(self):
        given = situation({"state": {"phase": "prepared"}})
        seen = observe(given)
        assert seen.guarded
        action = next_action(given.case, "directory", seen)
        assert isinstance(action, Perform)
        assert [event.kind for event in action.before] == ["guards-asked"]
        unguarded = replace(seen, guarded=False)
        again = next_action(given.case, "directory", unguarded)
        assert isinstance(again, Observe)
        assert again.guarded
        assert not again.more

    def test_a_refusal_is_written_down_and_held(self):
        given = situation(
            {"state": {"phase": "prepared"}, "read": {"account": {"ProtectedFromAccidentalDeletion": False}}}
        )
        action = decide(given)
        assert kinds(action) == ["guards-asked", "held"]
        assert held(action).reason == "guard:original-protected"

    def test_the_hold_names_every_subject_of_its_guard(self):
        hosts = [{"name": f"app0{n}.corp.example", "services": ["App"]} for n in (1, 2)]
        old = {"system": {"BuildNumber": "20348"}}
        facts = {"state": {"snapshot": False}, "plan": {"hosts": hosts}}
        hold = held(decide(situation({**facts, "read": {"dmsa": None, "hosts": {"app01": old, "app02": old}}})))
        assert hold.reason == "guard:host-capable"
        assert [line.partition(".")[0] for line in hold.detail.splitlines()] == ["app01", "app02"]

    def test_a_guard_that_nobody_answered_holds_too(self):
        facts = {"state": {"snapshot": False}, "read": {"dmsa": None, "schema": [{"objectVersion": "(absent)"}]}}
        hold = held(decide(situation(facts)))
        assert hold.reason == "guard:schema-version"

    def test_a_host_out_of_reach_does_not_keep_start_from_going_where_that_was_waived(self):
        waiver = {"guard": "host-reachable", "reason": "back on Monday", "approved_by": ["ann"]}
        facts = {"state": {"phase": "prepared"}, "read": {"faults": {"app01": {}}}}
        assert isinstance(decide(situation({**facts, "plan": {"waivers": [waiver]}})), Perform)
        assert kinds(decide(situation(facts))) == ["retry-due"]

    def test_a_token_that_is_not_shown_is_an_answer_and_no_fault(self):
        hold = held(decide(situation({"state": {"snapshot": False}, "read": {"dmsa": None, "token": None}})))
        assert hold.reason == "guard:operator-rights"

    def test_replication_that_is_ill_is_looked_at_until_it_may_take_no_longer(self):
        ill = {"read": {"dmsa": {}, "replication": {"dc02": {"failures": [{}]}}}}
        action = decide(situation({"state": {"phase": "prepared"}, **ill}))
        assert isinstance(action, Wait)
        until = AT + timedelta(hours=12)
        assert (action.waiting_for, action.until, action.again) == ("replication", until, AT + timedelta(seconds=30))
        late = {"phase": "prepared", "waits": {"directory": {"for": "replication", "until": AT}}}
        assert held(decide(situation({"state": late, **ill}))).reason == "guard:replication-healthy"

    def test_what_a_write_changes_has_its_own_time_to_replicate(self):
        given = situation({"state": {"phase": "prepared", "waits": {"directory": {"for": "replication", "until": AT}}}})
        action = decide(given)
        assert isinstance(action, Perform)
        given.case.run.apply(action.before[0], AT)
        assert not given.case.run[MIGRATION].deadlines

    def test_what_time_can_satisfy_is_waited_for(self):
        state = {"phase": "soaked", "sent": ["Start"], "ledger": {"first_seen": {"app01.corp.example": AT}}}
        state |= {"converged_at": AT, "registry_at": AT}
        state["ledger"] |= {"hosts": ["app01.corp.example"], "since": AT, "read_at": AT}
        read = {"pair": "1/1", "principals": ["app01.corp.example"], "hosts": {"app01": {"value": 1}}}
        action = decide(situation({"state": state, "read": read}))
        assert isinstance(action, Wait)
        assert (action.waiting_for, action.until) == ("dwell", AT + timedelta(days=14))

    def test_a_restart_that_would_outlast_the_window_waits_although_the_step_has_begun(self):
        night = {"days": ["mon", "tue"], "open": "08:00", "close": "12:04", "zone": "UTC"}
        state = {"phase": "registered", "baselines": {"app01": AT}, "performed": [["app02", "Restart-Service App", 1]]}
        given = situation({"subject": "app01", "state": state, "wave": {"window": night}})
        action = decide(given)
        assert isinstance(action, Wait)
        assert (action.waiting_for, action.until) == ("window", AT + timedelta(hours=20))
        back = {
            **state,
            "intention": "back",
            "way": "rollback",
            "phase": "restored",
            "touched": [["app01", "service", "App"]],
        }
        assert isinstance(decide(situation({"subject": "app01", "state": back, "wave": {"window": night}})), Perform)

    @pytest.mark.parametrize(
        ("state", "services", "sends"),
        [
            ("nothing was restarted yet", {"App": {"State": "Stopped"}}, None),
            ("the other is still to be restarted", {"App": {}, "Web": {}}, None),
            ("it is down after its restart", {"App": {"State": "Stopped"}, "Web": {}}, "App"),
        ],
    )
    def test_what_was_taken_down_is_brought_up_whatever_the_window(self, state, services, sends):
        night = {"days": ["mon"], "open": "08:00", "close": "11:00", "zone": "UTC"}
        known = {"phase": "registered", "baselines": {"app01": AT - timedelta(hours=1)}}
        known |= {} if state == "nothing was restarted yet" else {"touched": [["app01", "service", "App"]]}
        hosts = [{"name": "app01.corp.example", "services": list(services)}]
        read = {"hosts": {"app01": {"services": services}}}
        given = situation(
            {"subject": "app01", "state": known, "wave": {"window": night}, "plan": {"hosts": hosts}, "read": read}
        )
        action = decide(given)
        if sends is None:
            assert isinstance(action, Wait)
            assert (action.waiting_for, action.until) == ("window", AT + timedelta(days=6, hours=20))
        else:
            assert isinstance(action, Perform)
            assert action.write.statement.parameters["Name"] == sends

    def test_a_reboot_begins_only_if_the_restarts_after_it_fit_too(self):
        for close, sent in (("12:10", True), ("12:09", False)):
            night = {"days": ["mon"], "open": "08:00", "close": close, "zone": "UTC"}
            state = {"phase": "linked", "baselines": {"app01": AT}, "performed": [["app01", "New-ItemProperty X", 1]]}
            wave = {"window": night, "reboot": "after_registry"}
            read = {"hosts": {"app01": {"value": 1, "boot": "2026-03-01T00:00:00Z"}}}
            registry = {"app01": {}}
            given = situation({"subject": "app01", "state": state, "wave": wave, "read": read, "registry": registry})
            action = decide(given)
            assert isinstance(action, Perform if sent else Wait), action

    def test_a_restart_in_its_midst_waits_for_a_blackout_by_its_name(self):
        dark = [{"from": "2026-03-02", "to": "2026-03-02", "reason": "audit"}]
        state = {"phase": "registered", "baselines": {"app01": AT}, "performed": [["app02", "Restart-Service App", 1]]}
        action = decide(situation({"subject": "app01", "state": state, "wave": {"blackout": dark}}))
        assert isinstance(action, Wait)
        assert (action.waiting_for, action.until) == ("blackout", AT + timedelta(hours=12))
        assert "audit" in action.detail


class TestProgress:
    """Subjects, and what is written when one is done."""

    def test_groups_follow_each_other(self):
        hosts = [{"name": f"app0{n}.corp.example"} for n in (1, 2)]
        given = situation({"state": {"phase": "registered"}, "plan": {"hosts": hosts}})
        assert subjects(given.case) == ("app01.corp.example", "app02.corp.example")
        one = replace(given.case, state=replace(given.case.state, done=frozenset({"app01.corp.example"})))
        assert subjects(one) == ("app02.corp.example",)
        both = replace(given.case, state=replace(given.case.state, done=frozenset(subjects(given.case))))
        assert subjects(both) == ("directory",)

    def test_the_last_subject_moves_the_migration(self):
        hosts = [{"name": f"app0{n}.corp.example"} for n in (1, 2)]
        facts = {"subject": "app01", "plan": {"hosts": hosts}, "read": {"hosts": {"app01": {"value": 1}}}}
        assert kinds(decide(situation({**facts, "state": {"phase": "linked"}}))) == ["subject-done"]
        last = {"phase": "linked", "done": ["app02.corp.example"]}
        assert kinds(decide(situation({**facts, "state": last}))) == ["subject-done", "moved"]

    @pytest.mark.parametrize(("way", "more"), [("undo", ["held"]), ("rollback", [])])
    def test_undo_alone_holds_where_it_ends(self, way, more):
        state = {"phase": "completed", "intention": "back", "way": way, "wish": "1/1", "sent": ["Start", "Undo"]}
        state["done"] = ["directory"]
        state["reached"] = "1/1"
        action = decide(situation({"subject": "app01", "state": state}))
        assert kinds(action) == ["subject-done", "moved", *more]
        moved = next(event for event in action.events if isinstance(event, Moved))
        assert (moved.trigger, moved.dest) == ("undo", "reopened")
        if more:
            assert "--forward" in held(action).release

    def test_what_was_never_started_is_rolled_back_once_it_is_compared(self):
        state = {"phase": "prepared", "intention": "back", "way": "undo"}
        action = decide(situation({"state": state}))
        assert kinds(action) == ["compared", "subject-done", "moved"]
        assert action.events[-1].dest == "rolled_back"

    def test_nothing_is_next_where_only_a_person_moves_it(self):
        given = situation({"state": {"phase": "completed"}})
        assert current_step(given.case) is None
        assert subjects(given.case) == ()
        with pytest.raises(ValueError, match="has no next step"):
            next_action(given.case, "directory", None)

    def test_the_same_question_has_the_same_answer(self):
        given = situation({"state": {"phase": "prepared"}})
        seen = observe(given)
        assert next_action(given.case, "directory", seen) == next_action(given.case, "directory", seen)
