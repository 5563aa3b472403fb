"""The service cmdlets.

Source: Microsoft Learn, ``Restart-Service`` and its siblings; error ids as Windows PowerShell 5.1 writes
them. ``-Force`` takes running dependents along and starts them again.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.lab.command import LabError, LabObject
from orchestrator.lab.estate import refusals
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.machine import Machine, Service

_EXCEPTION = "Microsoft.PowerShell.Commands.ServiceCommandException"
_START_TYPES = {"Auto": "Automatic", "Manual": "Manual", "Disabled": "Disabled"}


def _shown(machine: Machine, service: Service) -> LabObject:
    spec = service.spec
    status = "Running" if service.running else "Stopped"
    return LabObject(
        (
            "System.ServiceProcess.ServiceController",
            "System.ComponentModel.Component",
            "System.MarshalByRefObject",
            "System.Object",
        ),
        {
            "Name": spec.name,
            "ServiceName": spec.name,
            "DisplayName": spec.display or spec.name,
            "Status": _enum("System.ServiceProcess.ServiceControllerStatus", status),
            "StartType": _enum("System.ServiceProcess.ServiceStartMode", _START_TYPES[spec.start_mode]),
            "DependentServices": [other.spec.name for other in machine.dependents(service)],
            "ServicesDependedOn": list(spec.depends_on),
            "CanStop": service.running,
            "MachineName": ".",
        },
        spec.name,
        frozenset({"Name"}),
    )


def _enum(name: str, text: str) -> LabObject:
    return LabObject((name, "System.Enum", "System.ValueType", "System.Object"), {}, text)


def _named(call: Invocation) -> Iterator[Service]:
    for name in call.texts("Name"):
        service = call.machine.services.get(name.lower())
        if service is None:
            message = f"Cannot find any service with service name '{name}'."
            call.error(_record(call, "NoServiceFoundForGivenName", "ObjectNotFound", message, name))
        else:
            yield service


def _record(call: Invocation, error_id: str, category: str, message: str, name: str) -> LabError:
    return refusals.record(call.name, error_id, category, _EXCEPTION, message, name)


def _not_started(call: Invocation, service: Service, code: int) -> LabError:
    name = service.spec.name
    message = (
        f"Service '{service.spec.display or name} ({name})' cannot be started due to the following error: "
        f"Cannot start service {name} on computer '.'. (Win32 error {code})"
    )
    return _record(call, "CouldNotStartService", "OpenError", message, name)


@cmdlet("Get-Service", "Name:texts")
def get_service(call: Invocation) -> Iterator[object]:
    """Services by name, or all."""
    services = _named(call) if call.given("Name") else iter(call.machine.services.values())
    for service in services:
        yield _shown(call.machine, service)


@cmdlet("Restart-Service", "Name!:texts Force:flag PassThru:flag", writes=True)
def restart_service(call: Invocation) -> Iterator[object]:
    """Stop and start services; a service that was stopped is started."""
    for service in _named(call):
        running = [other for other in call.machine.dependents(service) if other.running]
        name = service.spec.name
        if running and not call.flag("Force"):
            message = (
                f"Cannot stop service '{service.spec.display or name} ({name})' because it has dependent "
                "services. It can only be stopped if the Force flag is set."
            )
            call.error(_record(call, "ServiceHasDependentServices", "InvalidOperation", message, name))
            continue
        for other, code in call.estate.workloads.restart_service(call.machine, service):
            if code:
                call.error(_not_started(call, other, code))
        if call.flag("PassThru"):
            yield _shown(call.machine, service)


@cmdlet("Start-Service", "Name!:texts PassThru:flag", writes=True)
def start_service(call: Invocation) -> Iterator[object]:
    """Start services; one that runs already is left alone."""
    for service in _named(call):
        code = call.estate.workloads.start_service(call.machine, service)
        if code:
            call.error(_not_started(call, service, code))
        elif call.flag("PassThru"):
            yield _shown(call.machine, service)
