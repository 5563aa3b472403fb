r"""Whom an account's name means: a DN, ``CORP\svc``, ``svc@corp.example`` or ``svc``, looked up in the plan's domain.

A plan names accounts by DN, and people by whatever they have. What means nobody, somebody of another domain, or two, is
said and not guessed.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from orchestrator.discovery.spelling import Domain
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.directory import complaint
from orchestrator.model.dn import domain_dn
from orchestrator.model.escape import ldap
from orchestrator.model.observation import Outcome, Record, Reply
from orchestrator.model.plan import Directory

T = TypeVar("T")
Talk: TypeAlias = Generator[Read, Reply, T]


@dataclass(frozen=True)
class Named:
    """Whom a name means: a DN, or the reason why there is none."""

    dn: str = ""
    fault: str = ""


def is_dn(text: str) -> bool:
    """Whether a name is meant as a distinguished name: no account's name has an equals sign.

    Microsoft Learn, "Naming conventions in Active Directory": what a log-on name cannot hold.
    """
    return "=" in text


def named_course(directory: Directory, domain: Domain, text: str) -> Talk[Named]:
    """Ask whom a name means. Remote trouble is in the answer."""
    sam, upn = _parts(text, domain)
    if not sam and not upn:
        return Named(fault=f"{text} is of another domain than {domain.dns}, in which its accounts are looked for")
    asked = _asked(directory, domain, sam, upn)
    reply = yield Read(directory.endpoint, (asked,))
    if reply.outcome is not Outcome.SUCCEEDED or reply.errors:
        return Named(fault=f"{directory.server} did not say whom {text} means: {complaint(reply)}")
    found = list(reply.of("ADObject"))
    own = [one for one in found if upn and str(one.get("userPrincipalName") or "").lower() == upn.lower()]
    meant = own or found  # a userPrincipalName that somebody was given counts before one that is implied
    if not meant:
        return Named(fault=f"nobody in {domain.dns} is called {text}")
    if len(meant) > 1:
        return Named(fault=f"{text} may be {' or '.join(sorted(map(_dn, meant)))}: name it by its DN")
    return Named(dn=_dn(meant[0]))


def _dn(record: Record) -> str:
    return record.text("DistinguishedName")


def _parts(text: str, domain: Domain) -> tuple[str, str]:
    """Return the sAMAccountName and the userPrincipalName that a name may be; empty for what it cannot be."""
    names = {domain.dns.lower(), domain.netbios.lower()}
    where, slash, sam = text.rpartition("\\")
    if slash:
        return (sam if where.lower() in names else ""), ""
    sam, at, suffix = text.rpartition("@")
    if at:
        return (sam if suffix.lower() in names else ""), text
    return text, ""


def _asked(directory: Directory, domain: Domain, sam: str, upn: str) -> Cmdlet:
    tests = [f"(sAMAccountName={ldap(sam)})"] if sam else []
    tests += [f"(userPrincipalName={ldap(upn)})"] if upn else []
    return cmdlet(
        "Get-ADObject",
        LDAPFilter=f"(|{''.join(tests)})",
        SearchBase=domain_dn(domain.dns),
        SearchScope="Subtree",
        Properties=("sAMAccountName", "userPrincipalName"),
        Server=directory.server,
    )
