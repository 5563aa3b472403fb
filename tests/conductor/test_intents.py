"""No write leaves without its intent on disk, not even when the journal or the lease is lost in mid-air."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import tests.world
from orchestrator.errors import SafetyRefusal
from orchestrator.journal import Entry, JournalUnusable, Lease, LeaseLost
from orchestrator.journal.memory import MemoryJournal
from orchestrator.model.call import Write
from orchestrator.model.event import AttemptFinished, AttemptStarted
from orchestrator.model.lifecycle import Phase
from orchestrator.model.observation import Outcome
from tests.world import Doom, World

LATEST = 60


class FailingJournal:
    """A handle whose appends fail from the *n*-th on."""

    n = 0
    error: type[Exception] = LeaseLost

    def __init__(self, inner: MemoryJournal, _doom: Doom) -> None:
        self._inner, self._appends = inner, 0

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        self._appends += 1
        if self._appends >= self.n:
            raise (
                LeaseLost(1, 2, "another")
                if self.error is LeaseLost
                else JournalUnusable("journal.db", "the disk is full", "")
            )
        return self._inner.append(entries, expected=expected, lease=lease)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def two_on_one_host(plan: dict[str, Any]) -> None:
    migrations = [one for wave in plan["waves"] for one in wave["migrations"]]
    names = {"dmsa-batch", "dmsa-erp"}
    plan["waves"] = [{"name": "only", "migrations": [one for one in migrations if one["dmsa"]["name"] in names]}]


def writes(world: World) -> set[str]:
    """The pipelines of all writes that arrived."""
    reading = {"Get", "Test"}
    return {str(one.pipeline) for one in world.record if one.statements[0][0].name.partition("-")[0] not in reading}


def intended(world: World) -> set[str]:
    return {str(event.pipeline) for event in world.events() if isinstance(event, AttemptStarted)}


@pytest.mark.parametrize(("error", "last"), [(LeaseLost, False), (LeaseLost, True), (JournalUnusable, False)])
def test_nothing_is_sent_once_nothing_can_be_written(monkeypatch, error, last):
    monkeypatch.setattr(tests.world, "MortalJournal", FailingJournal)
    monkeypatch.setattr(FailingJournal, "error", error)
    for n in range(1, LATEST, 4):
        monkeypatch.setattr(FailingJournal, "n", n)
        world = World(change_plan=two_on_one_host)
        with pytest.raises(error):
            world.run(choose=lambda waiting: waiting - 1 if last else 0)
        assert writes(world) <= intended(world), f"from append {n} on"


@pytest.mark.parametrize("at", [2, 3, 6, 9, 12])
def test_a_refusal_of_the_gate_stops_everything_at_once(monkeypatch, at):
    """What the turn had decided on besides is not sent either; the next run looks and goes on."""
    world = World(change_plan=two_on_one_host)
    on_their_way: set[str] = set()
    checked = []

    def check(call: Any) -> None:
        if isinstance(call, Write):
            checked.append(call)
            if len(checked) == at:
                on_their_way.update(intended(world))
                raise SafetyRefusal("not in the catalogue")

    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.conductor.conductor.check", check)
        with pytest.raises(SafetyRefusal):
            world.run()
    assert writes(world) <= on_their_way
    assert world.state().refused == "not in the catalogue"
    world.run()
    assert set(world.phases().values()) == {Phase.COMPLETED}
    assert len(world.arrived("New-ADServiceAccount")) == 2
    assert len(world.arrived("Start-ADServiceAccountMigration")) == 2


class SpokenOver:
    """A handle before whose every *n*-th append somebody else has appended."""

    n = 0

    def __init__(self, inner: MemoryJournal, _doom: Doom) -> None:
        self._inner, self._appends = inner, 0

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        self._appends += 1
        if self._appends % self.n == 0:
            self._inner.append(
                [Entry("another", None, "runner-left", 1, {"reason": "done"})], expected=self._inner.head(), lease=None
            )
        return self._inner.append(entries, expected=expected, lease=lease)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("together", [1, 3, None])
@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_an_outcome_survives_that_somebody_else_was_faster(monkeypatch, n, together):
    """What a call did cannot be decided anew: it is written down, once, with the next turn."""
    monkeypatch.setattr(tests.world, "MortalJournal", SpokenOver)
    monkeypatch.setattr(SpokenOver, "n", n)
    world = World(change_plan=two_on_one_host)
    live = world.run(together=together)
    assert live.migrations == world.state().migrations
    assert set(world.phases().values()) == {Phase.COMPLETED}
    finished = [event.outcome for event in world.events() if isinstance(event, AttemptFinished)]
    assert finished == [Outcome.SUCCEEDED] * len(intended(world))
    assert writes(world) == intended(world)
