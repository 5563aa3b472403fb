"""Which workloads of a host are meant: the plan's list, or where it says ``workloads: discover``, what was found there.

A host is asked once in each attempt, right before it is written down; the snapshot holds what it said, and is the list
for the rest of the attempt. What appears or vanishes later changes nothing here: the guard host-inventory-complete
finds it before Complete, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.model.before import HostBefore
from orchestrator.model.plan import Host, Migration, Task
from orchestrator.model.state import MigrationState


def as_written_down(migration: Migration, state: MigrationState) -> Migration:
    """Return the migration with what was found in place of each ``workloads: discover``.

    A host that was not asked yet still says ``discover``.
    """
    known = state.snapshot.hosts if state.snapshot else {}
    if not any(host.discovers and host.name in known for host in migration.hosts):
        return migration
    hosts = tuple(listed(h.name, known[h.name]) if h.discovers and h.name in known else h for h in migration.hosts)
    return migration.model_copy(update={"hosts": hosts})


def listed(name: str, before: HostBefore, run: Iterable[str] = ()) -> Host:
    """Return a host with what was written down of it as its list; ``run`` are tasks that running proves safely."""
    safe = set(run)
    return Host(
        name=name,
        services=tuple(before.services),
        tasks=tuple(Task(path=path, run=path in safe) for path in before.tasks),
        app_pools=tuple(before.app_pools),
    )
