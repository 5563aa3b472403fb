"""What a forest says of itself where documents contradict each other: its schema, level, root keys and logs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from orchestrator.model.call import Read, cmdlet
from orchestrator.model.directory import ACCOUNT_BACK_LINK, DMSA_BACK_LINK, DMSA_LINK, complaint
from orchestrator.model.observation import Record, Unreadable
from orchestrator.probe.judge import Answer, unknown
from orchestrator.probe.look import Asking, Subject
from orchestrator.probe.reads import Reading

_BACK_LINKS = (ACCOUNT_BACK_LINK, DMSA_BACK_LINK)
_CARRIES = ("mayContain", "systemMayContain", "mustContain", "systemMustContain")
_LEVEL = "msDS-Behavior-Version"
_LEVEL_2025 = 10
"""A domain's functional level of Windows Server 2025 (Microsoft Learn, What's new in Windows Server 2025)."""
_LOGS = frozenset({"Microsoft-Windows-Security-Kerberos/Operational", "Microsoft-Windows-Kerberos/Operational"})
"""The two names that reports give the log."""
_DELAYS = {timedelta(hours=10): "10 hours", timedelta(days=10): "10 days"}
"""The two delays that documents name."""
_NEARLY = timedelta(minutes=15)
"""By how much a key's times may miss one of them, for they need not be taken at the same moment."""


def _context(subject: Subject, name: str) -> Asking[str]:
    reply = yield Read(subject.endpoint, (cmdlet("Get-ADRootDSE", Properties=(name,), Server=subject.server),))
    for record in reply.of("ADRootDSE"):
        return record.text(name)
    raise Unreadable(f"{subject.server} did not say its {name}: {complaint(reply)}")


def _schema(subject: Subject, wanted: str, *properties: str) -> Asking[dict[str, Record]]:
    """Return what the schema has under this filter, by name.

    Raises:
        Unreadable: it shows nothing.
    """
    base = yield from _context(subject, "schemaNamingContext")
    asked = cmdlet(
        "Get-ADObject",
        LDAPFilter=wanted,
        SearchBase=base,
        SearchScope="OneLevel",
        Properties=("lDAPDisplayName", *properties),
        Server=subject.server,
    )
    reply = yield Read(subject.endpoint, (asked,))
    found = {record.text("lDAPDisplayName"): record for record in reply.of("ADObject")}
    if not found:
        raise Unreadable(f"the schema shows nothing of it: {complaint(reply)}")
    return found


def _any(attributes: Iterable[str], values: Iterable[str]) -> str:
    return f"(|{''.join(f'({attribute}={value})' for value in values for attribute in attributes)})"


def _carriers(subject: Subject, _others: tuple[str, ...]) -> Asking[Answer]:
    wanted = f"(&(objectClass=classSchema){_any(_CARRIES, _BACK_LINKS)})"
    classes = yield from _schema(subject, wanted, *_CARRIES)
    on = {link: [name for name in sorted(classes) if _carries(classes[name], link)] for link in _BACK_LINKS}
    says = "; ".join(f"{link} on {', '.join(on[link]) or 'no class'}" for link in _BACK_LINKS)
    return Answer(says, "as the schema has it")


def _carries(record: Record, attribute: str) -> bool:
    return any(attribute.lower() == name.lower() for kind in _CARRIES for name in record.texts(kind))


def _flags(subject: Subject, _others: tuple[str, ...]) -> Asking[Answer]:
    found = yield from _schema(subject, _any(("lDAPDisplayName",), _BACK_LINKS), "systemFlags")
    flags = {link: found[link].number("systemFlags") for link in _BACK_LINKS if link in found}
    if len(flags) < len(_BACK_LINKS):
        return unknown(f"the schema shows {', '.join(flags)} only")
    return Answer("; ".join(f"{link} {number}" for link, number in flags.items()), "as the schema has it")


def _closed(subject: Subject, _others: tuple[str, ...]) -> Asking[Answer]:
    (link,) = (yield from _schema(subject, _any(("lDAPDisplayName",), (DMSA_LINK,)), "systemOnly")).values()
    closed = link.get("systemOnly") is True
    return Answer(closed, f"{DMSA_LINK} is {'closed' if closed else 'open'} to LDAP writes (systemOnly)")


def _below(subject: Subject, _others: tuple[str, ...]) -> Asking[Answer]:
    domain = yield from _context(subject, "defaultNamingContext")
    asked = cmdlet("Get-ADObject", Identity=domain, Properties=(_LEVEL,), Server=subject.server)
    reply = yield Read(subject.endpoint, (asked,))
    for record in reply.of("ADObject"):
        level = record.number(_LEVEL)
        return Answer(level < _LEVEL_2025, f"the domain is at functional level {level}")
    raise Unreadable(f"{domain} did not say its functional level: {complaint(reply)}")


def _key_delay(subject: Subject, _others: tuple[str, ...]) -> Asking[Answer]:
    """Tell a key that was added without a time by its delay, for whoever chooses one seldom chooses either of these."""
    reply = yield Read(subject.endpoint, (cmdlet("Get-KdsRootKey"),))
    delays = [delay for record in reply.of("KdsRootKey") if (delay := _delay(record)) is not None]
    if not delays:
        return unknown(f"no root key was shown with both its times: {complaint(reply)}")
    defaults = {text for delay in delays for known, text in _DELAYS.items() if abs(delay - known) <= _NEARLY}
    shown = f"effective {', '.join(map(str, sorted(delays)))} after it was added"
    if len(defaults) != 1:
        return unknown(f"{shown}, which tells nothing of the time that is taken where none is given")
    return Answer(defaults.pop(), shown)


def _delay(record: Record) -> timedelta | None:
    effective, added = record.get("EffectiveTime"), record.get("CreationTime")
    return effective - added if isinstance(effective, datetime) and isinstance(added, datetime) else None


def _log(subject: Subject, _others: tuple[str, ...]) -> Asking[Answer]:
    """Ask the domain controller: it is a Kerberos client like any other of its release."""
    reply = yield Read(subject.endpoint, (cmdlet("Get-WinEvent", ListLog="*Kerberos*"),))
    names = sorted(record.text("LogName") for record in reply.of("EventLogConfiguration"))
    if not names:
        return unknown(f"{subject.endpoint} lists no such log: {complaint(reply)}")
    known = sorted(_LOGS.intersection(names))
    return Answer(", ".join(known) or "neither", f"{subject.endpoint} lists {', '.join(names)}")


BACK_LINK_CLASSES = Reading("back_link_classes", "Which classes carry the two back links?", _carriers)
BACK_LINK_FLAGS = Reading("back_link_flags", "Which systemFlags do the two back links have?", _flags)
KEY_DELAY = Reading(
    "root_key_delay", "How long after it was added does a KDS root key without a time become effective?", _key_delay
)
KERBEROS_LOG = Reading("kerberos_log", "What is the Kerberos client's event log called?", _log)
LINK_CLOSED = Reading(
    "start_with_closed_link", "Does Start link while the dMSA's link is closed to LDAP writes (systemOnly)?", _closed
)
LEVEL_BELOW = Reading(
    "start_below_level_2025", "Does Start link in a domain below the functional level of Windows Server 2025?", _below
)
