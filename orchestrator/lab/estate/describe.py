"""The estate's state as plain data, for ``dmsa lab show`` and for comparing two estates in tests."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from orchestrator.lab.estate.descriptor import Descriptor
from orchestrator.lab.estate.replica import LINKS, Entry, Replica

if TYPE_CHECKING:
    from orchestrator.lab.estate.estate import Estate
    from orchestrator.lab.estate.machine import Machine


def describe(estate: Estate) -> dict[str, object]:
    """Return time, every DC's view of every object, and every machine; JSON-able and in a fixed order."""
    return {
        "name": estate.spec.name,
        "now": estate.now.isoformat(),
        "domain": estate.spec.domain.dns,
        "directory": {dc: _objects(replica) for dc, replica in estate.directory.replicas.items()},
        "machines": {machine.name: _machine(estate, machine) for machine in estate.machines.values()},
        "refused_scripts": estate.refused_scripts,
    }


def _objects(replica: Replica) -> dict[str, object]:
    return dict(sorted((replica.dn(entry), _entry(replica, entry)) for entry in replica.entries.values()))


def _entry(replica: Replica, entry: Entry) -> dict[str, object]:
    shown: dict[str, object] = {"objectGUID": str(entry.guid)}
    for folded, cell in sorted(entry.cells.items()):
        if folded in LINKS:
            shown[cell.name] = [replica.dn(target) for target in replica.linked(entry, folded)]
        elif folded not in {"rdn", "parent", "nchead"} and cell.value is not None:
            shown[cell.name] = _plain(cell.value)
    return shown


def _plain(value: object) -> object:
    match value:
        case Descriptor():
            return value.sddl
        case tuple():
            return [_plain(item) for item in value]
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes():
            return value.hex()
        case _:
            return value


def _machine(estate: Estate, machine: Machine) -> dict[str, object]:
    return {
        "address": machine.address,
        "build": machine.spec.build,
        "reachable": estate.reachable(machine),
        "booted": machine.boot.isoformat(),
        "DelegatedMSAEnabled": machine.kerberos,
        "event_log": machine.event_log,
        "services": {
            service.spec.name: {
                "state": "Running" if service.running else "Stopped",
                "log_on": service.spec.log_on,
                "started": service.started.isoformat() if service.started else None,
                "exit_code": service.exit_code,
            }
            for service in machine.services.values()
        },
        "tasks": {
            task.spec.path: {
                "last_run": task.last_run.isoformat() if task.last_run else None,
                "last_result": task.last_result,
            }
            for task in machine.tasks.values()
        },
        "app_pools": {pool.spec.name: "Started" if pool.started else "Stopped" for pool in machine.pools.values()},
        "events": len(machine.events),
    }
