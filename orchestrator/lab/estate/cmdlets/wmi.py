"""Get-CimInstance for the classes that the estate has."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.lab.command import LabError, LabObject
from orchestrator.lab.estate import refusals, wql
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.machine import Machine


@cmdlet("Get-CimInstance", "ClassName!:text Filter:text Property:texts Namespace:text")
def get_cim_instance(call: Invocation) -> Iterator[object]:
    """Instances of a class that meet a WQL condition; properties not asked for come as null."""
    namespace = call.text("Namespace", "root/cimv2").replace("\\", "/").lower()
    clustered = namespace == "root/mscluster" and call.machine.spec.cluster is not None
    if namespace != "root/cimv2" and not clustered:
        call.error(_cim(call, "HRESULT 0x8004100e", "ObjectNotFound", f"Invalid namespace {namespace}"))
        return
    found = (_CLUSTER if clustered else _FOLDED).get(call.text("ClassName").lower())
    if found is None:
        raise call.fail(_cim(call, "HRESULT 0x80041010", "MetadataError", "Invalid class"))
    name, rows = found
    try:
        condition = wql.parse(call.text("Filter")) if call.given("Filter") else None
    except wql.FilterInvalid:
        raise call.fail(_cim(call, "HRESULT 0x80041017", "InvalidArgument", "Invalid query")) from None
    wanted = {item.lower() for item in call.texts("Property")}
    for row in rows(call):
        if condition is None or condition({key.lower(): value for key, value in row.items()}):
            shown = {key: value if not wanted or key.lower() in wanted else None for key, value in row.items()}
            yield LabObject(_types(name, "root/MSCluster" if clustered else "root/cimv2"), shown, name)


def _types(name: str, namespace: str) -> tuple[str, ...]:
    base = "Microsoft.Management.Infrastructure.CimInstance"
    return (f"{base}#{namespace}/{name}", f"{base}#{name}", base, "System.Object")


def _cim(call: Invocation, error_id: str, category: str, message: str) -> LabError:
    exception = "Microsoft.Management.Infrastructure.CimException"
    return refusals.record(call.name, error_id, category, exception, message, call.text("ClassName"))


def _edition(machine: Machine) -> tuple[str, int]:
    if machine.spec.client:
        return "Microsoft Windows 11 Enterprise", 1
    release = "2025" if machine.spec.build >= 26100 else "2022" if machine.spec.build >= 20348 else "2019"
    return f"Microsoft Windows Server {release} Standard", 2 if machine.dc else 3


def _operating_system(call: Invocation) -> Iterator[dict[str, object]]:
    caption, product = _edition(call.machine)
    yield {
        "Caption": caption,
        "BuildNumber": str(call.machine.spec.build),
        "Version": f"10.0.{call.machine.spec.build}",
        "ProductType": product,
        "LocalDateTime": call.estate.now + call.machine.spec.clock_ahead,
        "LastBootUpTime": call.machine.boot + call.machine.spec.clock_ahead,
        "CSName": call.machine.short.upper(),
    }


def _computer_system(call: Invocation) -> Iterator[dict[str, object]]:
    machine, spec = call.machine, call.estate.spec
    pdc = next(dc.name for dc in spec.dcs if dc.writable)
    role = (5 if machine.name == pdc else 4) if machine.dc else 1 if machine.spec.client else 3
    yield {
        "Name": machine.short.upper(),
        "DNSHostName": machine.short,
        "Domain": spec.domain.dns,
        "PartOfDomain": True,
        "DomainRole": role,
    }


def _service(call: Invocation) -> Iterator[dict[str, object]]:
    if call.machine.pools and "was" not in call.machine.services:
        yield _of_iis()
    for service in call.machine.services.values():
        spec = service.spec
        yield {
            "Name": spec.name,
            "DisplayName": spec.display or spec.name,
            "State": "Running" if service.running else "Stopped",
            "Started": service.running,
            "StartMode": spec.start_mode,
            "StartName": spec.log_on,
            "ProcessId": service.pid,
            "ExitCode": service.exit_code,
            "Status": "OK",
        }


def _of_iis() -> dict[str, object]:
    """Return the service without which a machine has no application pools."""
    return {
        "Name": "WAS",
        "DisplayName": "Windows Process Activation Service",
        "State": "Running",
        "Started": True,
        "StartMode": "Manual",
        "StartName": "LocalSystem",
        "ProcessId": 900,
        "ExitCode": 0,
        "Status": "OK",
    }


def _process(call: Invocation) -> Iterator[dict[str, object]]:
    for service in call.machine.services.values():
        if service.running and service.started is not None:
            yield {
                "ProcessId": service.pid,
                "Name": f"{service.spec.name}.exe",
                "CreationDate": service.started + call.machine.spec.clock_ahead,
                "ParentProcessId": 700,
            }


def _resource(call: Invocation) -> Iterator[dict[str, object]]:
    for resource in call.machine.spec.cluster or ():
        yield {
            "Name": resource.name,
            "Type": resource.type,
            "OwnerGroup": resource.group,
            "OwnerNode": call.machine.short.upper(),
            "State": 2,
            "PrivateProperties": LabObject(("MSCluster_Property",), {}, "MSCluster_Property"),
        }


_CLUSTER = {"mscluster_resource": ("MSCluster_Resource", _resource)}
_CLASSES = {
    "Win32_OperatingSystem": _operating_system,
    "Win32_ComputerSystem": _computer_system,
    "Win32_Service": _service,
    "Win32_Process": _process,
}
_FOLDED = {name.lower(): (name, rows) for name, rows in _CLASSES.items()}
