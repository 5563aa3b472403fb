"""Shells and take-overs: each is on disk before it is opened, a dead runner's are deleted first, none stays open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestrator.lab.command import Request, Result
from orchestrator.model.driven import ShellOpened
from orchestrator.model.event import AttemptStarted, ShellEnded
from orchestrator.model.lifecycle import Phase
from tests.conductor.test_weather import BATCH, HOST, SHORT, START, WAIVER
from tests.world import DC, Crash, Doom, World

EVERY = 7
"""Of the moments at which a process may die, every so manieth is tried here; ``tests.bench.kills`` tries them all."""


class Shelled(World):
    """A world that remembers in which order calls arrived and shells were deleted, and looks up each in the journal."""

    def _watch(self) -> None:
        self.log: list[tuple[str, str, UUID]] = []
        self._announced: dict[UUID, str] = {}
        self._read_up_to = 0
        execute, discard = self.estate.execute, self.estate.discard

        def witnessed(request: Request) -> Result:
            assert request.shell in self.announced(), f"{request.shell} is not in the journal"
            assert ("gone", "", request.shell) not in self.log, "the host does not know it any more"
            self.log.append(("call", request.host, request.shell))
            return execute(request)

        def deleted(shell: UUID) -> object:
            self.log.append(("gone", "", shell))
            return discard(shell)

        self.estate.execute = witnessed  # type: ignore[method-assign]
        self.estate.discard = deleted  # type: ignore[method-assign, assignment]

    def announced(self) -> dict[UUID, str]:
        """Return the shells that are in the journal, with their endpoints."""
        for row in self.journal.read(self._read_up_to):
            self._read_up_to = row.seq
            if row.kind == "shell-opened":
                self._announced[UUID(row.body["shell"])] = row.body["endpoint"]
        return self._announced

    def open(self) -> dict[UUID, str]:
        """Return the shells that calls were made in and nobody deleted."""
        gone = {shell for what, _, shell in self.log if what == "gone"}
        return {shell: host for what, host, shell in self.log if what == "call" and shell not in gone}


def small(ids: tuple[str, ...] = (BATCH,), **policy: Any) -> Shelled:
    def plan(data: dict[str, Any]) -> None:
        migrations = [one for wave in data["waves"] for one in wave["migrations"] if one["dmsa"]["name"] in ids]
        for migration in migrations:
            migration["waivers"] = [*migration.get("waivers", []), WAIVER]
        data["waves"] = [{"name": "only", "at_once": 4, "migrations": migrations}]
        data["policy"].update(SHORT, **policy)

    return Shelled(change_plan=plan)


@pytest.fixture(scope="module")
def moments() -> int:
    """At how many moments the process of the small plan may die."""
    doom = Doom()
    world = small()
    world.run(doom=doom)
    assert world.phases() == {BATCH: Phase.COMPLETED}
    assert world.open() == {}
    return doom.passed


def test_what_a_dead_runner_left_open_is_deleted_before_anything_else_is_sent_there(moments):
    for at in range(1, moments + 1, EVERY):
        world = small()
        with pytest.raises(Crash):
            world.run(doom=Doom(at=at))
        left, before = world.open(), len(world.log)
        world.run()
        assert world.phases() == {BATCH: Phase.COMPLETED}, f"moment {at}"
        assert world.open() == {}, f"moment {at}"
        for shell, host in left.items():
            since = world.log[before:]
            calls = [place for place, (what, there, _) in enumerate(since) if (what, there) == ("call", host)]
            assert since.index(("gone", "", shell)) < min(calls, default=len(since)), f"moment {at}"
        assert world.state().shells == {}
        assert len(world.arrived(START)) == 1


def test_a_host_that_is_away_keeps_nobody_waiting_and_its_shells_are_tried_again_at_the_end(moments):
    world = small()
    with pytest.raises(Crash):
        world.run(doom=Doom(at=moments // 2))
    assert HOST in world.open().values()
    world.estate.machine(HOST).down_until = world.estate.now + timedelta(minutes=3)
    world.run()
    assert world.phases() == {BATCH: Phase.COMPLETED}
    assert world.open() == {}


def test_the_shell_of_a_write_is_in_the_journal_before_its_intent():
    world = small()
    world.run()
    opened: set[UUID] = set()
    for event in world.events():
        if isinstance(event, ShellOpened):
            opened.add(event.shell)
        assert not isinstance(event, AttemptStarted) or event.shell in opened


def test_a_journal_that_knows_no_shells_still_ends_that_of_a_lost_write():
    """As written before every shell was journaled."""
    world = small()
    world.run(until=Phase.PREPARED)
    lost = {"shell": UUID(int=10**9), "pipeline": UUID(int=10**9 + 1)}
    started = {"migration": BATCH, "step": "start", "subject": "directory", "endpoint": DC, "cmdlet": START}
    world.say(AttemptStarted.model_validate({**started, "parameters": {}, **lost}))
    before = len(world.log)
    world.run()
    assert world.phases() == {BATCH: Phase.COMPLETED}
    assert world.log[before] == ("gone", "", lost["shell"])
    assert [event.shell for event in world.events() if isinstance(event, ShellEnded)] == [lost["shell"]]
