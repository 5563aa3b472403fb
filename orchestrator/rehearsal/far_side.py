"""What the far side says of itself: the commands that arrived, and the directory and hosts as they are.

Nothing here asks the orchestrator: this is the witness that the invariants judge by.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from orchestrator.lab.command import Request, Result
from orchestrator.lab.estate.cmdlets import is_write
from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.estate.machine import Pool, Service, folded_account
from orchestrator.lab.estate.migration import MEMBERSHIP, PRECEDED_BY, STATE, SUPERSEDED_BY, SUPERSEDED_STATE
from orchestrator.lab.estate.replica import Entry, Replica
from orchestrator.model.plan import Host, Plan
from orchestrator.rehearsal.followed import Followed


@dataclass(frozen=True, slots=True)
class Arrival:
    """One command that was executed at the far side.

    ``took_effect``: it ran to its end without an error. ``ours``: a runner sent it, not some other person.
    """

    at: datetime
    host: str
    shell: UUID
    pipeline: UUID
    cmdlet: str
    parameters: Mapping[str, object]
    writes: bool
    took_effect: bool
    ours: bool = True


def arrivals(request: Request, result: Result, at: datetime, principal: str) -> Iterator[Arrival]:
    """Yield the commands of a pipeline that may have changed something; *principal* is who a runner connects as."""
    for statement in request.statements:
        for command in statement:
            if is_write(command.name) or command.is_script:
                yield Arrival(
                    at=at,
                    host=request.host,
                    shell=request.shell,
                    pipeline=request.pipeline,
                    cmdlet=command.name,
                    parameters=command.parameters,
                    writes=True,
                    took_effect=result.failure is None and not result.errors,
                    ours=request.principal == principal,
                )


class FarSide(Protocol):
    """What the invariants ask the far side; host names are spelled as in the plan, ids are the dMSAs' names."""

    @property
    def now(self) -> datetime:
        """Return the estate's time."""

    @property
    def controllers(self) -> tuple[str, ...]:
        """Return the domain controllers that must agree, the pinned one first."""

    def stamp(self) -> Hashable:
        """Return something that is another as soon as anything else here gives another answer."""

    def changed(self) -> frozenset[str] | None:
        """Return the migrations of which something here may give another answer than when this was asked last.

        None: nobody follows that; the stamp says whether anything does.
        """

    def pair(self, id_: str, controller: str) -> tuple[int, int] | None:
        """Return both states of a pair that is mutual, or has no link at all; None if it is neither, or not there."""

    def principals(self, id_: str) -> frozenset[str]:
        """Return who may use the dMSA by the pinned copy: plan hosts by their plan name, everybody else by SID."""

    def has_account(self, id_: str, controller: str) -> bool:
        """Say whether the original is there."""

    def account(self, id_: str, controller: str) -> Mapping[str, object] | None:
        """Return what a way back must give the account back; None if it is not there."""

    def switch(self, host: str) -> int | None:
        """Return the host's ``DelegatedMSAEnabled``."""

    def restarting(self, host: str) -> bool:
        """Say whether the host is on its way up again, so that nothing runs there for a moment."""

    def running(self, host: Host, id_: str) -> Mapping[str, bool]:
        """Return for each service and application pool that the plan names whether it runs.

        Where the plan leaves it to the host, these are all that log on as the migration's account.
        """

    def as_dmsa(self, host: Host, id_: str) -> frozenset[str]:
        """Return which of them run as the dMSA."""

    def up_with_host(self, host: str, since: datetime) -> frozenset[str]:
        """Return the services that a boot after *since* has started, whether or not they ran before."""


DECLARED = frozenset(
    {"ntsecuritydescriptor", "rdn", "parent", "pwdlastset", "lockouttime", "description", "labtakenspns"}
)
"""Attributes of an account that a way back may leave changed, or that move by themselves (runbooks/rollback.md)."""


