"""The proof is in the journal: from its rows alone a reader learns why Complete was legal, or would see why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from orchestrator.model.lifecycle import Phase, Way
from orchestrator.views.status import iso, status_document
from tests.conductor.test_amendment import ID, NEW, OLD, joins, short, third_host
from tests.conductor.test_hosts_missing import Between, logs_on
from tests.conductor.test_hosts_missing import world as missing
from tests.proof import Told, objections, proofs
from tests.world import World


def rows(one: World) -> list[Told]:
    return [Told(row.kind, row.at, row.body) for row in one.journal.read(run=one.plan.name)]


def plain() -> World:
    one = World()
    one.run()
    return one


def added() -> World:
    one = missing(NEW)
    one.run([ID])
    return one


def amended() -> World:
    one = World(change_plan=short, change_estate=third_host)
    one.run([ID], until=Phase.SOAKED)
    one.amend(joins)
    one.run([ID])
    return one


def undone() -> World:
    one = World(change_plan=short, change_estate=third_host)
    one.run([ID])
    one.ask_back(Way.UNDO, [ID])
    one.run([ID])
    one.release(ID, forward=True)
    one.run([ID])
    return one


def vanished() -> World:
    """A stranger came between reading and writing, was taken off by hand, and a person said that it is not missed."""
    one = missing(NEW)
    one.run([ID], until=Phase.RESTARTED, doom=Between(one, logs_on(one, "old07.corp.example")))
    one.run([ID])
    directory, machine = one.estate.directory, one.estate.machine("old07.corp.example")
    for service in machine.services.values():
        one.estate.workloads.stop_service(service)
    replica = directory.replicas["dc01.corp.example"]
    dmsa = replica.account(f"{ID}$")
    name = "msDS-GroupMSAMembership"
    kept = tuple(sid for sid in dmsa.texts(name) if sid != replica.account("OLD07$").sid)
    directory.write("dc01.corp.example", dmsa.guid, {name: kept})
    one.release(ID)
    assert one.run([ID])[ID].held.reason == "guard:ledger-flat"
    one.release(ID)
    one.run([ID])
    return one


STORIES: dict[str, Callable[[], World]] = {
    story.__name__: cache(story) for story in (plain, added, amended, undone, vanished)
}
"""Each is told once: nothing here changes what it left behind."""


@pytest.mark.parametrize("story", STORIES)
def test_every_complete_was_legal_by_the_rows_alone(story):
    one = STORIES[story]()
    for id_ in one.ids:
        if one.state()[id_].phase is Phase.COMPLETED:
            assert proofs(rows(one), id_)
            assert objections(rows(one), id_) == []
    assert one.state()[ID].phase is Phase.COMPLETED, one.state()[ID].held


@pytest.mark.parametrize("story", STORIES)
def test_the_rows_the_state_and_the_status_tell_the_same(story):
    """What the fold remembers, and status shows, is what a reader of the rows finds."""
    one = STORIES[story]()
    proof = proofs(rows(one), ID)[-1]
    state = one.state()[ID]
    assert state.dwell_started == proof.began
    assert dict(state.ledger.first_seen) == proof.seen
    document = status_document(one.state(), one.plan, "0" * 64, state.since)
    shown = next(m for wave in document["waves"] for m in wave["migrations"] if m["dmsa"] == ID)
    assert shown["dwell"]["started"] == iso(proof.began)
    assert shown["dwell"]["parts"]["converged"] == iso(proof.converged)
    assert shown["dwell"]["parts"]["allowed"] == iso(proof.allowed)
    assert shown["ledger"]["flat_since"] == iso(proof.flat)
    assert {host["name"] for host in shown["ledger"]["hosts"]} == proof.hosts


@pytest.mark.parametrize("story", STORIES)
def test_the_row_that_ends_the_soak_sums_it_up(story):
    one = STORIES[story]()
    told = [row for row in rows(one) if row.kind == "subject-done" and row.body["step"] == "soak"]
    said = next(row.body["evidence"] for row in reversed(told) if row.body["migration"] == ID)
    proof = proofs(rows(one), ID)[-1]
    assert said["dwell_started"] == proof.began.isoformat()
    assert said["dwell_parts"]["allowed"] == proof.allowed.isoformat()
    assert said["flat_since"] == proof.flat.isoformat()
    assert said["first_seen"] == {name: at.isoformat() for name, at in proof.seen.items()}
    assert set(said["ledger"]) == proof.present


def forged(change: Callable[[Told], Told | None]) -> list[str]:
    """Return what a reader objects to in a journal whose rows are changed, or left out."""
    told = [row for known in rows(STORIES["added"]()) if (row := change(known)) is not None]
    return objections(told, ID)


def _is(row: Told, kind: str, **body: Any) -> bool:
    mine = row.body.get("migration") == ID
    return mine and row.kind == kind and all(row.body.get(name) == value for name, value in body.items())


class TestAReaderWouldSee:
    """What a journal without one of its rows, or with another time in one, would lack."""

    def test_nothing_to_object_to_where_nothing_is_changed(self):
        assert forged(lambda row: row) == []

    def test_that_it_never_converged(self):
        assert forged(lambda row: None if _is(row, "moved", trigger="link") else row) == ["the dwell never began"]

    def test_that_a_host_was_not_asked_for_its_value(self):
        (said,) = forged(lambda row: None if _is(row, "subject-done", step="registry", subject=OLD) else row)
        assert OLD in said

    def test_that_a_host_was_never_on_the_list(self):
        def without(row: Told) -> Told:
            if not _is(row, "ledger-read"):
                return row
            keep = {name: [one for one in row.body[name] if one != NEW] for name in ("principals", "hosts_present")}
            return replace(row, body={**row.body, **keep})

        assert any(NEW in said for said in forged(without))

    def test_that_a_host_came_on_the_list_too_late(self):
        def late(row: Told) -> Told:
            late_read = _is(row, "ledger-read") and NEW in row.body["hosts_present"]
            return replace(row, at=row.at + timedelta(days=13)) if late_read else row

        assert len(forged(late)) == 2, "the dwell is too short, and so is the time it was flat"

    def test_that_somebody_else_was_on_it(self):
        def with_stranger(row: Told) -> Told:
            if not _is(row, "ledger-read"):
                return row
            return replace(row, body={**row.body, "principals": [*row.body["principals"], "old07"]})

        assert any("old07" in said for said in forged(with_stranger))

    def test_that_complete_came_too_early(self):
        cmdlet = "Complete-ADServiceAccountMigration"

        def early(row: Told) -> Told:
            return replace(row, at=row.at - timedelta(days=1)) if _is(row, "attempt-started", cmdlet=cmdlet) else row

        assert any("the dwell began" in said for said in forged(early))
