"""Somebody deletes the original, in each phase and on each way back: held at once; restored by a person, it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.engine.outcome import exit_of
from orchestrator.errors import Exit
from orchestrator.lab.estate.descriptor import PROTECTION
from orchestrator.model.event import Held, Released
from orchestrator.model.lifecycle import PATH, Phase, Way
from orchestrator.rehearsal.hands import restore_account
from orchestrator.remote.catalogue import CATALOGUE, Effect
from tests.world import DC, World

BATCH, HOST = "dmsa-batch", "app02.corp.example"
ACCOUNT = "CN=svc-batch,OU=Service Accounts,DC=corp,DC=example"
SHORT = {"dwell": "2h", "flat_for": "2h", "ledger_every": "1h"}
WAIVER = {"guard": "dwell-minimum", "reason": "the deletion is the point of these tests", "approved_by": ["ann"]}


def deleted(when: dict[str, Any], recycle_bin: bool = True) -> World:
    """Return a world of one migration with a short dwell, in which somebody deletes its original."""

    def plan(data: dict[str, Any]) -> None:
        found = [one for wave in data["waves"] for one in wave["migrations"] if one["dmsa"]["name"] == BATCH]
        found[0]["waivers"] = [WAIVER] if recycle_bin else [WAIVER, {**WAIVER, "guard": "recycle-bin"}]
        data["waves"] = [{"name": "only", "migrations": found}]
        data["policy"].update(SHORT)

    def estate(data: dict[str, Any]) -> None:
        data["domain"]["recycle_bin"] = recycle_bin
        data["weather"] = [{"kind": "object-deleted", "dn": ACCOUNT, **when}]

    return World(change_plan=plan, change_estate=estate)


NEVER = {"at": "2030-01-01T00:00:00Z"}


def after(cmdlet: str, nth: int = 1) -> dict[str, Any]:
    return {"when": {"cmdlet": cmdlet, "nth": nth}}


def written(world: World) -> list[str]:
    """Return every write that arrived, by name."""
    return [
        command.name
        for request in world.record
        for statement in request.statements
        for command in statement
        if command.name in CATALOGUE and CATALOGUE[command.name].effect is Effect.WRITES
    ]


def held(world: World) -> Held:
    found = [event for event in world.events() if isinstance(event, Held)][-1]
    assert found.reason == "original-missing", found
    return found


def release(world: World) -> None:
    world.say(Released(migration=BATCH, by="operator", reason="restored from the recycle bin"))


FORWARD = [
    ("New-ADServiceAccount", 1, Phase.PLANNED, "Set-ADObject"),
    ("Set-ADObject", 1, Phase.PLANNED, "Start-ADServiceAccountMigration"),
    ("Start-ADServiceAccountMigration", 1, Phase.PREPARED, "New-ItemProperty"),
    ("New-ItemProperty", 1, Phase.REGISTERED, "Complete-ADServiceAccountMigration"),
    ("Restart-Service", 1, Phase.REGISTERED, "Complete-ADServiceAccountMigration"),
    ("Complete-ADServiceAccountMigration", 1, Phase.SOAKED, "Start-Service"),
]
"""After which write it is deleted, where the migration then stands, and what must not be sent while it is missing."""


@pytest.mark.parametrize(("cmdlet", "nth", "phase", "never"), FORWARD)
def test_it_is_held_at_once_and_goes_on_when_a_person_has_restored_it(cmdlet, nth, phase, never):
    world = deleted(after(cmdlet, nth))
    state = world.run()
    assert state[BATCH].phase is phase
    assert exit_of(state, world.plan) is Exit.HELD
    assert never not in written(world)
    told = held(world)
    guid = world.far_side.account_guid(BATCH)
    assert f"{ACCOUNT} is not on {DC}. Nothing here can delete it" in told.detail
    assert f"By its objectGUID, {guid}: {DC} has it as a deleted object" in told.detail
    assert "it was last in OU=Service Accounts,DC=corp,DC=example" in told.detail
    assert f"`Restore-ADObject -Identity {guid}`" in told.release
    assert "runbooks/original-deleted.md" in told.release
    before = written(world)
    release(world)
    assert world.run()[BATCH].held is not None, "it is still missing"
    assert written(world) == before
    restore_account(world, BATCH)
    release(world)
    assert world.run()[BATCH].phase is Phase.COMPLETED
    assert world.far_side.has_account(BATCH, DC)


PHASES = [phase for phase in PATH if phase not in {Phase.PLANNED, Phase.COMPLETED}]


@pytest.mark.parametrize("phase", PHASES)
def test_deleted_in_any_phase_no_further_write_is_sent_before_it_is_noticed(phase):
    world = deleted(NEVER)
    world.run(until=phase)
    world.estate.directory.delete(DC, world.far_side.account_guid(BATCH))
    before = written(world)
    world.run()
    held(world)
    allowed = {"New-Item", "New-ItemProperty"} if phase is Phase.LINKED else set()
    assert set(written(world)[len(before) :]) <= allowed, "a host's switch takes nothing from anybody"
    assert all(service.running for service in world.estate.machine(HOST).services.values())
    restore_account(world, BATCH)
    release(world)
    assert world.run()[BATCH].phase is Phase.COMPLETED


BACK = [
    (Phase.RESTARTED, "undo", "Undo-ADServiceAccountMigration", 1),
    (Phase.RESTARTED, "rollback", "Remove-ItemProperty", 1),
    (Phase.COMPLETED, "reset", "Reset-ADServiceAccountMigration", 1),
    (Phase.COMPLETED, "rollback", "Restart-Service", 3),
]


@pytest.mark.parametrize(("until", "way", "cmdlet", "nth"), BACK)
def test_on_a_way_back_it_is_held_and_the_way_goes_on_when_it_is_restored(until, way, cmdlet, nth):
    world = deleted(after(cmdlet, nth))
    world.run(until=until)
    world.ask_back(Way(way))
    world.run()
    held(world)
    restore_account(world, BATCH)
    release(world)
    if world.run()[BATCH].phase is not Phase.ROLLED_BACK:  # it reached what was asked for, which is not all the way
        world.ask_back(Way.ROLLBACK)
        world.run()
    assert world.state()[BATCH].phase is Phase.ROLLED_BACK
    assert world.far_side.has_account(BATCH, DC)


def test_without_a_recycle_bin_a_backup_is_named_and_what_comes_back_without_its_link_is_not_believed():
    world = deleted(after("Start-ADServiceAccountMigration"), recycle_bin=False)
    world.run()
    told = held(world)
    assert "most of its attributes are gone for good" in told.detail
    assert "from a backup of a domain controller" in told.release
    restore_account(world, BATCH)
    release(world)
    state = world.run()
    assert state[BATCH].held is not None
    assert state[BATCH].held.reason != "original-missing"
    assert "New-ItemProperty" not in written(world)


def test_an_account_that_was_never_there_is_not_looked_for_among_the_deleted():
    world = deleted(NEVER)
    world.estate.directory.delete(DC, world.far_side.account_guid(BATCH))
    state = world.run()
    assert "or it was never there" in held(world).detail
    assert state[BATCH].phase is Phase.PLANNED
    assert not written(world)
    assert not any("IncludeDeletedObjects" in asked for asked in world.arrived("Get-ADObject"))


def unprotect(world: World) -> None:
    directory = world.estate.directory
    entry = world.far_side.account_entry(BATCH, DC)
    directory.write(DC, entry.guid, {"nTSecurityDescriptor": directory.descriptor(entry).without(PROTECTION)})


PROTECTION_LIFTED: list[tuple[Phase, Callable[[World], object], str]] = [
    (Phase.PREPARED, lambda _world: None, "Start-ADServiceAccountMigration"),
    (Phase.RESTARTED, lambda _world: None, "Complete-ADServiceAccountMigration"),
    (Phase.RESTARTED, lambda world: world.ask_back(Way.ROLLBACK), "Complete-ADServiceAccountMigration"),
]


@pytest.mark.parametrize(("until", "turn", "never"), PROTECTION_LIFTED)
def test_a_protection_that_was_taken_off_is_noticed_and_set_again_by_a_person(until, turn, never):
    world = deleted(NEVER)
    world.run(until=until)
    unprotect(world)
    turn(world)
    state = world.run()
    assert state[BATCH].held is not None
    assert state[BATCH].held.reason == "guard:original-protected"
    guid = world.far_side.account_guid(BATCH)
    said = f"{state[BATCH].held.detail} {state[BATCH].held.release}"
    assert f"Set-ADObject -Identity {guid} -ProtectedFromAccidentalDeletion $true" in said
    assert never not in written(world)
    assert written(world).count("Set-ADObject") == 1, "who took it off had something in mind; nothing sets it silently"
    world.estate.directory.protect(DC, guid)
    release(world)
    assert world.run()[BATCH].phase in {Phase.COMPLETED, Phase.ROLLED_BACK}
