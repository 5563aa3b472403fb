"""What a plan is rehearsed on: its own lab estate, or an ordinary, healthy one drawn up from what the plan says.

A drawn-up estate has the plan's domain, domain controllers, accounts, hosts and workloads, and nothing else: it knows
nothing of what the real ones are like.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.errors import InputInvalid
from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate.machine import folded_account
from orchestrator.lab.estate.spec import (
    DcSpec,
    DomainSpec,
    EstateInvalid,
    EstateSpec,
    GroupSpec,
    HostSpec,
    PoolSpec,
    ServiceSpec,
    TaskSpec,
    UserSpec,
    load_spec,
)
from orchestrator.lab.jea import Registered
from orchestrator.model.plan import Host, Migration, Plan
from orchestrator.planfile import Loaded, canonical
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.world import World


def staged(loaded: Loaded) -> Rehearsed:
    """Return a plan with the estate that it is rehearsed on.

    Raises:
        InputInvalid: the estate file is missing or none, or the plan's names fit into no single domain.
    """
    registered = None
    try:
        if loaded.plan.estate.lab is None:
            spec = drawn_up(loaded.plan)
        else:
            file = loaded.directory / loaded.plan.estate.lab
            spec = load_spec(file.read_text(encoding="utf-8"))
            registered = Registered.of(spec, file)
        rehearsed = Rehearsed(loaded.plan, loaded.digest, canonical(loaded.plan), spec, registered)
        World(rehearsed, watch=False)
    except (EstateInvalid, ValueError) as invalid:
        raise InputInvalid(f"no estate for a rehearsal of {loaded.plan.name}: {invalid}. Nothing was done.") from None
    except OSError as missing:
        raise InputInvalid(f"the estate file cannot be read: {missing}. Nothing was done.") from None
    return rehearsed


def drawn_up(plan: Plan, known: Sequence[Migration] = ()) -> EstateSpec:
    """Return an estate in which everything that the plan names is there and well.

    On a host that says itself what runs there, a service runs under each account: the plan knows of none.

    Args:
        plan: the plan.
        known: its migrations, where more is known of their hosts than the plan says.

    Raises:
        ValueError: the plan names no domain controller, or names that fit into no single domain.
    """
    directory = plan.estate.directory
    if directory is None:
        raise ValueError("the plan names no estate.directory")
    dns = plan.estate.domain or directory.server.partition(".")[2]
    domain = DomainSpec(dns=dns, netbios=dns.partition(".")[0].upper()[:15])
    controllers = dict.fromkeys(name.lower() for name in (directory.server, *(directory.converge_on or ())))
    users = tuple(UserSpec(dn=one.account, sam=_sam(one.account)) for one in plan.migrations())
    groups = tuple(GroupSpec(dn=dn) for dn in dict.fromkeys(_principals(plan)))
    paths = [one.dmsa.path for one in plan.migrations() if one.dmsa.path]
    inside = (*(user.dn for user in users), *(group.dn for group in groups))
    return EstateSpec(
        name=plan.name,
        domain=domain,
        dcs=tuple(DcSpec(name=name) for name in controllers),
        ous=tuple(dict.fromkeys((*_above(domain.dn, inside), *_with_above(domain.dn, paths)))),
        users=users,
        groups=groups,
        hosts=tuple(_hosts(known or tuple(plan.migrations()), domain, controllers)),
    )


def _sam(dn: str) -> str:
    return names.value(names.split(dn)[0])[:20]


def _principals(plan: Plan) -> Iterator[str]:
    for migration in plan.migrations():
        yield from (name for name in migration.dmsa.principals if name.upper().startswith("CN="))


def _above(root: str, dns: tuple[str, ...]) -> Iterator[str]:
    """Yield the organisational units that objects stand in."""
    yield from _with_above(root, [names.join(*names.split(dn)[1:]) for dn in dns])


def _with_above(root: str, containers: list[str]) -> Iterator[str]:
    """Yield organisational units with those above them; other containers are there by themselves."""
    for container in containers:
        parts = names.split(container)
        while len(parts) > len(names.split(root)):
            if parts[0].upper().startswith("OU="):
                yield names.join(*parts)
            parts = parts[1:]


def _hosts(migrations: Sequence[Migration], domain: DomainSpec, controllers: dict[str, None]) -> Iterator[HostSpec]:
    """Yield each host once, with the workloads of every migration that names it."""
    services: dict[str, dict[str, ServiceSpec]] = {}
    tasks: dict[str, dict[str, TaskSpec]] = {}
    pools: dict[str, dict[str, PoolSpec]] = {}
    spelled: dict[str, str] = {}
    for migration in migrations:
        log_on = f"{domain.netbios}\\{_sam(migration.account)}"
        for host in migration.hosts:
            key = host.name.lower()
            spelled.setdefault(key, host.name)
            _enter(host, log_on, services.setdefault(key, {}), tasks.setdefault(key, {}), pools.setdefault(key, {}))
    for key, name in spelled.items():
        if key not in controllers:
            runs = tuple(services[key].values())
            yield HostSpec(
                name=name, services=runs, tasks=tuple(tasks[key].values()), app_pools=tuple(pools[key].values())
            )


def _enter(
    host: Host,
    log_on: str,
    services: dict[str, ServiceSpec],
    tasks: dict[str, TaskSpec],
    pools: dict[str, PoolSpec],
) -> None:
    made_up = (f"What runs as {folded_account(log_on)}",) if host.discovers else ()
    for name in (*host.services, *made_up):
        services.setdefault(name.lower(), ServiceSpec(name=name, log_on=log_on))
    for task in host.tasks:
        tasks.setdefault(
            task.path.lower(), TaskSpec.model_validate({"path": task.path, "log_on": log_on, "daily": "02:00"})
        )
    for name in host.app_pools:
        pools.setdefault(name.lower(), PoolSpec(name=name, log_on=log_on))
