"""How a host is before anything is changed there: what a way back must find again.

Shared by prepare, which writes down every host of the plan, and by registry, which writes down a host that joined
later. Where the plan says ``workloads: discover``, the host is asked here which are meant, and what is written down of
it is the list from then on (:mod:`orchestrator.model.written_down`).

A workload that is meant and that the host does not have is left out here: the guard host-inventory-complete is asked on
the same reading, before it is written down, and refuses it.
"""

from __future__ import annotations

import hashlib
import json

from orchestrator.model.action import Observe, Record, Stop
from orchestrator.model.before import HostBefore, HostSnapshotTaken, PoolBefore, ServiceBefore, TaskBefore
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.found_there import NotListed, account_names, there
from orchestrator.model.host import HostSeen, host_reads, services_read
from orchestrator.model.log_on import log_on_reads, pool_log_ons, task_log_on
from orchestrator.model.observation import Unreadable
from orchestrator.model.plan import Host
from orchestrator.model.users_of import users_reads
from orchestrator.steps.step import original_missing, pair_read


def host_reads_of(case: Case, host: Host) -> tuple[Read, ...]:
    """Ask a host of the plan about itself and what is meant there; or about everybody's, where it says what that is."""
    own = host_reads(host)
    return (*own, *users_reads(host.name, Seen(case.migration.id), each=True)) if host.discovers else own


def meant(case: Case, host: Host, seen: Seen) -> Host | Observe:
    """Return a host with the workloads that are meant there, which were read; or what must be read for that.

    Raises:
        Unreadable: the host did not say what runs there.
        NotListed: what it says makes no list.
    """
    if not host.discovers:
        return host
    asked = seen.unasked((pair_read(case), *users_reads(host.name, seen, each=True)))
    if asked:
        return Observe(asked, more=True)
    found = there(case, host.name, seen)
    asked = seen.unasked(host_reads(found))
    return Observe(asked, more=True) if asked else found


def inventory(case: Case, host: Host, seen: Seen) -> HostBefore | Observe:
    """Return a host with those workloads that it has of those that are meant there, or what must be read first.

    Raises:
        Unreadable: what must be known of it was not read.
        NotListed: what it says runs there makes no list.
    """
    which = meant(case, host, seen)
    if isinstance(which, Observe):
        return which
    found = seen.host(host.name)
    unseen = {n for s in found.services.values() for n in s.dependents or () if n.lower() not in found.services}
    if unseen:
        read = services_read(host.name, unseen)
        if seen.reply_to(read.statements[0], host.name) is not None:
            raise Unreadable(f"{host.name} does not show {', '.join(sorted(unseen))}, on which others depend")
        return Observe((read,), more=True)
    before = host_before(which, found, seen)
    if host.discovers and isinstance(before, HostBefore):
        _tasks_are_its_own(case, host.name, before, seen)
    return before


def _tasks_are_its_own(case: Case, name: str, before: HostBefore, seen: Seen) -> None:
    """Look once more whom each task runs as: all together they were told apart by what their texts say of themselves.

    Raises:
        NotListed: a task asked for by its path runs as somebody else.
    """
    names = account_names(case, seen)
    others = [path for path, task in before.tasks.items() if (task.log_on or "").lower() not in names]
    if others:
        raise NotListed(
            f"a task of {name} that runs under the account says that it is {', '.join(others)}, and that one runs as "
            "somebody else",
            "find out which task it is (its text names another one in its URI), and register it anew",
        )


def read_too_early(case: Case, name: str, seen: Seen) -> bool:
    """Whether another migration has put the host's switch back since the host was asked.

    What was read then is the value that the other one had set; nothing says any longer what there was before it.
    """
    ended = case.run.switches.restored_at.get(name.lower())
    return ended is not None and seen.since is not None and seen.since < ended


def host_before(host: Host, found: HostSeen, seen: Seen) -> HostBefore | Observe:
    """Return a host with those workloads of the plan that it has, or what must be read first."""
    has = _there(host, found)
    reads = seen.unasked(log_on_reads(has))
    return Observe(reads, more=True) if reads else _before(has, found, seen)


def is_known(case: Case, name: str) -> bool:
    """Whether a host of the plan, with every workload that the plan names there, was written down before."""
    before = case.state.snapshot.hosts.get(name) if case.state.snapshot else None
    if before is None:
        return False
    host = case.migration.host(name)
    return (
        {service.lower() for service in host.services} <= {service.lower() for service in before.services}
        and {task.path.lower() for task in host.tasks} <= {path.lower() for path in before.tasks}
        and {pool.lower() for pool in host.app_pools} <= {pool.lower() for pool in before.app_pools}
    )


def join(case: Case, name: str, seen: Seen) -> Record | Observe | Stop:
    """Write down a host that joined since the snapshot; of one that only runs more, what was known before stays."""
    host = case.migration.host(name)
    try:
        if host.discovers and seen.asked(case.endpoint) and seen.pair(case.endpoint, case.server).account is None:
            return original_missing(case, seen)
        answer = inventory(case, host, seen)
    except NotListed as why:
        return Stop(
            "guard:host-inventory-complete", f"{why}. Nothing was changed there.", f"{why.remedy}; then {_THEN}"
        )
    if not isinstance(answer, HostBefore):
        return answer
    known = case.state.snapshot.hosts.get(name) if case.state.snapshot else None
    before = _merged(known, answer) if known else answer
    sha256 = hashlib.sha256(json.dumps(before.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    return Record((HostSnapshotTaken(migration=case.migration.id, host=name, before=before, sha256=sha256),))


def _merged(known: HostBefore, more: HostBefore) -> HostBefore:
    return known.model_copy(
        update={
            "services": {**more.services, **known.services},
            "tasks": {**more.tasks, **known.tasks},
            "app_pools": {**more.app_pools, **known.app_pools},
        }
    )


_THEN = "`dmsa release` looks again"


def _there(host: Host, found: HostSeen) -> Host:
    return Host(
        name=host.name,
        services=tuple(name for name in host.services if name.lower() in found.services),
        tasks=tuple(task for task in host.tasks if task.path.lower() in found.tasks),
        app_pools=tuple(name for name in host.app_pools if name.lower() in found.app_pools),
    )


def _before(host: Host, found: HostSeen, seen: Seen) -> HostBefore:
    services = {}
    for name in host.services:
        service = found.services[name.lower()]
        services[name] = ServiceBefore(
            state=service.state,
            start_mode=service.start_mode,
            start_name=service.start_name,
            dependents=tuple(name for name in service.dependents or () if _runs(found, name)),
        )
    pools = pool_log_ons(seen, host.name) if host.app_pools else {}
    return HostBefore(
        computer_name=found.computer_name,
        key_exists=found.key_exists,
        value=found.value,
        services=services,
        tasks={
            task.path: TaskBefore(
                state=found.tasks[task.path.lower()].state, log_on=task_log_on(seen, host.name, task.path)
            )
            for task in host.tasks
        },
        app_pools={
            name: PoolBefore(state=found.app_pools[name.lower()], log_on=pools.get(name.lower()))
            for name in host.app_pools
        },
    )


def _runs(found: HostSeen, name: str) -> bool:
    service = found.services.get(name.lower())
    return service is not None and service.running
