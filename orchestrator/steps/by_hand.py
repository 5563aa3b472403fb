"""The commands that a person gives where the catalogue has none: they are printed, never sent.

Sources: Microsoft Learn, ActiveDirectory module, Set-ADUser (``-Replace``, ``-Clear``, ``-ServicePrincipalNames``,
``-PrincipalsAllowedToDelegateToAccount``), Set-ADAccountControl (``-TrustedToAuthForDelegation``, ``-Enabled``) and
Set-ADObject (``-Add``, ``-Remove``); WebAdministration, Start-WebAppPool. Quoting: about_Quoting_Rules, single-quoted
strings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.model.directory import ACCOUNT_DISABLED, DELEGATED_BY, SILOS

TRUSTED_TO_AUTHENTICATE = 0x1000000
"""userAccountControl bit TRUSTED_TO_AUTH_FOR_DELEGATION (MS-ADTS 2.2.16)."""


@dataclass(frozen=True)
class Target:
    """The account that a command is about, and the domain controller to write to."""

    guid: str
    dn: str
    server: str


def account(target: Target, name: str, was: Any, now: Any) -> str:
    """Return what gives an account one attribute back as it was.

    Args:
        target: the account.
        name: the attribute, as the snapshot names it.
        was: its value in the snapshot; None or empty where it was unset.
        now: its value now.
    """
    user = f"Set-ADUser -Identity {target.guid} -Server {target.server}"
    match name:
        case "userAccountControl":
            return _control(target, int(was or 0))
        case "servicePrincipalName":
            missing = [spn for spn in was or () if spn not in (now or ())]
            return f"{user} -ServicePrincipalNames @{{Add={_list(missing)}}}"
        case _ if name == DELEGATED_BY:
            return f"{user} -{DELEGATED_BY} {_list(was) if was else '$null'}"
        case _ if name == SILOS[1]:
            return "; ".join(_silos(target, set(was or ()), set(now or ())))
        case _ if was:
            return f"{user} -Replace @{{{_quoted(name)}={_list(was)}}}"
        case _:
            return f"{user} -Clear {_quoted(name)}"


def workload(what: str) -> str:
    """Return what starts a workload, which is said with its kind: ``service App``, ``application pool Web``."""
    pool = what.removeprefix("application pool ")
    if pool != what:
        return f"Start-WebAppPool -Name {_quoted(pool)}"
    return f"Start-Service -Name {_quoted(what.removeprefix('service '))}"


def resetting(dmsa: str, account: str, server: str) -> str:
    """Return the command that unlinks a pair from whatever state it is in, given both objects' DNs."""
    return (
        f"Reset-ADServiceAccountMigration -Identity {_quoted(dmsa)} -SupersededAccount {_quoted(account)} "
        f"-Server {server}"
    )


def _control(target: Target, was: int) -> str:
    trusted = "$true" if was & TRUSTED_TO_AUTHENTICATE else "$false"
    enabled = "$false" if was & ACCOUNT_DISABLED else "$true"
    ends = f"-Identity {target.guid} -Server {target.server}"
    return f"Set-ADAccountControl {ends} -TrustedToAuthForDelegation {trusted} -Enabled {enabled}"


def _silos(target: Target, was: set[str], now: set[str]) -> list[str]:
    """Return what puts the account back into silos, and out of others: the silo holds the list (MS-ADA2)."""
    changes = [("Add", silo) for silo in sorted(was - now)] + [("Remove", silo) for silo in sorted(now - was)]
    member = f"@{{'msDS-AuthNPolicySiloMembers'={_quoted(target.dn)}}}"
    return [
        f"Set-ADObject -Identity {_quoted(silo)} -Server {target.server} -{verb} {member}" for verb, silo in changes
    ]


def _list(value: Any) -> str:
    return ",".join(_quoted(str(item)) for item in (value if isinstance(value, list | tuple) else [value]))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
