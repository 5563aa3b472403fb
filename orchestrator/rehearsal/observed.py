"""An estate that is as it was just read: both objects of each pair, its hosts and what runs there; the rest drawn up.

What a reading shows goes in unchanged, wherever a simulated estate has a place for it. What nothing was read of (other
domain controllers' machines, groups, sites, logs) is an ordinary, healthy domain's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate.descriptor import CHILD_PROTECTION, PROTECTION
from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.estate.migration import SPNS
from orchestrator.lab.estate.spec import (
    ClockSpec,
    DcSpec,
    DmsaSpec,
    EstateSpec,
    HostSpec,
    KerberosValue,
    PoolSpec,
    ServiceSpec,
    TaskSpec,
    UserSpec,
)
from orchestrator.model.before import HostBefore
from orchestrator.model.descriptor import Descriptor, protects
from orchestrator.model.directory import DELEGATED_BY, PRINCIPAL_NAME, Account, DmsaSeen
from orchestrator.model.dn import parent_dn
from orchestrator.model.facts import DESCRIPTOR
from orchestrator.model.host import HostSeen, ServiceSeen
from orchestrator.model.plan import Plan
from orchestrator.model.written_down import with_lists
from orchestrator.preview import Looked
from orchestrator.rehearsal.restaged import further_accounts
from orchestrator.rehearsal.stage import drawn_up, with_above

_POLICY, _SILO = "msDS-AssignedAuthNPolicy", "msDS-AssignedAuthNPolicySilo"
Seen = Mapping[str, Looked]
"""What was read, by migration."""


def observed(plan: Plan, seen: Seen, start: datetime) -> EstateSpec:
    """Return an estate that is as it was read; of what could not be read, as the plan has it.

    Raises:
        ValueError: the names fit into no single domain.
    """
    drawn = drawn_up(plan, [with_lists(one, _told(seen, one.id)) for one in plan.migrations()])
    netbios = next(filter(None, map(_netbios, seen.values())), drawn.domain.netbios)
    domain = drawn.domain.model_copy(update={"netbios": netbios, "max_password_age": None})
    spec = drawn.model_copy(update={"clock": ClockSpec(start=start), "domain": domain})
    users = tuple(
        _user(user, seen[one.id]) if one.id in seen else user
        for one, user in zip(plan.migrations(), spec.users, strict=True)
    )
    dmsas = tuple(made for id_, one in seen.items() if one.pair.dmsa for made in [_dmsa(spec, one, one.pair.dmsa)])
    spec = spec.model_copy(update={"users": users, "dmsas": dmsas, "hosts": _hosts(spec, seen)})
    spec = spec.model_copy(update={"dcs": _controllers(spec, seen)})
    known = {user.sam.lower() for user in users if user.sam}
    spec = spec.model_copy(update={"users": (*users, *further_accounts(spec, spec.hosts, known))})
    spec = spec.model_copy(update={"users": (*spec.users, *_mentioned(spec))})
    inside = [parent_dn(dn) for dn in (*(one.dn for one in spec.users), *(one.dn for one in spec.dmsas))]
    ous = (*spec.ous, *with_above(domain.dn, inside))
    return EstateSpec.model_validate(spec.model_copy(update={"ous": tuple(dict.fromkeys(ous))}).model_dump())


def _told(seen: Seen, id_: str) -> Mapping[str, HostBefore]:
    return seen[id_].content.hosts if id_ in seen else {}


def _netbios(one: Looked) -> str | None:
    assert one.pair.account is not None, "what was read has an account"
    domain, _, _ = str(one.pair.account.aside.get(PRINCIPAL_NAME) or "").rpartition("\\")
    return domain or None


def _user(drawn: UserSpec, one: Looked) -> UserSpec:
    account = one.pair.account
    assert account is not None, "what was read has an account"
    watched, control = account.watched, int(account.watched.get("userAccountControl", 0))
    changed, expires = int(watched.get("pwdLastSet") or 0), int(watched.get("accountExpires") or 0)
    given: dict[str, Any] = {
        "dn": account.dn,
        "sam": account.sam,
        "upn": account.aside.get("userPrincipalName"),
        "description": watched.get("Description"),
        "spns": tuple(sorted(account.spns)),
        "enabled": account.enabled,
        "pwd_last_set": uac.from_filetime(changed) if changed else None,
        "pwd_never_expires": bool(control & uac.PASSWORD_NEVER_EXPIRES),
        "encryption_types": watched.get("msDS-SupportedEncryptionTypes"),
        "admin_count": watched.get("adminCount"),
        "unconstrained_delegation": bool(control & uac.TRUSTED_FOR_DELEGATION),
        "protocol_transition": bool(control & uac.TRUSTED_TO_AUTHENTICATE),
        "delegates_to": tuple(watched.get("msDS-AllowedToDelegateTo", ())),
        "delegated_by": tuple(watched.get(DELEGATED_BY, ())),
        "authn_policy": names.common(watched[_POLICY]) if watched.get(_POLICY) else None,
        "authn_silo": names.common(watched[_SILO]) if watched.get(_SILO) else None,
        "expires": uac.from_filetime(expires) if expires not in {0, uac.NEVER} else None,
        "locked": bool(int(watched.get("lockoutTime") or 0)),
        "kind": "inetOrgPerson" if account.object_class == "inetOrgPerson" else "user",
    }
    return drawn.model_copy(update=given)


def _dmsa(spec: EstateSpec, one: Looked, dmsa: DmsaSeen) -> DmsaSpec:
    account = one.pair.account
    back = account is not None and account.link is not None
    hosts = {name.lower() for name in one.registered}
    own = [_computer(spec, name) for name in sorted(hosts)]
    others = [dn for dn in dmsa.principals if dn in one.others]
    others += [_computer(spec, name) for name in sorted(one.others) if "=" not in name]
    return DmsaSpec.model_validate(
        {
            "dn": dmsa.dn,
            "state": dmsa.state,
            "supersedes": dmsa.link or (account.dn if account and back else None),
            "linked_by": "both" if dmsa.link and back else "dmsa" if dmsa.link else "account" if back else "both",
            "principals": [*own, *others],
            "description": dmsa.description or None,
            "encryption_types": int(dmsa.watched.get("msDS-SupportedEncryptionTypes") or 0),
        }
    )


def _computer(spec: EstateSpec, host: str) -> str:
    return f"CN={host.partition('.')[0].upper()},CN=Computers,{spec.domain.dn}"


def _mentioned(spec: EstateSpec) -> Iterator[UserSpec]:
    """Yield who is only named by others: who may delegate, who may use a dMSA, whom a dMSA that is there supersedes."""
    known = [user.dn for user in spec.users] + [group.dn for group in spec.groups] + [dmsa.dn for dmsa in spec.dmsas]
    known += [_computer(spec, host.name) for host in spec.hosts] + [_computer(spec, dc.name) for dc in spec.dcs]
    there = set(map(names.fold, known))
    named = [dn for user in spec.users for dn in user.delegated_by]
    named += [dn for dmsa in spec.dmsas for dn in (*dmsa.principals, *((dmsa.supersedes,) if dmsa.supersedes else ()))]
    for number, dn in enumerate(dict.fromkeys(named)):
        if names.fold(dn) not in there:
            yield UserSpec(dn=dn, sam=f"other-{number}")


def _controllers(spec: EstateSpec, seen: Seen) -> tuple[DcSpec, ...]:
    known = [dc.name.lower() for dc in spec.dcs]
    found = (name.lower() for one in seen.values() for name in one.controllers)
    return tuple(DcSpec(name=name) for name in dict.fromkeys((*known, *found)))


# Hosts.


def _hosts(spec: EstateSpec, seen: Seen) -> tuple[HostSpec, ...]:
    """Return the drawn hosts with what was read of them; where two migrations share one, both count."""
    hosts = {host.name.lower(): host for host in spec.hosts}
    for one in seen.values():
        account = one.pair.account
        assert account is not None, "what was read has an account"
        for name, before in one.content.hosts.items():
            if name.lower() in hosts:
                hosts[name.lower()] = _host(hosts[name.lower()], one.hosts[name], before, _log_on(spec, account))
        for host in one.others:
            if "=" not in host:
                hosts.setdefault(host.lower(), HostSpec(name=host))
        for host in one.silent & {name for name in one.hosts if name.lower() in hosts}:
            hosts[host.lower()] = hosts[host.lower()].model_copy(update={"registers": False})
    return tuple(hosts.values())


def _log_on(spec: EstateSpec, account: Account) -> Mapping[str, str]:
    """Return how the simulated domain spells a log-on name that is another spelling of the account."""
    principal = str(account.aside.get("userPrincipalName") or "").lower()
    return {principal: f"{spec.domain.netbios}\\{account.sam}"} if principal else {}


def _host(drawn: HostSpec, found: HostSeen, before: HostBefore, spelled: Mapping[str, str]) -> HostSpec:
    services = {service.name.lower(): service for service in drawn.services}
    for seen in known_services(found, before):
        given = {
            "name": seen.name,
            "log_on": spelled.get((seen.start_name or "").lower()) or seen.start_name or "LocalSystem",
            "state": "Running" if seen.running else "Stopped",
            "start_mode": seen.start_mode if seen.start_mode in {"Auto", "Manual", "Disabled"} else "Manual",
            "depends_on": services[seen.name.lower()].depends_on if seen.name.lower() in services else (),
        }
        services[seen.name.lower()] = ServiceSpec.model_validate(given)
    for seen in known_services(found, before):
        for dependent in seen.dependents or ():
            one = services.get(dependent.lower(), ServiceSpec(name=dependent, state="Stopped"))
            needs = tuple(dict.fromkeys((*one.depends_on, seen.name)))
            services[dependent.lower()] = one.model_copy(update={"depends_on": needs})
    tasks = {task.path.lower(): task for task in drawn.tasks}
    for path, task in before.tasks.items():
        run = found.tasks[path.lower()].next_run
        tasks[path.lower()] = TaskSpec.model_validate(
            {
                "path": path,
                "log_on": spelled.get((task.log_on or "").lower()) or task.log_on or "SYSTEM",
                "daily": run.astimezone(UTC).strftime("%H:%M") if run else None,
                "enabled": task.state != "Disabled",
            }
        )
    pools = {pool.name.lower(): pool for pool in drawn.app_pools}
    for name, pool in before.app_pools.items():
        log_on = spelled.get((pool.log_on or "").lower()) or pool.log_on or "ApplicationPoolIdentity"
        state = "Started" if pool.state == "Started" else "Stopped"
        pools[name.lower()] = PoolSpec.model_validate({"name": name, "log_on": log_on, "state": state})
    return drawn.model_copy(
        update={
            "build": found.build,
            "client": found.product_type == 1,
            "kerberos": "no-key" if not found.key_exists else found.value if found.value in (0, 1) else "absent",
            "services": tuple(services.values()),
            "tasks": tuple(tasks.values()),
            "app_pools": tuple(pools.values()),
        }
    )


def known_services(found: HostSeen, before: HostBefore) -> Iterator[ServiceSeen]:
    """Yield the services that the plan names at a host, and those that depend on them; guards read others, too."""
    named = {name.lower() for name in before.services}
    named |= {name.lower() for seen in found.services.values() for name in seen.dependents or ()}
    yield from (seen for key, seen in found.services.items() if key in named)


# What an estate file cannot say.


def as_read(estate: Estate, seen: Seen) -> None:
    """Put into a fresh estate what its file has no place for: exact flags, protection, and since when things run."""
    for one in seen.values():
        _objects(estate, one)
        for name, found in one.hosts.items():
            _machine(estate, name, found)


def _objects(estate: Estate, one: Looked) -> None:
    directory = estate.directory
    replica = next(iter(directory.replicas.values()))
    at = estate.now
    account, dmsa = one.pair.account, one.pair.dmsa
    entry = replica.at_dn(account.dn) if account else None
    if account and entry:
        values: dict[str, object] = {"userAccountControl": account.watched.get("userAccountControl")}
        if account.protected:
            values[DESCRIPTOR] = directory.descriptor(entry).adding(PROTECTION)
        directory.seed(entry.guid, values, at)
    entry = replica.at_dn(dmsa.dn) if dmsa else None
    if dmsa and entry:
        copies = {name: tuple(dmsa.watched.get(name, ())) for name in (SPNS, "msDS-AllowedToDelegateTo")}
        flags = {"userAccountControl": dmsa.watched.get("userAccountControl")}
        directory.seed(entry.guid, {**copies, **flags, **_taken(one)}, at)
    for dn, sddl in one.content.containers.items():
        container = replica.at_dn(dn)
        if container is not None and any(map(protects, Descriptor.of(sddl).entries)):
            marked = directory.descriptor(container).adding(CHILD_PROTECTION)
            directory.seed(container.guid, {DESCRIPTOR: marked}, at)


def _taken(one: Looked) -> dict[str, object]:
    """Return what the simulated directory remembers of a Complete: which SPNs it moved."""
    dmsa = one.pair.dmsa
    return {"labTakenSpns": tuple(sorted(dmsa.spns))} if dmsa and dmsa.state == 2 else {}


def _machine(estate: Estate, name: str, found: HostSeen) -> None:
    machine = estate.machine(name)
    if found.parent_exists is not None:
        machine.kerberos_parent = found.parent_exists
    if found.value is not None:
        machine.kerberos = cast("KerberosValue", found.value)
    machine.boot = found.boot_time
    for key, service in found.services.items():
        began = found.processes.get(service.pid)
        if key in machine.services and machine.services[key].running:
            machine.services[key].started = began or found.boot_time
    for key, task in found.tasks.items():
        if key not in machine.tasks:
            continue
        machine.tasks[key].last_run = task.last_run
        if task.last_result is not None:
            machine.tasks[key].last_result = task.last_result
