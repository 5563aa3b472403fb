"""What a whole run reads in the directory, by the far side's own record: enough to be safe, and nothing twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

import pytest

from orchestrator.journal import Row
from orchestrator.lab.command import Request, Result
from orchestrator.model.lifecycle import Phase
from tests.world import DC, World

FURTHER = "dc02.corp.example"
MIGRATING = ("Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration")
AT_ONCE = timedelta(seconds=15)
"""No directory has anything new to say so soon, if nothing was written meanwhile. Rows are that much older than calls:
here the runner's clock moves only when it waits.
"""


class Arrived(NamedTuple):
    """A request of one migration at a domain controller."""

    at: datetime
    request: Request

    @property
    def names(self) -> list[str]:
        return [command.name for statement in self.request.statements for command in statement]

    def is_about(self, dmsa: str, account: str) -> bool:
        commands = [command for statement in self.request.statements for command in statement]
        values = [str(value) for command in commands for value in command.parameters.values()]
        return any(
            f"={dmsa}$)" in value or value in (dmsa, account) or value.startswith(f"CN={dmsa},") for value in values
        )


class Witness(World):
    """A world whose record has times. ``accounts``: the accounts' GUIDs, once the run has found them."""

    accounts: dict[str, UUID]

    def _watch(self) -> None:
        execute = self.estate.execute
        self.arrivals: list[Arrived] = []

        def witnessed(request: Request) -> Result:
            self.arrivals.append(Arrived(self.estate.now, request))
            return execute(request)

        self.estate.execute = witnessed  # type: ignore[method-assign]

    def about(self, dmsa: str) -> list[Arrived]:
        """Return what arrived at the domain controllers about one migration, in order."""
        account = str(self.accounts[dmsa])
        return [one for one in self.arrivals if one.request.host in (DC, FURTHER) and one.is_about(dmsa, account)]


@pytest.fixture(scope="module")
def world() -> Witness:
    world = Witness()
    world.run()
    assert set(world.phases().values()) == {Phase.COMPLETED}
    world.accounts = {id_: world.state()[id_].snapshot.account_guid for id_ in world.ids}
    return world


@pytest.mark.parametrize("cmdlet", MIGRATING)
def test_both_objects_are_read_right_before_a_migration_cmdlet_and_read_back_after_it(world, cmdlet):
    for dmsa in world.ids:
        here = [one for one in world.about(dmsa) if one.request.host == DC]
        (at,) = [number for number, one in enumerate(here) if cmdlet in one.names]
        before, sent, after = here[at - 1 : at + 2]
        for reading in (before, after):
            assert {"Get-ADServiceAccount", "Get-ADUser"} <= set(reading.names)
        assert sent.at - before.at < AT_ONCE
        guards = next(one for one in reversed(here[:at]) if "Get-ADDomainController" in one.names)
        assert sent.at - guards.at < AT_ONCE, "the guards are asked with it"


@pytest.mark.parametrize("phase", [Phase.LINKED, Phase.SWITCHED])
def test_every_copy_is_asked_after_the_change_and_before_the_phase_that_says_so(world, phase):
    cmdlet = MIGRATING[phase is Phase.SWITCHED]
    rows = list(world.journal.read(run=world.plan.name))
    for dmsa in world.ids:
        sent = next(one.at for one in world.about(dmsa) if cmdlet in one.names)
        moved = next(r.at for r in rows if _is_move(r, dmsa, phase))
        asked = {one.request.host for one in world.about(dmsa) if sent + AT_ONCE <= one.at <= moved + AT_ONCE}
        assert asked == {DC, FURTHER}


def test_nothing_is_asked_twice_at_once(world):
    right_before = {}
    for dmsa in world.ids:
        before, _ = next(pair for pair in pairwise(world.about(dmsa)) if MIGRATING[1] in pair[1].names)
        right_before[dmsa] = before.at, (before.request.host, str(before.request.statements))
        last: dict[tuple[str, str], datetime] = {}
        for at, request in world.about(dmsa):
            question = request.host, str(request.statements)
            if (at, question) == right_before[dmsa]:
                continue  # once more, because the snapshot that goes with Complete takes some readings
            if _looks_before_a_restart(request):
                continue
            assert at - last.get(question, at - AT_ONCE) >= AT_ONCE, (dmsa, at, request)
            last[question] = at
            if request.statements[0][0].name.partition("-")[0] != "Get":
                last.clear()


def test_the_account_is_looked_for_once_before_each_restart_of_a_workload(world):
    log_ons = ("Restart-Service", "Start-Service", "Restart-WebAppPool", "Start-ScheduledTask")
    restarts = sum(len(world.arrived(name)) for name in log_ons)
    assert sum(_looks_before_a_restart(one.request) for one in world.arrivals) == restarts > 0


def test_a_soaking_migration_is_read_once_a_poll(world):
    rows = list(world.journal.read(run=world.plan.name))
    for dmsa in world.ids:
        began, ended = (
            next(r.at for r in rows if _is_move(r, dmsa, phase)) for phase in (Phase.RESTARTED, Phase.SOAKED)
        )
        polls = [one.at for one in world.about(dmsa) if began + AT_ONCE < one.at <= ended]
        every = world.plan.policy_of(dmsa).ledger_every
        assert len(polls) <= (ended - began) / every + 2  # the grid's first, and the end of the dwell


def _looks_before_a_restart(request: Request) -> bool:
    """Whether nothing is asked but whether the original is there."""
    ((command, *more), *others) = request.statements
    return command.name == "Get-ADUser" and command.parameters.keys() == {"Identity", "Server"} and not (more or others)


def _is_move(row: Row, dmsa: str, dest: Phase) -> bool:
    return row.kind == "moved" and (row.body["migration"], row.body["dest"]) == (dmsa, dest.value)
