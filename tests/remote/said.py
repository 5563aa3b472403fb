"""What may be said to a far side: written apart from the gate and the catalogue, to hold them against.

Three witnesses in one. The lab's own table knows every cmdlet with its parameters and their types. :data:`WRITES` says
in plain expressions what each write may carry, and nothing else may write. :func:`never` says what no call may carry,
whatever any table says. Nothing of ``orchestrator.remote`` is imported here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from orchestrator.lab.command import Command
from orchestrator.lab.estate.cmdlets import TABLE
from orchestrator.lab.estate.cmdlets.table import bind
from orchestrator.lab.estate.refusals import Terminating

KERBEROS = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos"
KEY = KERBEROS + r"\Parameters"
PATHS = {
    "Test-Path": {KERBEROS, KEY},
    "New-Item": {KERBEROS, KEY},
    "New-ItemProperty": {KEY},
    "Remove-ItemProperty": {KEY},
    "Get-ItemProperty": {KEY, r"HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion"},
}
"""The only provider paths there are."""

_HOST = r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?"
_ATTRIBUTE = r"([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)*)"
_DN = rf"\s*{_ATTRIBUTE}\s*=(?s:.*)"
_GUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_SPN = r"[^/]+/[^/]+(/[^/]+)?"
_EXACT = r"[^*?\[\]`]+"
_PRINCIPAL = rf"{_DN}|{_GUID}|S-1-[0-9-]+|[A-Za-z0-9_.-]+\$"
_OBJECT = rf"{_DN}|{_GUID}"
_PAIR = {"Identity": _DN, "SupersededAccount": _DN, "Server": _HOST}

WRITES: Mapping[str, tuple[Mapping[str, object], ...]] = {
    "New-ADServiceAccount": (
        {
            "Name": r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}",
            "DNSHostName": _HOST,
            "CreateDelegatedServiceAccount": True,
            "Server": _HOST,
            "KerberosEncryptionType": "(RC4|AES128|AES256)",
            "Path": _DN,
            "Description": r"dmsa run [A-Za-z0-9._:-]+",
            "PrincipalsAllowedToRetrieveManagedPassword": _PRINCIPAL,
        },
    ),
    "Set-ADObject": ({"Identity": _OBJECT, "ProtectedFromAccidentalDeletion": True, "Server": _HOST},),
    "Start-ADServiceAccountMigration": (_PAIR,),
    "Complete-ADServiceAccountMigration": (_PAIR,),
    "Undo-ADServiceAccountMigration": (_PAIR,),
    "Reset-ADServiceAccountMigration": (_PAIR,),
    "Set-ADServiceAccount": (
        {"Identity": _OBJECT, "PrincipalsAllowedToRetrieveManagedPassword": _PRINCIPAL, "Server": _HOST},
        {"Identity": _OBJECT, "ServicePrincipalNames": {"Remove": _SPN}, "Server": _HOST},
    ),
    "Set-ADUser": ({"Identity": _OBJECT, "ServicePrincipalNames": {"Add": _SPN}, "Server": _HOST},),
    "Enable-ADAccount": ({"Identity": _OBJECT, "Server": _HOST},),
    "New-Item": ({"Path": "|".join(map(re.escape, sorted(PATHS["New-Item"])))},),
    "New-ItemProperty": (
        {
            "LiteralPath": re.escape(KEY),
            "Name": "DelegatedMSAEnabled",
            "Value": (0, 1),
            "PropertyType": "DWord",
            "Force": True,
        },
    ),
    "Remove-ItemProperty": ({"LiteralPath": re.escape(KEY), "Name": "DelegatedMSAEnabled"},),
    "wevtutil": ({"arguments": r"sl|/e:true|Microsoft-Windows-(Security-)?Kerberos/Operational"},),
    "Restart-Service": ({"Name": _EXACT, "Force": True, "PassThru": True},),
    "Start-Service": ({"Name": _EXACT},),
    "Start-ScheduledTask": ({"TaskPath": rf"\\({_EXACT}\\)*", "TaskName": _EXACT},),
    "Restart-WebAppPool": ({"Name": _EXACT},),
    "Restart-Computer": ({"Force": True},),
}
"""Every cmdlet that may change anything, and for each parameter the whole of what it may carry."""

_ALLOWED = "PrincipalsAllowedToRetrieveManagedPassword"
OPTIONAL = {
    "New-ADServiceAccount": {"KerberosEncryptionType", "Path", "Description", _ALLOWED},
    "New-ItemProperty": {"Force"},
    "Restart-Service": {"Force", "PassThru"},
}
LEFT_OUT: Mapping[str, Mapping[str, object]] = {"Export-ScheduledTask": {"TaskName": "Nightly"}}
"""What Windows lets be left out (every task is exported then; Microsoft Learn), and the lab does not."""
LISTS = {"KerberosEncryptionType", "PrincipalsAllowedToRetrieveManagedPassword", "Add", "Remove", "arguments"}
READING = ("Get-", "Test-", "Export-")
DESTROYS = ("Remove", "Clear", "Disable", "Rename", "Move", "Uninstall", "Unregister", "Stop", "Invoke")
_EXPANDED = {"Name", "TaskName", "TaskPath", "ListLog"}
"""Parameters in which a cmdlet would expand wildcards."""
_NAMES = {"Identity", "SupersededAccount", "Server", "Path", "SearchBase", "Target", "Base"}
_LITERAL = {("Get-ADDomainController", "Filter"): "*", ("Get-WinEvent", "ListLog"): "*Kerberos*"}


def objection(name: str, parameters: Mapping[str, object], *, writes: bool, ldap: bool = False) -> str | None:
    """Say why this must not have reached a far side; None where nothing stands against it.

    ``writes``: it travelled as a write. ``ldap``: it went to a domain controller's LDAP port.
    """
    wrong = next(never(name, parameters), None)
    if wrong is not None:
        return wrong
    if name == "wevtutil":  # a program: the far side sees its arguments one by one
        return _write(name, parameters) if writes and not ldap else "a program is started"
    row = TABLE.get(name.lower())
    if row is None or row.name != name:
        return f"the far side has no {name!r}"
    if (row.where == "ldap") is not ldap or row.where == "pipeline":
        return f"{name} does not go there"
    if row.writes is not writes:
        return f"{name} travelled as what it is not"
    exact = {shown for shown, _ in row.parameters.values()}
    if not parameters.keys() <= exact:
        return f"{name} has no {min(parameters.keys() - exact)!r}"
    try:
        bind(Command(name, {**LEFT_OUT.get(name, {}), **parameters}), row)
    except Terminating as refused:
        return f"the far side cannot bind it: {refused}"
    return _write(name, parameters) if writes else None


def never(name: str, parameters: Mapping[str, object]) -> Iterator[str]:
    """Yield what no call may be or carry, whatever it is called."""
    verb, _, noun = name.partition("-")
    if verb in DESTROYS and name != "Remove-ItemProperty":
        yield f"{name} destroys"
    if "AD" in noun and verb not in {"Get", "New", "Set", "Start", "Complete", "Undo", "Reset", "Enable"}:
        yield f"{name} on a directory object"
    for parameter, value in parameters.items():
        if type(parameter) is not str:
            yield f"{name} has a parameter that is not named by text"
            return
        for text in _texts(value):
            wrong = _text(name, parameter, text) if type(text) is str else f"a {type(text).__name__}"
            if wrong:
                yield f"{name} -{parameter} carries {wrong}"


def _text(name: str, parameter: str, text: str) -> str | None:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        return "a control character"
    if (name, parameter) in _LITERAL:
        return None if text == _LITERAL[name, parameter] else "a wildcard"
    if parameter in _EXPANDED and set(text) & set("*?[]`"):
        return "a wildcard"
    if name in PATHS and parameter in {"Path", "LiteralPath"}:
        return None if text in PATHS[name] else "another place"
    if name not in PATHS and parameter in _NAMES and re.match(r"[A-Za-z.]*:(?!3268$)", text):
        return "a provider's path"
    if parameter in {"Server", "Target"} and not re.fullmatch(rf"{_HOST}(:3268)?", text):
        return "another address than a host's"
    return None


def _texts(value: object) -> Iterator[object]:
    """Yield every text in a value, and whatever is none of the plain kinds of value."""
    if type(value) in (tuple, list):
        for item in value:  # type: ignore[attr-defined]
            yield from _texts(item)
    elif type(value) is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            yield from _texts(key)
            yield from _texts(item)
    elif value is not None and type(value) not in (bool, int, UUID, datetime):
        yield value


def _write(name: str, parameters: Mapping[str, object]) -> str | None:
    given = {key: value for key, value in parameters.items() if key != "ErrorAction"}
    action = parameters.get("ErrorAction", "Stop")
    if action not in {"Stop", "Continue", "SilentlyContinue"}:
        return f"{name} -ErrorAction {action!r}"
    for form in WRITES.get(name, ()):
        needed = form.keys() - OPTIONAL.get(name, set())
        if needed <= given.keys() <= form.keys() and all(_fits(key, form[key], value) for key, value in given.items()):
            return None
    return f"{name} may not be sent like this"


def _fits(name: str, wanted: object, value: object) -> bool:
    if isinstance(wanted, dict):
        return (
            type(value) is dict
            and value.keys() == wanted.keys()
            and all(_fits(key, wanted[key], item) for key, item in value.items())
        )
    if isinstance(wanted, tuple):
        return type(value) is int and value in wanted
    if wanted is True:
        return value is True
    if name in LISTS:
        return type(value) in (tuple, list) and bool(value) and all(_fits("", wanted, item) for item in value)  # type: ignore[attr-defined]
    if type(value) is UUID:
        value = str(value)
    return type(value) is str and re.fullmatch(str(wanted), value) is not None
