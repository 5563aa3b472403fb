"""A lab that stands in for a real estate: built from what snapshots in the journal know of it, drawn up for the rest.

From a snapshot come the account with its SPNs, its userAccountControl, delegation and protection, and each host with
its switch, services, tasks and pools, their states and whom they log on as. Everything else is made up, and said to be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate.spec import (
    ClockSpec,
    EstateSpec,
    HostSpec,
    KerberosValue,
    PoolSpec,
    ServiceSpec,
    TaskSpec,
    UserSpec,
)
from orchestrator.model.before import HostBefore, SnapshotTaken
from orchestrator.model.directory import DELEGATED_BY, SILOS
from orchestrator.model.drilled import Origin
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.written_down import as_written_down
from orchestrator.rehearsal.stage import drawn_up

_ALWAYS_MADE_UP = (
    "domain controllers, groups, sites and policies (an ordinary, healthy domain)",
    "SIDs, GUIDs and passwords",
    "builds (every host is of Windows Server 2025) and when tasks run (daily at 02:00)",
    "approvals (nobody has to approve)",
)
_NOT_SHOWN = (DELEGATED_BY, "msDS-AssignedAuthNPolicy", *SILOS, "memberOf")
"""What a snapshot knows of an account and no lab can show."""

Snapshots: TypeAlias = Mapping[str, SnapshotTaken]


def restaged(plan: Plan, run: RunState, start: datetime) -> tuple[EstateSpec, Origin]:
    """Return an estate that is as the run's snapshots have it, and what of it came from where.

    Args:
        plan: the plan of a real estate.
        run: its run, by its journal; an empty one where none has begun.
        start: when the estate's time begins.

    Raises:
        ValueError: the plan's names fit into no single domain.
    """
    taken = {one.id: snapshot for one in plan.migrations() if (snapshot := run[one.id].snapshot) is not None}
    spec = drawn_up(plan, [as_written_down(one, run[one.id]) for one in plan.migrations()])
    sams = {id_: sam for id_, snapshot in taken.items() if (sam := _sam(snapshot)) is not None}
    netbios = _netbios(taken) or spec.domain.netbios
    users = tuple(_users(plan, spec, taken, sams))
    hosts = _hosts(run, spec, taken)
    known = {user.sam.lower() for user in users if user.sam}
    others = tuple(_others(spec, hosts, known))
    made = spec.model_copy(
        update={
            "name": f"{plan.name} (built from snapshots)" if taken else plan.name,
            "clock": ClockSpec(start=start),
            "domain": spec.domain.model_copy(update={"netbios": netbios, "max_password_age": None}),
            "users": (*users, *others),
            "hosts": hosts,
        }
    )
    return made, Origin(snapshots=tuple(taken), made_up=(*_made_up(plan, taken, others), *_ALWAYS_MADE_UP))


def _made_up(plan: Plan, taken: Snapshots, others: tuple[UserSpec, ...]) -> Iterator[str]:
    drawn = [one.id for one in plan.migrations() if one.id not in taken]
    if drawn:
        yield f"everything of {', '.join(drawn)}: no snapshot was taken, so it is drawn up from the plan"
    unasked = sorted(
        {host.name for one in plan.migrations() if one.id in drawn for host in one.hosts if host.discovers}
    )
    if unasked:
        yield f"what runs on {', '.join(unasked)}: nobody has asked there yet, so one service stands for it"
    for id_, snapshot in taken.items():
        left_out = [name for name in _NOT_SHOWN if snapshot.account.get(name)]
        if left_out:
            yield f"of {id_} it lacks {', '.join(left_out)}"
    if others:
        yield f"other accounts that workloads log on as: {', '.join(user.sam or user.dn for user in others)}"


def _users(plan: Plan, spec: EstateSpec, taken: Snapshots, sams: Mapping[str, str]) -> Iterator[UserSpec]:
    for one, drawn in zip(plan.migrations(), spec.users, strict=True):
        snapshot = taken.get(one.id)
        yield drawn if snapshot is None else _user(drawn, snapshot.account, sams.get(one.id))


def _user(drawn: UserSpec, account: Mapping[str, Any], sam: str | None) -> UserSpec:
    control = int(account.get("userAccountControl", uac.NORMAL_ACCOUNT | uac.PASSWORD_NEVER_EXPIRES))
    changed = int(account.get("pwdLastSet") or 0)
    return drawn.model_copy(
        update={
            "sam": sam or drawn.sam,
            "description": account.get("Description"),
            "spns": tuple(account.get("servicePrincipalName", ())),
            "enabled": not control & uac.DISABLED,
            "protected": bool(account.get("ProtectedFromAccidentalDeletion")),
            "pwd_last_set": uac.from_filetime(changed) if changed else None,
            "pwd_never_expires": bool(control & uac.PASSWORD_NEVER_EXPIRES),
            "encryption_types": account.get("msDS-SupportedEncryptionTypes"),
            "admin_count": account.get("adminCount"),
            "unconstrained_delegation": bool(control & uac.TRUSTED_FOR_DELEGATION),
            "protocol_transition": bool(control & uac.TRUSTED_TO_AUTHENTICATE),
            "delegates_to": tuple(account.get("msDS-AllowedToDelegateTo", ())),
        }
    )


def _log_ons(host: HostBefore) -> Iterator[str]:
    """Yield the domain accounts that workloads log on as."""
    given = [
        *(one.start_name for one in host.services.values()),
        *(one.log_on for one in host.tasks.values()),
        *(one.log_on for one in host.app_pools.values()),
    ]
    for name in given:
        domain, _, _ = (name or "").rpartition("\\")
        if name and ("@" in name or (domain and domain.upper() not in {".", "NT AUTHORITY", "NT SERVICE"})):
            yield name


def _account_name(log_on: str) -> str:
    return log_on.rpartition("\\")[2].partition("@")[0]


def _sam(snapshot: SnapshotTaken) -> str | None:
    """Return the name that most of the workloads log on with; the snapshot does not know the account's own."""
    found = Counter(_account_name(name) for host in snapshot.hosts.values() for name in _log_ons(host))
    return found.most_common(1)[0][0][:20] if found else None


