"""Versions of the vocabulary: rows of earlier ones read as this one's, rows of later ones end in words."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest

from orchestrator.errors import Exit
from orchestrator.model.before import HostSnapshotTaken, PoolBefore, SnapshotTaken, TaskBefore
from orchestrator.model.driven import RunnerLeft
from orchestrator.model.event import VERSION, Moved, WayBackAsked, from_body, to_body
from orchestrator.model.lifecycle import Phase, Trigger, Way
from orchestrator.model.replay import RowUnreadable, event_of, fold_in
from orchestrator.model.run import RunState
from orchestrator.model.upcast import EventUnknown, unchanged_since, upcast

AT = datetime(2026, 3, 2, tzinfo=UTC)


def row(kind, body, version=VERSION, seq=7, run="r"):
    return SimpleNamespace(run=run, seq=seq, at=AT, kind=kind, version=version, body=body)


@pytest.mark.parametrize("version", range(1, VERSION + 1))
def test_a_row_of_every_version_so_far_is_read(version):
    assert from_body("runner-left", {"reason": "told to stop"}, version) == RunnerLeft(reason="told to stop")


@pytest.mark.parametrize(
    ("kind", "body", "version", "why"),
    [
        ("runner-left", {"reason": "x"}, VERSION + 1, f"of version {VERSION + 1} of the vocabulary"),
        ("runner-left", {"reason": "x"}, 0, "no vocabulary of events ever had version 0"),
        ("moved-by-magic", {}, VERSION, "has no kind 'moved-by-magic'"),
        ("runner-left", {"reason": "x", "mood": "good"}, VERSION, "has no such mood"),
        ("runner-left", {}, VERSION, "has no such reason"),
        (
            "moved",
            {"migration": "a", "trigger": "hop", "source": "planned", "dest": "prepared"},
            1,
            "has no such trigger",
        ),
    ],
)
def test_what_cannot_be_read_is_said_in_words_with_its_row(kind, body, version, why):
    with pytest.raises(EventUnknown, match=why):
        from_body(kind, body, version)
    with pytest.raises(RowUnreadable, match=why) as raised:
        event_of(row(kind, body, version))
    assert raised.value.exit_code is Exit.INVALID
    assert (raised.value.seq, raised.value.kind, raised.value.version) == (7, kind, version)
    assert str(raised.value).startswith(f"row 7 of the journal ({kind}, version {version}) cannot be read: ")
    assert "Nothing was written, and nothing is sent." in str(raised.value)
    assert "upgrade dmsa" in str(raised.value)


def test_a_row_that_cannot_have_happened_is_no_defect_either():
    state = RunState("r")
    asked = WayBackAsked(migration="a", way=Way.UNDO, by="x")
    with pytest.raises(RowUnreadable, match=r"row 7 .* cannot have happened after the rows before it: ") as raised:
        fold_in(state, row(asked.kind, to_body(asked)))
    assert raised.value.exit_code is Exit.INVALID
    assert state == RunState("r")


def test_what_is_read_is_folded_in_and_told():
    state = RunState("r")
    moved = Moved(migration="a", trigger=Trigger.PREPARE, source=Phase.PLANNED, dest=Phase.PREPARED)
    assert fold_in(state, row(moved.kind, to_body(moved), version=1)) == moved
    assert state["a"].phase is Phase.PREPARED
    assert state.last_at == AT


# How a change of meaning is written down: these are what the next ones will look like.

RENAMED_AND_REFINED = {
    (1, "runner-gone"): lambda body: ("runner-left", {"why": body["cause"]}),
    (2, "runner-left"): lambda body: ("runner-left", {"reason": body["why"].lower()}),
    (4, "runner-left"): lambda _body: ("never", {}),
}


@pytest.mark.parametrize(
    ("kind", "body", "version"),
    [
        ("runner-gone", {"cause": "DONE"}, 1),
        ("runner-left", {"why": "DONE"}, 2),
        ("runner-left", {"reason": "done"}, 3),
    ],
)
def test_a_row_is_led_through_every_version_between(kind, body, version):
    before = dict(body)
    assert upcast(kind, body, version, 3, RENAMED_AND_REFINED) == ("runner-left", {"reason": "done"})
    assert body == before, "the row itself stays what was written"


def test_schemas_know_since_when_a_kind_is_as_it_is():
    assert unchanged_since("runner-left", 3, RENAMED_AND_REFINED) == 3
    assert unchanged_since("runner-left", 5, RENAMED_AND_REFINED) == 5
    assert unchanged_since("moved", 5, RENAMED_AND_REFINED) == 1


def test_a_snapshot_from_before_log_on_names_says_what_was_not_asked():
    host = {"computer_name": "APP01", "key_exists": True, "value": None, "tasks": {r"\T": "Ready"}}
    body = {"migration": "a", "account_guid": str(UUID(int=1)), "account": {}, "dmsa": None, "sha256": "0"}
    taken = from_body("snapshot-taken", {**body, "hosts": {"app01": {**host, "app_pools": {"Web": "Started"}}}}, 2)
    assert isinstance(taken, SnapshotTaken)
    assert taken.hosts["app01"].tasks[r"\T"] == TaskBefore(state="Ready")
    assert taken.hosts["app01"].app_pools["Web"] == PoolBefore(state="Started")
    assert {"nTSecurityDescriptor", "log-on name"} < set(taken.unasked)
    joined = from_body("host-snapshot-taken", {"migration": "a", "host": "app01", "before": host, "sha256": "0"}, 1)
    assert isinstance(joined, HostSnapshotTaken)
    assert joined.before.tasks[r"\T"].state == "Ready"
