"""The deletion rule, as a judgement over rows of the catalogue.

The original accounts are never deleted, and no other directory object either. This holds because no row can
say it; here is what "cannot say it" means, so that a new row is judged before anybody relies on it.
"""

from __future__ import annotations

from orchestrator.remote.rows import Effect, Row

READING_VERBS = frozenset({"Get", "Test", "Export"})
WRITING_VERBS = frozenset({"New", "Set", "Start", "Complete", "Undo", "Reset", "Enable", "Restart"})
SETTABLE = frozenset(
    {"ProtectedFromAccidentalDeletion", "PrincipalsAllowedToRetrieveManagedPassword", "ServicePrincipalNames"}
)
CARRIES_CODE = frozenset(
    {"ScriptBlock", "FilterScript", "Command", "FilePath", "Expression", "EncodedCommand", "ArgumentList"}
)
ELSEWHERE = frozenset({"ComputerName", "CimSession", "Session", "Credential", "AsJob"})
_HOST_VALUE = "Remove-ItemProperty"
_EXTERNAL = "wevtutil"


def objections(row: Row) -> tuple[str, ...]:
    """Say why a row must not be in the catalogue; nothing to say means that it may be."""
    return tuple(filter(None, (_verb(row), _set(row), _protection(row), _host_value(row), _emptied(row), *_open(row))))


def _verb(row: Row) -> str | None:
    if row.cmdlet in {_HOST_VALUE, _EXTERNAL}:
        return None
    verb, dash, noun = row.cmdlet.partition("-")
    if not dash or not noun.isalnum() or not noun.isascii():
        return f"{row.cmdlet} is not a cmdlet's name; a program's arguments cannot be constrained"
    if row.effect is Effect.READS:
        return None if verb in READING_VERBS else f"{row.cmdlet} is said to read, but {verb} is no reading verb"
    if verb not in WRITING_VERBS:
        return (
            f"{row.cmdlet}: {verb} could delete, move, rename or disable. The original accounts are never "
            "deleted, and nothing in the program may be able to express it"
        )
    if row.cmdlet.endswith("-ADAccount") and verb != "Enable":
        return f"{row.cmdlet}: an account may only be enabled"
    return None


def _set(row: Row) -> str | None:
    """Refuse the open ends of Set-AD*: Clear, Remove, Replace, Enabled and the like can undo an account."""
    if not row.cmdlet.startswith("Set-"):
        return None
    if not row.cmdlet.startswith("Set-AD"):
        return f"{row.cmdlet} sets something that no step needs set"
    extra = row.parameters - SETTABLE - {"Identity", "Server"}
    return f"{row.cmdlet} may not take {', '.join(sorted(extra))}" if extra else None


def _protection(row: Row) -> str | None:
    name = "ProtectedFromAccidentalDeletion"
    lifted = any(name in form and form.kind(name).accepts(False) for form in row.forms)
    return f"{row.cmdlet} could lift the protection from deletion" if lifted else None


def _host_value(row: Row) -> str | None:
    """Let the one Remove- reach the one registry value, and nothing through another path."""
    if row.cmdlet != _HOST_VALUE:
        return None
    fixed = {"LiteralPath", "Name"}
    probes = ("*", "DistinguishedName", r"AD:\CN=svc,DC=corp,DC=example", r"HKLM:\SOFTWARE")
    exact = all(
        form.required.keys() == fixed
        and not form.optional
        and not any(form.kind(name).accepts(probe) for name in fixed for probe in probes)
        for form in row.forms
    )
    return None if exact else f"{row.cmdlet} may remove one registry value and nothing else"


def _emptied(row: Row) -> str | None:
    if row.cmdlet == "New-Item" and "Force" in row.parameters:
        return "New-Item -Force empties a registry key that exists"
    return None


def _open(row: Row) -> tuple[str, ...]:
    code = row.parameters & CARRIES_CODE
    away = row.parameters & ELSEWHERE
    return tuple(
        [f"{row.cmdlet} -{name} would carry code" for name in sorted(code)]
        + [f"{row.cmdlet} -{name} would reach past the endpoint that was meant" for name in sorted(away)]
    )
