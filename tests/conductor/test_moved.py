"""The account is moved to another container while it is migrated: it is known by its GUID, whatever its name is.

The mover lifts the protection from accidental deletion, moves, and sets it again, at any moment: between two steps,
between a reading and the next, and between the reading that a write is decided on and the arrival of that write.
"""

from __future__ import annotations

from typing import Any

import pytest

import tests.conductor.test_weather as place
from orchestrator.lab.command import Request, Result
from orchestrator.model.lifecycle import Phase, Way
from tests.conductor.test_weather import ACCOUNT, BATCH, weather
from tests.world import DC, World

THERE = "OU=Managed,DC=corp,DC=example"
MOVED = f"CN=svc-batch,{THERE}"
FOUND = 3
"""The arrival from which on the account is known: one that was moved before is not what the plan names."""
EVERY = 5
"""Of the arrivals that are no migration cmdlet, every so manieth is preceded by the move."""


class Restless(World):
    """A world in which somebody moves the account right before the *at*-th request is carried out."""

    at = 0

    def _watch(self) -> None:
        execute = self.estate.execute
        self.names: list[str] = []

        def watched(request: Request) -> Result:
            self.names.append(request.statements[0][0].name)
            if len(self.names) == self.at:
                self._move()
            return execute(request)

        self.estate.execute = watched  # type: ignore[method-assign]

    def _move(self) -> None:
        directory = self.estate.directory
        replica = directory.replicas[DC]
        account, there = replica.at_dn(ACCOUNT), replica.at_dn(THERE)
        assert account is not None
        assert there is not None
        directory.move(DC, account.guid, there)
        directory.protect(DC, account.guid)


@pytest.fixture(autouse=True)
def _restless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "World", Restless)


def places(names: list[str], first: int) -> list[int]:
    """Return the arrivals to move before: those of the migration cmdlets, the two before each, and some others."""
    migrating = [at for at, name in enumerate(names, 1) if name.endswith("-ADServiceAccountMigration")]
    near = {at - back for at in migrating for back in range(3)}
    return [at for at in range(first, len(names) + 1) if at % EVERY == 0 or at in near]


def sent(world: Any, verb: str) -> list[object]:
    return [parameters["SupersededAccount"] for parameters in world.arrived(f"{verb}-ADServiceAccountMigration")]


def test_a_migration_finds_its_account_wherever_it_was_moved_to(monkeypatch):
    still = weather()
    still.run()
    for at in places(still.names, FOUND):
        monkeypatch.setattr(Restless, "at", at)
        world = weather()
        world.run()
        assert world.phases() == {BATCH: Phase.COMPLETED}, (at, world.state()[BATCH].held)
        for verb in ("Start", "Complete"):
            names = sent(world, verb)
            # What arrived under the old name after the move found nothing, changed nothing, and was sent anew.
            assert names in ([ACCOUNT], [MOVED], [ACCOUNT, MOVED]), (at, verb)
            soon = [name for name in still.names[at - 1 :] if name != "Get-WinEvent"][:4]
            assert names != [ACCOUNT, MOVED] or f"{verb}-ADServiceAccountMigration" in soon


def test_so_does_a_way_back(monkeypatch):
    still = weather()
    still.run()
    completed = len(still.names)
    still.ask_back(Way.ROLLBACK)
    still.run()
    for at in places(still.names, completed + 1):
        monkeypatch.setattr(Restless, "at", at)
        world = weather()
        world.run()
        world.ask_back(Way.ROLLBACK)
        world.run()
        assert world.phases() == {BATCH: Phase.ROLLED_BACK}, (at, world.state()[BATCH].held)
        effective = [name for name in sent(world, "Undo") if name == MOVED] or sent(world, "Undo")
        assert len(effective) in {1, 2}
        assert len(sent(world, "Undo")) <= 3
