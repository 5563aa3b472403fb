"""The switch of a host, counted over the runs of one journal: whatever the interleaving, its value is always right."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model.before import HostBefore
from orchestrator.model.event import VERSION, Event, Released, to_body
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.observation import Outcome
from orchestrator.model.replay import RowUnreadable, fold_in
from orchestrator.model.run import RunState
from orchestrator.model.switches import SPEAKING, User
from orchestrator.model.words import HostReleased
from tests.model.test_fold import HOST, done, finished, snapshot, started

AT = datetime(2026, 3, 2, tzinfo=UTC)
RUNS = ("farm", "mail")
USERS = tuple(User(run, id_) for run in RUNS for id_ in ("a", "b"))
"""Two plans, each with migrations of the same names."""


@dataclass(frozen=True)
class Row:
    """A row as a journal keeps it."""

    seq: int
    run: str
    kind: str
    body: dict[str, Any]
    at: datetime | None = AT
    version: int = VERSION


@dataclass
class Desk:
    """A journal, every plan's view of it, and the host as it is."""

    value: int | None
    rows: list[Row] = field(default_factory=list)
    views: dict[str, RunState] = field(default_factory=lambda: {run: RunState(run) for run in RUNS})

    def say(self, run: str, event: Event, version: int = VERSION) -> None:
        self.rows.append(Row(len(self.rows) + 1, run, event.kind, to_body(event), version=version))
        for view in self.views.values():
            fold_in(view, self.rows[-1])

    def act(self, user: User, what: str) -> None:
        """Let a migration do what its steps do; what a runner decides on is its own plan's view alone."""
        run, id_ = user
        view = self.views[run]
        match what:
            case "snapshot":
                self.say(run, snapshot(id_, self.value))
            case "set" if self.value == 1:
                self.say(run, done(Trigger.REGISTRY, HOST, id_, registry="was-set"))
            case "set":
                self.say(run, started(id_, HOST, "New-ItemProperty", step=Trigger.REGISTRY))
                self.value = 1
                self.say(run, finished(id_, HOST))
                self.say(run, done(Trigger.REGISTRY, HOST, id_, registry="set"))
            case "leave" if view.needed_elsewhere(HOST, id_):
                self.say(run, done(Trigger.RESTORE, HOST, id_, registry="kept"))
            case "leave":
                before = view.original(HOST, id_)
                assert before is not None
                self.say(run, started(id_, HOST, "Remove-ItemProperty", step=Trigger.RESTORE))
                self.value = before.value
                self.say(run, finished(id_, HOST))
                self.say(run, done(Trigger.RESTORE, HOST, id_, registry="restored"))
            case "again":
                self.say(run, Released(migration=id_, by="x", reason="y", forward=True))


ORDERS = st.permutations([user for user in USERS for _ in range(6)])


@settings(max_examples=300, deadline=None)
@given(ORDERS, st.sampled_from([None, 0, 1]), st.integers(0, 6 * len(USERS) - 1))
def test_any_interleaving_of_runs_leaves_what_was_there(order, original, looked):
    desk = Desk(original)
    todo = {user: ["snapshot", "set", "leave"] * 2 for user in USERS}
    users: set[User] = set()
    for number, user in enumerate(order):
        what = todo[user].pop(0)
        desk.act(user, what)
        users = users | {user} if what == "set" else users - {user} if what == "leave" else users
        assert desk.value == (1 if users else original)
        for run, view in desk.views.items():
            assert {one for one in USERS if one.run == run and view.needs(HOST, one.migration)} == {
                one for one in users if one.run == run
            }
            assert view.needed_elsewhere(HOST, "a") == {view.named(one) for one in users - {User(run, "a")}}
            if number in {looked, len(order) - 1}:
                again = RunState(run)
                for row in desk.rows:
                    fold_in(again, row)
                assert again == view, "a replay gives the live state"
    assert {run: view.switches for run, view in desk.views.items()} == dict.fromkeys(RUNS, desk.views["farm"].switches)
    assert not desk.views["mail"].switches.uses


def test_others_are_named_by_their_plan():
    desk = Desk(0)
    for user in USERS:
        desk.act(user, "snapshot")
        desk.act(user, "set")
    assert desk.views["farm"].needed_elsewhere(HOST.upper(), "a") == {"b", "mail/a", "mail/b"}
    assert desk.views["mail"].needed_elsewhere(HOST, "a") == {"b", "farm/a", "farm/b"}


def test_what_another_plan_is_putting_back_is_known_until_its_end_is():
    desk = Desk(None)
    desk.act(USERS[0], "snapshot")
    desk.act(USERS[0], "set")
    desk.say("farm", started("a", HOST, "Remove-ItemProperty", step=Trigger.RESTORE))
    seen = desk.views["mail"].switches
    assert seen.restoring == {HOST: USERS[0]}
    desk.say("mail", started("a", HOST, "Restart-Service", step=Trigger.RESTART))
    desk.say("mail", finished("a", HOST))
    assert seen.restoring == {HOST: USERS[0]}, "another's write that ends is not this one"
    desk.say("farm", finished("a", HOST, Outcome.UNKNOWN))
    assert seen.restoring == {HOST: USERS[0]}
    assert not seen.restored_at
    desk.say("farm", finished("a", HOST))
    assert (seen.restoring, seen.restored_at) == ({}, {HOST: AT})


def test_a_host_of_another_plan_that_is_gone_is_no_longer_needed_there():
    desk = Desk(0)
    for user in (USERS[0], USERS[2]):
        desk.act(user, "snapshot")
        desk.act(user, "set")
    desk.say("mail", HostReleased(migration="a", host=HOST, by="x", reason="y"))
    assert desk.views["farm"].needed_elsewhere(HOST, "a") == frozenset()


def test_a_row_of_another_run_that_cannot_be_read_is_remembered_and_ends_nothing():
    view = RunState("farm")
    fold_in(view, Row(1, "mail", "approved", {"by": "z"}, version=VERSION + 1))
    fold_in(view, Row(2, "mail", "moved-by-magic", {}))
    assert view.switches.unread == f"row 1 (approved, version {VERSION + 1}) of the run mail"
    with pytest.raises(RowUnreadable):
        fold_in(view, Row(3, "farm", "approved", {"by": "z"}, version=VERSION + 1))


def test_of_another_run_only_what_speaks_of_switches_is_read():
    view = RunState("farm")
    fold_in(view, Row(1, "mail", "held", {"what": "this is no hold"}))
    assert view == RunState("farm")
    assert {event.model_fields["kind"].default for event in SPEAKING} == {
        *("snapshot-taken", "host-snapshot-taken", "host-released"),
        *("attempt-started", "attempt-finished", "attempt-settled", "subject-done"),
    }


def test_a_copy_goes_on_by_itself():
    view = RunState("farm")
    view.apply(snapshot("a", 0), AT)
    other = view.copied()
    other.apply(done(Trigger.REGISTRY, HOST, "a", registry="was-set"), AT)
    assert other.needs(HOST, "a")
    assert not view.needs(HOST, "a")
    assert isinstance(view.original(HOST, "a"), HostBefore)
