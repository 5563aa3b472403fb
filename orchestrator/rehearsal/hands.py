"""What people do in a rehearsal: the operator with his words, and others who touch the estate behind our back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from orchestrator.lab.command import Command, Request
from orchestrator.lab.estate.descriptor import PROTECTION
from orchestrator.lab.estate.machine import Machine, Service
from orchestrator.model.event import Event, Held, Released, WayBackAsked
from orchestrator.model.lifecycle import FINAL, Intention, Phase, Way
from orchestrator.model.state import MigrationState
from orchestrator.rehearsal.world import World

SERVICE = "state of service "
"""How a comparison names what it found of a service (:mod:`orchestrator.steps.comparison`)."""
_WENT_BACK = frozenset({Phase.UNLINKED, Phase.RESTORED, Phase.ROLLED_BACK})


def word(state: MigrationState, kind: str) -> Event | None:
    """Return the operator's word of a kind, where the command line would take it."""
    match kind:
        case "hold":
            return _hold(state)
        case "release":
            undone = state.held is not None and state.held.reason == "undone"
            return _released(state, forward=False) if state.held and not undone else None
        case "forward":
            back = state.intention is Intention.BACK and state.phase in {Phase.REOPENED, Phase.ROLLED_BACK}
            return _released(state, forward=True) if back else None
        case _:
            return _back(state, Way(kind))


def _hold(state: MigrationState) -> Event | None:
    if state.held is not None or state.phase in FINAL:
        return None
    release = f"`dmsa release PLAN --only {state.id} --reason TEXT`"
    return Held(migration=state.id, reason="operator", detail="rehearsed", release=release, by="operator")


def _released(state: MigrationState, *, forward: bool) -> Event:
    return Released(migration=state.id, by="operator", reason="rehearsed", forward=forward)


def _back(state: MigrationState, way: Way) -> Event | None:
    there = {Phase.ROLLED_BACK} if way is Way.ROLLBACK else _WENT_BACK
    if state.phase is Phase.PLANNED or state.phase in there:
        return None
    return WayBackAsked(migration=state.id, way=way, by="operator", reason="rehearsed")


def mend(world: World) -> None:
    """Put right what an operator can: machines are up again, copies exchange changes, switches are as they must be."""
    until = [machine.down_until for machine in world.estate.machines.values() if machine.down_until]
    until += [cut for dc in world.estate.directory.replicas if (cut := world.estate.directory.cut_until(dc))]
    if until and max(until) > world.estate.now:
        world.estate.advance_to(max(until))
    state = world.state()
    for migration in world.plan.migrations():
        if state[migration.id].intention is Intention.BACK or state[migration.id].phase is Phase.PLANNED:
            continue
        for host in migration.hosts:
            if state.needs(host.name, migration.id):
                world.estate.machine(host.name).kerberos = 1


def move_account(world: World, id_: str, to: str) -> None:
    """Move an account to another container, as a person does: protection off, move, protection on again."""
    directory, dc = world.estate.directory, world.far_side.controllers[0]
    replica = directory.replicas[dc]
    entry, container = world.far_side.account_entry(id_, dc), replica.at_dn(to)
    if entry is None or container is None or container.deleted:
        return
    descriptor = directory.descriptor(entry)
    directory.write(dc, entry.guid, {"nTSecurityDescriptor": descriptor.without(PROTECTION)})
    directory.move(dc, entry.guid, container)
    if PROTECTION in descriptor.aces:
        directory.protect(dc, entry.guid)


def restore_account(world: World, id_: str) -> None:
    """Restore the deleted original as a person does (``Restore-ADObject``), and wait until every copy shows it."""
    directory, dc = world.estate.directory, world.far_side.controllers[0]
    guid = world.far_side.account_guid(id_)
    entry = directory.replicas[dc].entries.get(guid) if guid else None
    if entry is None or not entry.deleted:
        return
    directory.undelete(dc, entry.guid)
    world.estate.advance_to(world.estate.now + max(directory.latency(dc, other) for other in directory.replicas))


def stop_service(world: World, where: str) -> None:
    """Stop a service (``host\\service``) as its administrator does."""
    _at_service(world, where, lambda _machine, service: world.estate.workloads.stop_service(service))


def restart_service(world: World, where: str) -> None:
    """Restart a service as its administrator does."""
    _at_service(world, where, world.estate.workloads.restart_service)


def start_what_is_down(world: World, state: MigrationState) -> None:
    """Start the services that the last comparison found down, as its hold tells a person to."""
    for one in state.compared.differences if state.compared else ():
        if one.verdict == "failed" and one.name.startswith(SERVICE):
            machine = world.estate.machine(one.object.removeprefix("host "))
            world.estate.workloads.start_service(machine, machine.services[one.name.removeprefix(SERVICE).lower()])


def _at_service(world: World, where: str, do: Callable[[Machine, Service], object]) -> None:
    host, _, name = where.partition("\\")
    machine = world.estate.machine(host)
    world.excuse(host)
    if world.estate.reachable(machine):
        do(machine, machine.services[name.lower()])


def by_hand(world: World, id_: str, verb: str) -> None:
    """Issue one of the four migration cmdlets, as somebody who knows nothing of the run."""
    dc = world.far_side.controllers[0]
    replica = world.estate.directory.replicas[dc]
    account, dmsa = world.far_side.account_entry(id_, dc), replica.account(f"{id_}$")
    if account is None or dmsa is None or not world.estate.listens(dc):
        return
    parameters = {"Identity": replica.dn(dmsa), "SupersededAccount": replica.dn(account), "Server": dc}
    world.estate.perform(
        Request(
            host=dc,
            shell=UUID(int=0),
            pipeline=UUID(int=0),
            principal=f"{world.rehearsed.spec.domain.netbios}\\Administrator",
            statements=((Command(f"{verb}-ADServiceAccountMigration", parameters),),),
        )
    )
