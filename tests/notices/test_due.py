"""What is to be told at a moment: approvals before the night, windows that went by, and no old news."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from orchestrator.engine.waves import admissible
from orchestrator.model.event import Admitted, Held, Moved, Released
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.words import Approved
from orchestrator.notices import due, numbered
from tests.world import ROOT

FRIDAY = datetime(2026, 3, 6, 12, tzinfo=UTC)
WINDOW = {"days": ["sat"], "open": "22:00", "close": "04:00", "zone": "UTC"}
CLOSED = datetime(2026, 3, 8, 4, tzinfo=UTC)


class Desk:
    """A run of the quick start's first wave, to whose rows a test adds what happens."""

    def __init__(self, **wave):
        data = yaml.safe_load((ROOT / "plans" / "quickstart.yaml").read_text(encoding="utf-8"))
        data["waves"][0] |= {"window": WINDOW} | wave
        self.plan = Plan.model_validate(data)
        self.wave = self.plan.waves[0]
        self.ids = [migration.id for migration in self.wave.migrations]
        self.run = RunState(self.plan.name, digest="d" * 64)

    def happens(self, *events, at=FRIDAY):
        for event in events:
            self.run.apply(event, at)

    def prepared(self, at=FRIDAY):
        moved = {"trigger": Trigger.PREPARE, "source": Phase.PLANNED, "dest": Phase.PREPARED}
        self.happens(*(Moved(migration=id_, **moved) for id_ in self.ids), at=at)

    def due(self, at, *, ids=None):
        answers = admissible(self.run, self.plan, at)
        return due(self.run, self.plan, at, self.ids if ids is None else ids, answers)

    def told(self, at):
        found = self.due(at)
        for one in found:
            self.run.apply(numbered(self.run, one), at)
        return [(one.occasion, one.reason, one.about) for one in found]


def test_approval_is_asked_for_once_something_stands_before_the_gate_and_before_the_window():
    desk = Desk(approvals={"start": 2})
    assert desk.due(FRIDAY) == []
    desk.prepared()
    (asked,) = desk.due(FRIDAY)
    assert (asked.occasion, asked.wave, asked.reason) == ("approval-needed", "pilot", "start")
    assert asked.migrations == tuple(desk.ids)
    assert "2 " in asked.detail
    assert "--wave pilot --gate start" in asked.todo
    assert desk.told(FRIDAY) == [("approval-needed", "start", "d" * 12)]
    assert desk.told(FRIDAY + timedelta(days=1)) == []


def test_another_plan_needs_approval_anew():
    desk = Desk(approvals={"start": 1})
    desk.prepared()
    assert len(desk.told(FRIDAY)) == 1
    desk.run.digest = "e" * 64
    assert desk.told(FRIDAY) == [("approval-needed", "start", "e" * 12)]


def test_nobody_is_asked_where_nobody_must_agree_or_everything_is_held():
    assert [one.occasion for one in _prepared(Desk()).due(FRIDAY)] == []
    desk = _prepared(Desk(approvals={"start": 1}))
    desk.happens(*(Held(migration=id_, reason="fault", detail="x", release="y") for id_ in desk.ids))
    assert {one.occasion for one in desk.due(FRIDAY)} == {"held"}


def _prepared(desk):
    desk.prepared()
    return desk


def test_a_window_that_closed_before_all_were_through_is_told_once_with_when_it_opens_again():
    desk = _prepared(Desk())
    assert desk.due(FRIDAY) == []
    assert desk.due(CLOSED - timedelta(minutes=1)) == []  # open
    (missed,) = desk.due(CLOSED + timedelta(minutes=1))
    assert (missed.occasion, missed.reason, missed.about) == ("window-missed", "start", CLOSED.isoformat())
    assert missed.migrations == tuple(desk.ids)
    assert "closed at 2026-03-08 04:00 UTC before 2 of 2 were through" in missed.detail
    assert "opens again at 2026-03-14 22:00 UTC" in missed.detail
    assert len(desk.told(CLOSED + timedelta(hours=30))) == 1
    assert desk.told(CLOSED + timedelta(days=2)) == []
    assert desk.told(CLOSED + timedelta(days=6, minutes=-1)) == []  # open again since two hours
    assert desk.told(CLOSED + timedelta(days=7, minutes=1)) == [
        ("window-missed", "start", (CLOSED + timedelta(days=7)).isoformat())
    ]


def test_who_came_to_the_gate_after_the_window_had_closed_has_not_missed_it():
    desk = Desk()
    desk.prepared(at=CLOSED)
    assert desk.due(CLOSED + timedelta(hours=1)) == []


def test_only_who_stood_there_has_missed_it():
    desk = _prepared(Desk())
    desk.happens(Admitted(migration=desk.ids[0], step=Trigger.START), at=CLOSED - timedelta(hours=1))
    desk.happens(
        Moved(migration=desk.ids[0], trigger=Trigger.START, source=Phase.PREPARED, dest=Phase.STARTED),
        at=CLOSED - timedelta(minutes=30),
    )
    found = {one.occasion: one.migrations for one in desk.due(CLOSED + timedelta(hours=1))}
    assert found["window-missed"] == (desk.ids[1],)


