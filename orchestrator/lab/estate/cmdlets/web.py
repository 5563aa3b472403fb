"""The IIS cmdlets for application pools; a machine without pools has no IIS."""

from __future__ import annotations

import re
from collections.abc import Iterator

from orchestrator.lab.command import LabError, LabObject
from orchestrator.lab.estate import refusals
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.machine import Pool

_POOL = re.compile(r"/?system\.applicationHost/applicationPools/add(?:\[@name='(?P<name>[^']*)'\])?", re.IGNORECASE)


def _installed(call: Invocation) -> None:
    if not call.machine.pools:
        raise call.fail(refusals.command_not_found(call.name))


def _pools(call: Invocation, name: str) -> list[Pool]:
    if not name:
        return list(call.machine.pools.values())
    pool = call.machine.pools.get(name.lower())
    if pool is None:
        call.error(_not_found(call, name))
    return [pool] if pool else []


def _not_found(call: Invocation, name: str) -> LabError:
    exception = "System.Management.Automation.ItemNotFoundException"
    message = f"Cannot find path 'IIS:\\AppPools\\{name}' because it does not exist."
    return refusals.record(call.name, "PathNotFound", "ObjectNotFound", exception, message, name)


@cmdlet("Get-WebAppPoolState", "Name:text")
def get_pool_state(call: Invocation) -> Iterator[object]:
    """Whether pools run."""
    _installed(call)
    types = ("Microsoft.IIs.PowerShell.Framework.ConfigurationAttribute", "System.Object")
    for pool in _pools(call, call.text("Name")):
        path = f"/system.applicationHost/applicationPools/add[@name='{pool.spec.name}']"
        state = "Started" if pool.started else "Stopped"
        yield LabObject(types, {"Value": state, "Name": "state", "ItemXPath": path}, None, frozenset({"ItemXPath"}))


@cmdlet("Get-WebConfigurationProperty", "PSPath:text Filter!:text Name!:text")
def get_configuration_property(call: Invocation) -> Iterator[object]:
    """The log-on name of pools (``processModel.userName``)."""
    _installed(call)
    match = _POOL.match(call.text("Filter"))
    wanted = call.text("Name").lower()
    if match is None or wanted not in {"processmodel.username", "name"}:
        raise call.fail(refusals.bad_value(call.name, "Filter", "The lab knows application pools only."))
    types = ("Microsoft.IIs.PowerShell.Framework.ConfigurationAttribute", "System.Object")
    for pool in _pools(call, match["name"] or ""):
        path = f"/system.applicationHost/applicationPools/add[@name='{pool.spec.name}']"
        user = "" if pool.spec.log_on == "ApplicationPoolIdentity" else pool.spec.log_on
        value = pool.spec.name if wanted == "name" else user
        yield LabObject(
            types, {"Value": value, "Name": call.text("Name"), "ItemXPath": path}, None, frozenset({"ItemXPath"})
        )


@cmdlet("Restart-WebAppPool", "Name!:text", writes=True)
def restart_pool(call: Invocation) -> Iterator[object]:
    """Recycle a pool; one that is stopped is an error, as in IIS."""
    _installed(call)
    for pool in _pools(call, call.text("Name")):
        if not pool.started:
            exception = "System.InvalidOperationException"
            message = "You have to start stopped object before restarting it."
            call.error(refusals.record(call.name, exception, "InvalidOperation", exception, message, pool.spec.name))
            continue
        call.estate.workloads.start_pool(call.machine, pool)
    yield from ()
