"""Who may use a dMSA and is no host of its plan: computers by name or through a group, and what is known about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import ACCOUNT_DISABLED, complaint
from orchestrator.model.escape import IN_CHAIN, ldap
from orchestrator.model.event import UnknownHost
from orchestrator.model.filetime import moment, ticks
from orchestrator.model.observation import Outcome, Record, Reply, Unreadable
from orchestrator.model.written import write_moment

UNKNOWN_HOST = (
    "a host that belongs to the account: `dmsa amend` it into the plan; any other: find out what logs on there as the "
    "account, and as a person take it off the list (nothing here does); or waive `no-unknown-host`"
)
_ABOUT = ("dNSHostName", "operatingSystem", "operatingSystemVersion", "lastLogonTimestamp", "userAccountControl")
_CONTROLLER = 0x2000 | 0x4000000
"""SERVER_TRUST_ACCOUNT, PARTIAL_SECRETS_ACCOUNT: domain controllers, read-only ones too (MS-ADTS 2.2.16)."""


@dataclass(frozen=True)
class Others:
    """Principals that are not on the list as plan hosts: plan hosts that a group lets in, and everybody else."""

    hosts: frozenset[str] = frozenset()
    unknown: tuple[UnknownHost, ...] = ()


def _who_are(case: Case, principals: tuple[str, ...]) -> Cmdlet:
    """Ask which of the principals are computers, and what is known about them."""
    names = "".join(f"(distinguishedName={ldap(dn)})" for dn in principals)
    return cmdlet("Get-ADComputer", LDAPFilter=f"(|{names})", Properties=_ABOUT, Server=case.server)


def _members(case: Case, group: str) -> Cmdlet:
    """Ask which computers are in a group, also through others; it travels alone, for a member does not say of what."""
    filter_ = f"(memberOf:{IN_CHAIN}:={ldap(group)})"
    return cmdlet("Get-ADComputer", LDAPFilter=filter_, Properties=_ABOUT, Server=case.server)


def others_seen(case: Case, seen: Seen, principals: tuple[str, ...]) -> Others | tuple[Read, ...]:
    """Say who these principals are, or return what must be asked first; that is nothing where there are none.

    Raises:
        Unreadable: an answer is missing.
    """
    if not principals:
        return Others()
    reply = answer_to(case, seen, _who_are(case, principals), f"who {', '.join(principals)} is")
    if reply is None:
        return (Read(case.endpoint, (_who_are(case, principals),)),)
    computers = {record.text("DistinguishedName").lower(): record for record in reply.of("ADComputer")}
    groups = [dn for dn in principals if dn.lower() not in computers]
    replies = {dn: answer_to(case, seen, _members(case, dn), f"who is in {dn}") for dn in groups}
    unread = tuple(Read(case.endpoint, (_members(case, dn),)) for dn, known in replies.items() if known is None)
    if unread:
        return unread
    listed = [_about(computers[dn.lower()], None) for dn in principals if dn.lower() in computers]
    inside = [one for dn, known in replies.items() if known for one in _inside(dn, known)]
    return _sorted_out((*listed, *inside), {name.lower(): name for name in case.planned_hosts})


def _inside(group: str, reply: Reply) -> list[UnknownHost]:
    members = [_about(record, group) for record in reply.of("ADComputer")]
    return members or [UnknownHost(name=group, principal=group)]


def _sorted_out(found: Iterable[UnknownHost], spelled: Mapping[str, str]) -> Others:
    unknown: dict[str, UnknownHost] = {}
    hosts: set[str] = set()
    for one in found:
        if one.name in spelled:
            hosts.add(spelled[one.name])
        else:
            unknown.setdefault(one.name, one)
    return Others(frozenset(hosts), tuple(unknown[name] for name in sorted(unknown)))


def answer_to(case: Case, seen: Seen, statement: Cmdlet, about: str) -> Reply | None:
    """Return the pinned domain controller's answer to a statement; None if it was not asked.

    Raises:
        Unreadable: it was asked in vain.
    """
    reply = seen.reply_to(statement, case.endpoint)
    if reply is not None and reply.outcome is not Outcome.SUCCEEDED:
        raise Unreadable(f"{case.server} did not answer for {about}: {complaint(reply)}")
    return reply


def dns_name(record: Record) -> str:
    """Return a computer's DNS name, in lower case; its DN where it has none."""
    return str(record.get("dNSHostName") or record.text("DistinguishedName")).lower()


def _about(record: Record, through: str | None) -> UnknownHost:
    control, last = record.get("userAccountControl"), record.get("lastLogonTimestamp")
    return UnknownHost(
        name=dns_name(record),
        principal=record.text("DistinguishedName"),
        through=through,
        computer=True,
        os=_text(record, "operatingSystem"),
        os_version=_text(record, "operatingSystemVersion"),
        last_log_on=moment(ticks(last, "lastLogonTimestamp")) if last else None,
        enabled=None if control is None else not record.number("userAccountControl") & ACCOUNT_DISABLED,
        controller=None if control is None else bool(record.number("userAccountControl") & _CONTROLLER),
    )


def _text(record: Record, name: str) -> str | None:
    return record.text(name) if record.get(name) is not None else None


def known_of(one: UnknownHost) -> str:
    """Say who somebody is that may use the dMSA and is no host of the plan."""
    if not one.computer:
        return f"{one.name} (no computer of this domain: a group without computers, a user, or of another domain)"
    known = [" ".join(part for part in (one.os or "operating system not given", one.os_version) if part)]
    known.append(f"last log-on {write_moment(one.last_log_on)}" if one.last_log_on else "no log-on known")
    known += ["disabled"] if one.enabled is False else []
    known += ["a domain controller"] if one.controller else []
    known += [f"through the group {one.through}"] if one.through else []
    return f"{one.name} ({', '.join(known)})"