def test_a_window_that_was_kept_shut_by_a_blackout_was_not_missed():
    desk = _prepared(Desk(blackout=[{"from": "2026-03-07", "to": "2026-03-08", "reason": "freeze"}]))
    assert [one.occasion for one in desk.due(CLOSED + timedelta(hours=1))] == []


def test_without_the_time_no_window_was_missed():
    assert _prepared(Desk()).due(None) == []


@pytest.mark.parametrize(("reason", "occasion"), [
    ("fault", "held"),
    ("operator", "held"),
    ("undone", "held"),
    ("original-missing", "original-missing"),
    ("guard:original-present", "original-missing"),
])  # fmt: skip
def test_a_hold_is_told_by_its_reason(reason, occasion):
    desk = Desk()
    desk.happens(Held(migration=desk.ids[0], reason=reason, detail="because", release="do it"))
    (one,) = desk.due(FRIDAY)
    assert (one.occasion, one.reason, one.todo) == (occasion, reason, "do it")


def test_what_goes_back_by_itself_says_so_instead_of_sending_somebody():
    desk = Desk(on_failure="undo")
    desk.prepared()
    desk.happens(Held(migration=desk.ids[0], reason="fault", detail="because", release="mend it"))
    (one,) = desk.due(FRIDAY)
    assert "goes back by itself" in one.todo
    assert "mend it" not in one.todo


def test_a_hold_of_yesterday_is_told_and_one_of_last_week_is_not():
    desk = Desk()
    desk.happens(Held(migration=desk.ids[0], reason="fault", detail="because", release="mend it"))
    assert len(desk.due(FRIDAY + timedelta(hours=23))) == 1
    assert desk.due(FRIDAY + timedelta(days=7)) == []


def test_a_hold_that_came_again_is_told_again():
    desk = Desk()
    hold = Held(migration=desk.ids[0], reason="fault", detail="because", release="mend it")
    desk.happens(hold)
    assert len(desk.told(FRIDAY)) == 1
    assert desk.told(FRIDAY) == []
    desk.happens(Released(migration=desk.ids[0], by="x", reason="y"), hold)
    assert len(desk.told(FRIDAY)) == 1


def test_holds_of_one_wave_and_reason_are_one_and_of_another_reason_another():
    desk = Desk()
    one, other = desk.ids
    desk.happens(Held(migration=one, reason="fault", detail="because", release="mend it"))
    desk.happens(Held(migration=other, reason="fault", detail="why not", release="mend that"))
    (both,) = desk.due(FRIDAY)
    assert both.migrations == (one, other)
    assert "because" in both.detail
    desk.happens(Held(migration=other, reason="clock", detail="why not", release="mend that"))
    assert [single.migrations for single in desk.due(FRIDAY)] == [(one,), (other,)]


def test_only_what_has_changed_is_looked_at():
    desk = Desk()
    desk.happens(Held(migration=desk.ids[0], reason="fault", detail="because", release="mend it"))
    assert desk.due(FRIDAY, ids=[desk.ids[1]]) == []


def approved(desk, by, at):
    words = {"wave": "pilot", "gate": "start", "by": by, "digest": desk.run.digest, "given": at, "reason": ""}
    return Approved.model_validate({name: words[name] for name in words if name in Approved.model_fields})


def test_who_has_approved_is_said_and_nobody_is_asked_once_enough_have():
    desk = Desk(approvals={"start": 2, "valid_for": "2d"})
    desk.prepared()
    desk.happens(approved(desk, "ann", FRIDAY))
    (asked,) = desk.due(FRIDAY)
    assert "ann" in asked.detail
    desk.happens(approved(desk, "bob", FRIDAY))
    assert desk.due(FRIDAY) == []


def test_an_approval_that_lapses_is_asked_for_anew_and_only_once():
    desk = Desk(approvals={"start": 1, "valid_for": "2d"})
    desk.prepared()
    assert len(desk.told(FRIDAY)) == 1
    desk.happens(approved(desk, "ann", FRIDAY))
    assert desk.told(FRIDAY + timedelta(days=1)) == []
    too_early = FRIDAY + timedelta(days=3)  # an approval given now would not last until the next window
    assert desk.told(too_early) == []
    later = FRIDAY + timedelta(days=7)
    ((occasion, gate, about),) = [one for one in desk.told(later) if one[0] == "approval-needed"]
    assert (occasion, gate) == ("approval-needed", "start")
    assert about == f"{'d' * 12} {(FRIDAY + timedelta(days=2)).isoformat()}"
    assert [one for one in desk.told(later + timedelta(hours=1)) if one[0] == "approval-needed"] == []
