"""Days on which much goes wrong at once: in the end everything is done, or everything is as it was before.

Each seed draws its weather, the order in which calls come back, and the way back. A person releases what is held.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from orchestrator.model.event import Released, WayBackAsked
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.run import RunState
from tests.world import World

IDS = {"dmsa-batch", "dmsa-erp", "dmsa-web"}
HOSTS = ("app02.corp.example", "app03.corp.example", "dc02.corp.example")
MIGRATION = tuple(f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete", "Undo", "Reset"))
WRITES = (*MIGRATION, "New-ADServiceAccount", "Set-ADObject", "New-Item", "New-ItemProperty", "Remove-ItemProperty")
RESTARTS = ("Restart-Service", "Start-Service", "Restart-Computer")
READS = ("Get-ADUser", "Get-CimInstance", "Get-ADComputer", "Test-Path")
PATIENCE = 8


def drawn(chance: random.Random) -> dict[str, Any]:
    """Return one thing that goes wrong."""
    when = {"cmdlet": chance.choice((*WRITES, *RESTARTS, *READS)), "nth": chance.randint(1, 4)}
    kind = chance.choice(["lost-reply", "lost-reply", "lost-request", "busy", "slow", "host-down", "service-broken"])
    if kind == "host-down":
        return {"kind": kind, "host": chance.choice(HOSTS), "when": when, "lasts": chance.choice(["20s", "10m", "3h"])}
    if kind == "service-broken":
        return {"kind": kind, "host": HOSTS[0], "service": chance.choice(["BatchRunner", "ErpApi"]), "when": when}
    rule = {"kind": kind, "when": {**when, "times": chance.randint(1, 2)}}
    return {**rule, "late": chance.choice(["0s", "10s", "2m", "2h"])} if kind == "lost-reply" else rule


def bad_day(chance: random.Random) -> World:
    rules = [drawn(chance) for _ in range(chance.randint(1, 4))]

    def plan(data: dict[str, Any]) -> None:
        migrations = [one for wave in data["waves"] for one in wave["migrations"] if one["dmsa"]["name"] in IDS]
        waiver = {"guard": "dwell-minimum", "reason": "weeks are not the point", "approved_by": ["ann"]}
        data["policy"].update(dwell="2h", flat_for="2h", ledger_every="1h", retry={"attempts": 8})
        data["policy"].update(
            rollback_by=chance.choice(["undo", "reset"]), reboot=chance.choice(["never", "after_registry"])
        )
        for migration in migrations:
            migration["waivers"] = [waiver]
        data["waves"] = [{"name": "only", "at_once": 3, "failures": {"allow": 2}, "migrations": migrations}]

    return World(change_plan=plan, change_estate=lambda estate: estate.update(weather=rules))


def mend(world: World) -> None:
    """Let every machine come back."""
    for machine in world.estate.machines.values():
        if machine.down_until and machine.down_until > world.estate.now:
            world.estate.advance_to(machine.down_until)


def drive(world: World, chance: random.Random, back: Way | None = None) -> RunState:
    """Run, and let a person mend and say what is to be done, until nothing is held."""
    for _ in range(PATIENCE):
        state = world.run(choose=chance.randrange)
        stuck = [id_ for id_ in world.ids if state[id_].held]
        if not stuck:
            return state
        mend(world)
        words = [
            WayBackAsked(migration=id_, way=back, by="ann")
            if back
            else Released(migration=id_, by="ann", reason="mended")
            for id_ in stuck
        ]
        world.say(*words)
    raise AssertionError({id_: state[id_].held for id_ in stuck})


def standing(world: World) -> dict[str, Any]:
    """What a way back must leave as it was: accounts, services, and the switch (keys may stay)."""
    accounts = {
        (dc, dn): (entry.get("userAccountControl"), entry.get("servicePrincipalName"))
        for dc, entries in world.estate.describe()["directory"].items()
        for dn, entry in entries.items()
        if dn.startswith("CN=svc-")
    }
    machines = {
        name: (
            "absent" if machine.kerberos == "no-key" else machine.kerberos,
            {service.spec.name: service.running for service in machine.services.values()},
        )
        for name, machine in world.estate.machines.items()
    }
    return {"accounts": accounts, "machines": machines}


@pytest.mark.parametrize("seed", range(8))
def test_in_the_end_all_is_done_and_then_all_is_as_before(seed):
    chance = random.Random(seed)
    world = bad_day(chance)
    before = standing(world)

    drive(world, chance)
    assert set(world.phases().values()) == {Phase.COMPLETED}

    world.ask_back(chance.choice(list(Way)))
    world.run(choose=chance.randrange)
    mend(world)
    world.ask_back(Way.ROLLBACK)
    drive(world, chance, Way.ROLLBACK)
    assert set(world.phases().values()) == {Phase.ROLLED_BACK}
    assert standing(world) == before