def _netbios(taken: Snapshots) -> str | None:
    """Return the domain's short name, as the workloads' log-on names have it."""
    prefixes = Counter(
        domain
        for snapshot in taken.values()
        for host in snapshot.hosts.values()
        for name in _log_ons(host)
        if (domain := name.rpartition("\\")[0]) and "." not in domain
    )
    return prefixes.most_common(1)[0][0] if prefixes else None


def _others(spec: EstateSpec, hosts: tuple[HostSpec, ...], known: set[str]) -> Iterator[UserSpec]:
    """Yield accounts that workloads log on as and that the plan does not move; without them those could not start."""
    all_log_ons = [one.log_on for host in hosts for one in host.services]
    all_log_ons += [one.log_on for host in hosts for one in host.tasks]
    all_log_ons += [one.log_on for host in hosts for one in host.app_pools]
    logged_on = (name for name in all_log_ons if "\\" in name or "@" in name)
    drawn = {names.value(names.split(user.dn)[0]).lower() for user in spec.users}
    for name in dict.fromkeys(logged_on):
        account = _account_name(name)
        if name.upper().startswith(("NT ", ".\\")) or account.lower() in known | drawn:
            continue
        known.add(account.lower())
        yield UserSpec(dn=f"CN={names.escape(account)},CN=Users,{spec.domain.dn}", sam=account[:20])


def _hosts(run: RunState, spec: EstateSpec, taken: Snapshots) -> tuple[HostSpec, ...]:
    """Return the drawn hosts with what snapshots know of them; where two know a host, both count."""
    hosts = {host.name.lower(): host for host in spec.hosts}
    for id_, snapshot in taken.items():
        for name, before in snapshot.hosts.items():
            drawn = hosts.get(name.lower())
            if drawn is not None:
                hosts[name.lower()] = _host(drawn, before, run.original(name, id_) or before)
    return tuple(hosts.values())


def _host(drawn: HostSpec, before: HostBefore, original: HostBefore) -> HostSpec:
    services = {service.name.lower(): service for service in drawn.services}
    for name, known in before.services.items():
        services[name.lower()] = ServiceSpec.model_validate(
            {
                "name": name,
                "log_on": known.start_name or "LocalSystem",
                "state": known.state if known.state in {"Running", "Stopped"} else "Stopped",
                "start_mode": known.start_mode if known.start_mode in {"Auto", "Manual", "Disabled"} else "Manual",
            }
        )
    for name, known in before.services.items():
        for dependent in known.dependents:
            one = services.get(dependent.lower(), ServiceSpec(name=dependent))
            needs = tuple(dict.fromkeys((*one.depends_on, name)))
            services[dependent.lower()] = one.model_copy(update={"depends_on": needs})
    tasks = {task.path.lower(): task for task in drawn.tasks} | {
        path.lower(): TaskSpec.model_validate(
            {"path": path, "log_on": task.log_on or "SYSTEM", "daily": "02:00", "enabled": task.state != "Disabled"}
        )
        for path, task in before.tasks.items()
    }
    pools = {pool.name.lower(): pool for pool in drawn.app_pools} | {
        name.lower(): PoolSpec(
            name=name,
            log_on=pool.log_on or "ApplicationPoolIdentity",
            state="Started" if pool.state == "Started" else "Stopped",
        )
        for name, pool in before.app_pools.items()
    }
    return drawn.model_copy(
        update={
            "kerberos": _switch(original),
            "services": tuple(services.values()),
            "tasks": tuple(tasks.values()),
            "app_pools": tuple(pools.values()),
        }
    )


def _switch(host: HostBefore) -> KerberosValue:
    if not host.key_exists:
        return "no-key"
    return 1 if host.value == 1 else 0 if host.value == 0 else "absent"
