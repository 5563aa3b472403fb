"""The directory, asked: the domain's names, each account, the computers of an organisational unit, free names.

Conversations; whoever carries them sends and answers. An account that is a user costs one pipeline. Raw attributes are
asked for where the module has a property of its own, because those are what MS-ADA1 to MS-ADA3 and MS-ADTS define.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar

from pydantic import ValidationError

from orchestrator.discovery.found import AccountFound, ComputerLeft
from orchestrator.discovery.spelling import Domain
from orchestrator.discovery.suggest import suggest
from orchestrator.guards.account import DIRECTORY_OPERATORS, PRIVILEGED_BUILTIN, PRIVILEGED_RIDS
from orchestrator.guards.catalog import of_catalog
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.directory import ACCOUNT_DISABLED, ACCOUNT_LINK, DELEGATED_BY, complaint, sam_account_name
from orchestrator.model.dn import domain_dn
from orchestrator.model.escape import ldap
from orchestrator.model.observation import Outcome, Record, Reply, Unreadable
from orchestrator.model.plan import Directory, Host

T = TypeVar("T")
Talk: TypeAlias = Generator[Read, Reply, T]

_TRUSTED_FOR_DELEGATION, _ANY_PROTOCOL = 0x80000, 0x1000000
"""userAccountControl bits TRUSTED_FOR_DELEGATION, TRUSTED_TO_AUTHENTICATE_FOR_DELEGATION (MS-ADTS 2.2.16)."""
_CONTROLLER = 0x2000 | 0x4000000
"""SERVER_TRUST_ACCOUNT, PARTIAL_SECRETS_ACCOUNT: domain controllers, read-only ones too (the same)."""
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
"""Where a FILETIME begins (MS-DTYP 2.3.3)."""
_NEVER = 0x7FFFFFFFFFFFFFFF
_NAMES_AT_ONCE = 200
_ACCOUNT = (
    "servicePrincipalName",
    "userAccountControl",
    "msDS-AllowedToDelegateTo",
    DELEGATED_BY,
    "msDS-SupportedEncryptionTypes",
    "lastLogonTimestamp",
    "pwdLastSet",
    "adminCount",
    "primaryGroupID",
    ACCOUNT_LINK,
)


def domain_course(directory: Directory) -> Talk[Domain]:
    """Ask for the domain's names, and whether its controller knows the whole forest's.

    Raises:
        Unreadable: it does not say.
    """
    controllers = cmdlet("Get-ADDomainController", Filter="*", Server=directory.server)
    reply = yield Read(directory.endpoint, (cmdlet("Get-ADDomain", Server=directory.server), controllers))
    found = next(reply.of("ADDomain"), None)
    if found is None:
        raise Unreadable(f"{directory.endpoint} did not say what the domain is called: {complaint(reply)}")
    catalog = any(
        str(one.get("HostName")).lower() == directory.server.lower() and one.get("IsGlobalCatalog") is True
        for one in reply.of("ADDomainController")
    )
    return Domain(found.text("DNSRoot"), found.text("NetBIOSName"), catalog)


def account_course(directory: Directory, dn: str) -> Talk[AccountFound]:
    """Ask for one account: what it is, may do and belongs to. Remote trouble is in the answer."""
    user = cmdlet("Get-ADUser", Identity=dn, Properties=_ACCOUNT, Server=directory.server)
    reply = yield Read(directory.endpoint, (_groups(directory, dn), user))
    record = next(reply.of("ADUser"), None)
    if record is None:
        return (yield from _no_user(directory, dn, reply))
    try:
        own = record.text("DistinguishedName")
        if own != dn and not reply.errors:  # a filter that spells the name otherwise need not find the same
            reply = yield Read(directory.endpoint, (_groups(directory, own),))
        if reply.errors or reply.outcome is not Outcome.SUCCEEDED:
            return AccountFound(dn, fault=f"{dn} could not be read in full: {complaint(reply)}")
        return _account(dn, record, list(reply.of("ADGroup")))
    except Unreadable as trouble:
        return AccountFound(dn, fault=f"{dn} gave an answer that cannot be read: {trouble}")


def _groups(directory: Directory, dn: str) -> Cmdlet:
    """Ask for every group of an account, nested too (MS-ADTS 3.1.1.3.4.4.3, LDAP_MATCHING_RULE_TRANSITIVE_EVAL)."""
    chain = f"(member:1.2.840.113556.1.4.1941:={ldap(dn)})"
    return cmdlet("Get-ADGroup", LDAPFilter=chain, Server=directory.server)


def _no_user(directory: Directory, dn: str, first: Reply) -> Talk[AccountFound]:
    """Say what it is instead, or that there is none."""
    if not any(error.category == "ObjectNotFound" for error in first.errors):
        return AccountFound(dn, fault=f"{dn} could not be read: {complaint(first)}")
    reply = yield Read(
        directory.endpoint,
        (cmdlet("Get-ADObject", Identity=dn, Properties=("sAMAccountName",), Server=directory.server),),
    )
    found = next(reply.of("ADObject"), None)
    if found is not None:
        sam = found.text("sAMAccountName") if found.get("sAMAccountName") is not None else ""
        return AccountFound(dn, found.text("DistinguishedName"), found.text("ObjectClass"), sam=sam)
    if any(error.category == "ObjectNotFound" for error in reply.errors):
        return AccountFound(dn, fault=f"{dn} is not in the directory of {directory.server}")
    return AccountFound(dn, fault=f"{dn} could not be read: {complaint(reply)}")


def _account(asked: str, record: Record, groups: Sequence[Record]) -> AccountFound:
    control = record.number("userAccountControl")
    encryption = record.get("msDS-SupportedEncryptionTypes")
    return AccountFound(
        asked=asked,
        dn=record.text("DistinguishedName"),
        object_class=record.text("ObjectClass"),
        sam=record.text("SamAccountName"),
        sid=record.text("SID"),
        upn=_text(record, "UserPrincipalName"),
        enabled=not control & ACCOUNT_DISABLED,
        spns=tuple(sorted(record.texts("servicePrincipalName"))),
        unconstrained=bool(control & _TRUSTED_FOR_DELEGATION),
        any_protocol=bool(control & _ANY_PROTOCOL),
        delegates_to=tuple(sorted(record.texts("msDS-AllowedToDelegateTo"))),
        delegated_by=tuple(sorted(record.texts(DELEGATED_BY))),
        last_log_on=_moment(record, "lastLogonTimestamp"),
        password_set=_moment(record, "pwdLastSet"),
        privileged=tuple(_privileged(record, groups)),
        encryption=None if encryption is None else record.number("msDS-SupportedEncryptionTypes"),
        linked=_text(record, ACCOUNT_LINK),
    )


def _privileged(record: Record, groups: Sequence[Record]) -> list[str]:
    signs = []
    for group in groups:
        sid, name = group.text("SID"), group.text("Name")
        relative = sid.startswith("S-1-5-21-") and int(sid.rsplit("-", 1)[-1]) in PRIVILEGED_RIDS
        if relative or sid in PRIVILEGED_BUILTIN or name.lower() in DIRECTORY_OPERATORS:
            signs.append(f"member of {name}")
    if record.get("primaryGroupID") is not None and record.number("primaryGroupID") in PRIVILEGED_RIDS:
        signs.append(f"primary group {record.number('primaryGroupID')}")
    if record.get("adminCount") is not None and record.number("adminCount") == 1:
        signs.append("adminCount=1")
    return sorted(signs)


def _text(record: Record, name: str) -> str | None:
    return record.text(name) if record.get(name) is not None else None


def _moment(record: Record, name: str) -> datetime | None:
    """Return the time that a FILETIME says; None where it is unset, 0 or never."""
    value = record.get(name)
    if isinstance(value, datetime):
        return value
    ticks = 0 if value is None else record.number(name)
    return None if ticks <= 0 or ticks == _NEVER else _EPOCH + timedelta(microseconds=ticks // 10)


def computers_course(directory: Directory, unit: str) -> Talk[tuple[tuple[str, ...], tuple[ComputerLeft, ...]]]:
    """Ask which computers lie below an organisational unit; return their names, and those that are left out.

    A managed service account is a computer to a filter (MS-ADSC, its class), not to its own class.

    Raises:
        Unreadable: it does not say, or there is no such unit.
    """
    asked = cmdlet(
        "Get-ADObject",
        LDAPFilter="(objectClass=computer)",
        SearchBase=unit,
        SearchScope="Subtree",
        Properties=("dNSHostName", "userAccountControl"),
        Server=directory.server,
    )
    reply = yield Read(directory.endpoint, (asked,))
    if reply.outcome is not Outcome.SUCCEEDED or reply.errors:
        raise Unreadable(f"{directory.server} did not say which computers are below {unit}: {complaint(reply)}")
    names, left = [], []
    for one in reply.of("ADObject"):
        if one.text("ObjectClass").lower() == "computer":
            why = _why_left(one)
            if why:
                left.append(ComputerLeft(one.text("DistinguishedName"), why))
            else:
                names.append(one.text("dNSHostName"))
    return tuple(sorted(names, key=str.lower)), tuple(left)


def _why_left(computer: Record) -> str:
    control = computer.number("userAccountControl") if computer.get("userAccountControl") is not None else 0
    if control & _CONTROLLER:
        return "it is a domain controller"
    if control & ACCOUNT_DISABLED:
        return "its account is disabled"
    name = _text(computer, "dNSHostName")
    if not name:
        return "its account has no dNSHostName"
    try:
        Host(name=name)
    except ValidationError:
        return f"its dNSHostName, {name}, is no host name"
    return ""


def names_course(directory: Directory, domain: Domain, accounts: Sequence[AccountFound]) -> Talk[dict[str, str]]:
    """Find a name for the dMSA of each account: at most 15 characters, unique, and not taken in the forest.

    Where the domain controller is no global catalog, it is looked for in the domain only.

    Raises:
        Unreadable: it does not say which names are taken.
    """
    taken: set[str] = set()
    asked: set[str] = set()
    while True:
        names = suggest([(one.asked, one.sam) for one in accounts], taken)
        fresh = sorted(set(names.values()) - asked, key=str.lower)
        if not fresh:
            return names
        for start in range(0, len(fresh), _NAMES_AT_ONCE):
            part = fresh[start : start + _NAMES_AT_ONCE]
            reply = yield Read(directory.endpoint, (_of_names(directory, domain, part),))
            if reply.outcome is not Outcome.SUCCEEDED or reply.errors:
                raise Unreadable(f"{directory.server} did not say which names are taken: {complaint(reply)}")
            taken |= {one.text("sAMAccountName").removesuffix("$").lower() for one in reply.of("ADObject")}
        asked |= set(fresh)


def _of_names(directory: Directory, domain: Domain, names: Iterable[str]) -> Cmdlet:
    tests = "".join(f"(sAMAccountName={ldap(sam_account_name(name))})" for name in names)
    if domain.catalog:
        return of_catalog(directory.server, f"(|{tests})", ("sAMAccountName",))
    return cmdlet(
        "Get-ADObject",
        LDAPFilter=f"(|{tests})",
        SearchBase=domain_dn(domain.dns),
        SearchScope="Subtree",
        Properties=("sAMAccountName",),
        Server=directory.server,
    )