class EstateFarSide:
    """The far side of a plan: a simulated estate, looked at from behind.

    With ``follows`` it is told of each change, so that a look costs what has changed; the estate must then be looked at
    by one far side alone, and never be copied.
    """

    def __init__(self, estate: Estate, plan: Plan, *, follows: bool = False) -> None:
        directory = plan.estate.directory
        if directory is None:
            raise ValueError("the plan's estate has not been resolved")
        self._estate, self._plan = estate, plan
        pinned = directory.server.lower()
        writable = [dc.name.lower() for dc in estate.spec.dcs if dc.writable]
        agreeing = [name.lower() for name in directory.converge_on or writable]
        self.controllers = (pinned, *(name for name in agreeing if name != pinned))
        self._pinned = estate.directory.replicas[pinned]
        self._accounts = {one.id: _guid(self._pinned, one.account) for one in plan.migrations()}
        self._named = {one.id: _names(self._pinned, one.account) for one in plan.migrations()}
        hosts = {host.name for one in plan.migrations() for host in one.hosts}
        self._machines = {name: estate.machine(name) for name in sorted(hosts) if name.lower() in estate.machines}
        self._follows = Followed(estate, plan, self._accounts) if follows else None

    @property
    def now(self) -> datetime:
        """Return the estate's time."""
        return self._estate.now

    def stamp(self) -> Hashable:
        """Return the update sequence of every copy, and every switch."""
        copies = tuple(replica.usn for replica in self._estate.directory.replicas.values())
        return copies, tuple(machine.kerberos for machine in self._machines.values())

    def changed(self) -> frozenset[str] | None:
        """Return the migrations that may look another way, if that is followed."""
        return self._follows.take() if self._follows is not None else None

    def pair(self, id_: str, controller: str) -> tuple[int, int] | None:
        """Return both states of a pair whose links agree."""
        replica = self._estate.directory.replicas[controller]
        account, dmsa = self._account(id_, replica), replica.account(f"{id_}$")
        if account is None or dmsa is None:
            return None
        links = dmsa.get(PRECEDED_BY) or None, account.get(SUPERSEDED_BY) or None
        if links not in {((account.guid,), (dmsa.guid,)), (None, None)}:
            return None
        return dmsa.number(STATE), account.number(SUPERSEDED_STATE)

    def principals(self, id_: str) -> frozenset[str]:
        """Return who may use the dMSA by the pinned copy."""
        dmsa = self._pinned.account(f"{id_}$")
        sids = frozenset(dmsa.texts(MEMBERSHIP)) if dmsa else frozenset()
        found: set[str] = set()
        known: set[str] = set()
        for host in self._plan.migration(id_).hosts if sids else ():
            computer = self._pinned.account(f"{host.name.partition('.')[0]}$")
            if computer is None:
                continue
            own = {computer.sid, *(group.sid for group in self._pinned.groups_of(computer).values())}
            if own & sids:
                found.add(host.name)
                known |= own & sids
        return frozenset(found | (sids - known))

    def has_account(self, id_: str, controller: str) -> bool:
        """Say whether the original is there."""
        return self.account_entry(id_, controller) is not None

    def account_guid(self, id_: str) -> UUID | None:
        """Return the original's objectGUID, whether it is deleted or not; None if it was never there."""
        return self._accounts[id_]

    def account_entry(self, id_: str, controller: str) -> Entry | None:
        """Return the original as a domain controller has it."""
        return self._account(id_, self._estate.directory.replicas[controller])

    def account(self, id_: str, controller: str) -> Mapping[str, object] | None:
        """Return every attribute but the declared ones; what is unset, zero or empty is left out."""
        entry = self._account(id_, self._estate.directory.replicas[controller])
        if entry is None:
            return None
        return {
            name: sorted(map(str, cell.value)) if isinstance(cell.value, tuple) else cell.value
            for name, cell in entry.cells.items()
            if name not in DECLARED and cell.value not in (None, 0, ())
        }

    def switch(self, host: str) -> int | None:
        """Return the host's switch; a key without a value is no value."""
        value = self._estate.machine(host).kerberos
        return value if isinstance(value, int) else None

    def restarting(self, host: str) -> bool:
        """Say whether the host is down until a time that is known."""
        until = self._estate.machine(host).down_until
        return until is not None and until > self._estate.now

    def running(self, host: Host, id_: str) -> Mapping[str, bool]:
        """Return for each service and application pool that is meant whether it runs."""
        services, pools = self._meant(host, id_)
        return {one.spec.name: one.running for one in services} | {one.spec.name: one.started for one in pools}

    def as_dmsa(self, host: Host, id_: str) -> frozenset[str]:
        """Return which of them logged on as the dMSA."""
        services, pools = self._meant(host, id_)
        return frozenset(
            [one.spec.name for one in services if one.as_dmsa] + [one.spec.name for one in pools if one.as_dmsa]
        )

    def _meant(self, host: Host, id_: str) -> tuple[list[Service], list[Pool]]:
        machine = self._estate.machine(host.name)
        names, pool_names = host.services, host.app_pools
        if host.discovers:
            named = self._named[id_]
            names = tuple(one.name for one in machine.spec.services if folded_account(one.log_on) in named)
            pool_names = tuple(one.name for one in machine.spec.app_pools if folded_account(one.log_on) in named)
        services = (machine.services.get(name.lower()) for name in names)
        pools = (machine.pools.get(name.lower()) for name in pool_names)
        return [one for one in services if one], [one for one in pools if one]

    def up_with_host(self, host: str, since: datetime) -> frozenset[str]:
        """Return the services that start with the host, where it has booted after *since*."""
        machine = self._estate.machine(host)
        services = machine.services.values() if machine.boot > since else ()
        return frozenset(one.spec.name for one in services if one.spec.start_mode == "Auto")

    def _account(self, id_: str, replica: Replica) -> Entry | None:
        return replica.live(self._accounts[id_])


def _names(replica: Replica, dn: str) -> frozenset[str]:
    """Return the names of an account without a domain, folded, under which something may log on."""
    entry = replica.at_dn(dn)
    given = (entry.get("sAMAccountName"), entry.get("userPrincipalName")) if entry is not None else ()
    return frozenset(folded_account(str(name)) for name in given if name)


def _guid(replica: Replica, dn: str) -> UUID | None:
    entry = replica.at_dn(dn)
    return entry.guid if entry is not None else None
