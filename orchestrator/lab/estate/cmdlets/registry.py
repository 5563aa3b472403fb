"""The few registry keys that the estate has: the Kerberos client's parameters, and the Windows version.

Source: Microsoft Learn, "Setting up delegated Managed Service Accounts" (the key and its value), and the
registry provider's pages of the cmdlets. ``New-Item -Force`` on an existing key empties it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from orchestrator.lab.command import LabError, LabObject
from orchestrator.lab.estate import refusals
from orchestrator.lab.estate.cmdlets.table import Invocation, cmdlet
from orchestrator.lab.estate.machine import Machine

PARENT = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos"
KEY = PARENT + r"\Parameters"
VERSION = r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
VALUE = "DelegatedMSAEnabled"

_ABOVE = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
_ALWAYS = frozenset({_ABOVE.lower(), VERSION.lower(), r"hklm:\software"})


def _exists(machine: Machine, path: str) -> bool:
    folded = _folded(path)
    if folded == KEY.lower():
        return machine.kerberos != "no-key"
    if folded == PARENT.lower():
        return machine.kerberos != "no-key" or machine.kerberos_parent
    return folded in _ALWAYS


def _folded(path: str) -> str:
    return path.rstrip("\\").lower()


def _path_not_found(call: Invocation, path: str) -> LabError:
    exception = "System.Management.Automation.ItemNotFoundException"
    message = f"Cannot find path '{path}' because it does not exist."
    return refusals.record(call.name, "PathNotFound", "ObjectNotFound", exception, message, path)


def _values(machine: Machine, path: str) -> dict[str, object]:
    if _folded(path) == KEY.lower():
        return {VALUE: machine.kerberos} if isinstance(machine.kerberos, int) else {}
    if _folded(path) == VERSION.lower():
        build = str(machine.spec.build)
        product = "Windows 11 Enterprise" if machine.spec.client else "Windows Server"
        return {"CurrentBuild": build, "CurrentBuildNumber": build, "UBR": machine.spec.ubr, "ProductName": product}
    return {}


def _item(path: str, values: dict[str, object]) -> LabObject:
    plain = path.rstrip("\\")
    above, _, child = plain.rpartition("\\")
    provider = "Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE"
    notes: dict[str, object] = {
        **values,
        "PSPath": provider + plain.removeprefix("HKLM:"),
        "PSParentPath": provider + above.removeprefix("HKLM:"),
        "PSChildName": child,
        "PSDrive": "HKLM",
        "PSProvider": "Microsoft.PowerShell.Core\\Registry",
    }
    types = ("System.Management.Automation.PSCustomObject", "System.Object")
    return LabObject(types, notes, None, frozenset(notes))


@cmdlet("Test-Path", "LiteralPath!:text")
def test_path(call: Invocation) -> Iterator[object]:
    """Say whether a key exists."""
    yield _exists(call.machine, call.text("LiteralPath"))


@cmdlet("Get-ItemProperty", "LiteralPath!:text Name:texts")
def get_item_property(call: Invocation) -> Iterator[object]:
    """Read values of a key."""
    path = call.text("LiteralPath")
    if not _exists(call.machine, path):
        call.error(_path_not_found(call, path))
        return
    values = _values(call.machine, path)
    if not call.given("Name"):
        if values:
            yield _item(path, values)
        return
    found: dict[str, object] = {}
    for name in call.texts("Name"):
        match = next((pair for pair in values.items() if pair[0].lower() == name.lower()), None)
        if match is None:
            call.error(_property_not_found(call, path, name))
        else:
            found[match[0]] = match[1]
    if found:
        yield _item(path, found)


def _property_not_found(call: Invocation, path: str, name: str) -> LabError:
    exception = "System.Management.Automation.PSArgumentException"
    message = f"Property {name} does not exist at path {path}."
    return refusals.record(call.name, exception, "InvalidArgument", exception, message, name)


def _hosts_right(call: Invocation) -> None:
    if "hosts" not in call.rights:
        exception = "System.Security.SecurityException"
        message = "Requested registry access is not allowed."
        raise call.fail(refusals.record(call.name, exception, "PermissionDenied", exception, message))


@cmdlet("New-Item", "Path!:text Force:flag", writes=True)
def new_item(call: Invocation) -> Iterator[object]:
    """Create a key; on an existing one an error, with ``-Force`` an emptied key."""
    _hosts_right(call)
    path, machine = call.text("Path"), call.machine
    folded = _folded(path)
    if folded not in {PARENT.lower(), KEY.lower()}:
        exception = "System.IO.IOException"
        message = f"The lab has no key at '{path}' and creates none."
        call.error(refusals.record(call.name, exception, "WriteError", exception, message, path))
        return
    if _exists(machine, path) and not call.flag("Force"):
        exception = "System.IO.IOException"
        message = "A key in this path already exists."
        call.error(refusals.record(call.name, exception, "ResourceExists", exception, message, path))
        return
    if folded == KEY.lower():
        if not _exists(machine, PARENT) and not call.flag("Force"):
            exception = "System.ArgumentException"
            message = "The registry key at the specified path does not exist."
            call.error(refusals.record(call.name, exception, "InvalidArgument", exception, message, path))
            return
        machine.kerberos = "absent"
    elif _exists(machine, path):
        machine.kerberos = "no-key"
    machine.kerberos_parent = True
    types = ("Microsoft.Win32.RegistryKey", "System.MarshalByRefObject", "System.Object")
    yield LabObject(types, {"Name": path.replace("HKLM:", "HKEY_LOCAL_MACHINE"), "ValueCount": 0, "SubKeyCount": 0})


@cmdlet("New-ItemProperty", "LiteralPath!:text Name!:text Value:any PropertyType:text Force:flag", writes=True)
def new_item_property(call: Invocation) -> Iterator[object]:
    """Create a value; an existing one is overwritten with ``-Force`` only."""
    _hosts_right(call)
    path, machine = call.text("LiteralPath"), call.machine
    if not _exists(machine, path):
        call.error(_path_not_found(call, path))
        return
    if _folded(path) != KEY.lower() or call.text("Name").lower() != VALUE.lower():
        raise call.fail(refusals.access_denied(call.name, path))
    value = _dword(call)
    if isinstance(machine.kerberos, int) and not call.flag("Force"):
        exception = "System.IO.IOException"
        message = "The property already exists."
        call.error(refusals.record(call.name, exception, "WriteError", exception, message, path))
        return
    machine.kerberos = value
    yield _item(path, {VALUE: value})


def _dword(call: Invocation) -> Literal[0, 1]:
    value = call.value("Value")
    if call.text("PropertyType", "String").lower() != "dword" or str(value) not in {"0", "1"}:
        raise call.fail(refusals.bad_value(call.name, "Value", "The lab keeps this value as a DWord 0 or 1."))
    return 1 if str(value) == "1" else 0


@cmdlet("Remove-ItemProperty", "LiteralPath!:text Name!:text Force:flag", writes=True)
def remove_item_property(call: Invocation) -> Iterator[object]:
    """Remove a value."""
    _hosts_right(call)
    path, machine = call.text("LiteralPath"), call.machine
    if not _exists(machine, path):
        call.error(_path_not_found(call, path))
    elif call.text("Name").lower() != VALUE.lower() or _folded(path) != KEY.lower():
        raise call.fail(refusals.access_denied(call.name, path))
    elif machine.kerberos == "absent":
        call.error(_property_not_found(call, path, call.text("Name")))
    else:
        machine.kerberos = "absent"
    yield from ()
