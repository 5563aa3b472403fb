"""Nobody outside the plan uses the account: what every writable domain controller's Security log says of it.

The ledger is blind to old systems, NTLM, LDAP binds and keytabs; the log of the domain controller that let them in is
not. A simple LDAP bind is the domain controller's own log-on there (``::1``, its own name), and no host of a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestrator.guards.guard import Guard, account, answered, pair_read
from orchestrator.model import security_log as log
from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.directory import complaint
from orchestrator.model.escape import ldap
from orchestrator.model.guard_ids import Stage
from orchestrator.model.observation import Outcome, Record, RemoteError, Reply, Unreadable

_LEAST = timedelta(hours=1)
_SHOWN = 3


class NoOtherUse(Guard):
    """Whoever else uses the account is cut off by Complete: old systems, NTLM, LDAP binds and keytabs too."""

    id = "no-other-use"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask who the account, the domain controllers and the hosts are; then what each Security log says."""
        del stage
        first = (pair_read(case), Read(case.endpoint, (_controllers(case), _computers(case))))
        if seen.unasked(first):
            return first
        search = _search(case, seen)
        reads = [Read(name, search.statements) for name in _writable(case, seen)]
        later = [Read(read.endpoint, search.later) for read in reads if search.later and not seen.unasked((read,))]
        return (*first, *reads, *later)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """No event of another client, in logs that reach far enough back to say so."""
        del stage
        if case.at is None:
            raise Unreadable(f"{case.server} did not say what time it is")
        search = _search(case, seen)
        for name in _writable(case, seen):
            try:
                yield _verdict(search, case.at, name, seen)
            except Unreadable as unread:
                yield Verdict.unknown(name, str(unread), f"let the runner's account read the Security log of {name}")


@dataclass(frozen=True)
class _Search:
    """What every Security log is asked. ``later`` is asked once ``statements`` were, and tells what of it is known."""

    account: str
    window: timedelta
    statements: tuple[Cmdlet, ...]
    later: tuple[Cmdlet, ...]
    silent: tuple[str, ...]
    """Hosts of the plan of which no address is known."""

    @property
    def span(self) -> str:
        """The window in words."""
        return f"{self.window / timedelta(hours=1):g} hours"


def _controllers(case: Case) -> Cmdlet:
    return cmdlet("Get-ADDomainController", Filter="*", Server=case.server)


def _computers(case: Case) -> Cmdlet:
    """Ask for the hosts with their addresses, which the ActiveDirectory module gets from the domain's DNS."""
    names = "".join(f"(dNSHostName={ldap(name)})" for name in case.planned_hosts)
    return cmdlet(
        "Get-ADComputer",
        LDAPFilter=f"(|{names})",
        Properties=("dNSHostName", "IPv4Address", "IPv6Address"),
        Server=case.server,
    )


def _writable(case: Case, seen: Seen) -> tuple[str, ...]:
    """Return the domain's writable controllers; each as the plan spells it, if it does."""
    reply = answered(seen.reply_to(_controllers(case), case.endpoint), case.server, "the domain's controllers")
    spelled = {name.lower(): name for name in (*case.controllers, case.server, case.endpoint)}
    records = list(reply.of("ADDomainController"))
    names = [record.text("HostName") for record in records if record.need("IsReadOnly") is False]
    if not names:
        raise Unreadable(f"{case.server} names no writable domain controller")
    return tuple(sorted(spelled.get(name.lower(), name) for name in names))


def _known(case: Case, seen: Seen) -> dict[str, set[log.Address]]:
    """Return the addresses of each host of the plan: those in DNS, and the plan's own.

    A loopback address of the plan is the near end of a tunnel: as a client's address it says nothing.
    """
    reply = answered(seen.reply_to(_computers(case), case.endpoint), case.server, "the hosts' addresses")
    found: dict[str, set[log.Address]] = {name.lower(): set() for name in case.planned_hosts}
    for record in reply.of("ADComputer"):
        texts = (*record.texts("IPv4Address"), *record.texts("IPv6Address"))
        found.get(str(record.get("dNSHostName")).lower(), set()).update(_addresses(texts))
    for name, written in case.plan.estate.addresses.items():
        ours = {address for address in _addresses((_without_port(written),)) if not address.is_loopback}
        found.get(name.lower(), set()).update(ours)
    return found


def _without_port(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _addresses(texts: Iterable[str]) -> Iterator[log.Address]:
    return (address for text in texts if (address := log.client_address(text)) is not None)


def _search(case: Case, seen: Seen) -> _Search:
    """Return the questions; one query leaves the known clients out, unless they are too many for that."""
    who, known = account(case, seen), _known(case, seen)
    window = max(case.policy.flat_for, _LEAST)
    clients = {
        "IpAddress": log.spellings(address for addresses in known.values() for address in addresses),
        "Workstation": tuple(sorted({name.partition(".")[0].upper()[:15] for name in known})),
    }
    now: list[Cmdlet] = []
    later: list[Cmdlet] = []
    try:
        for question in log.questions(who, case.plan.estate.domain or ""):
            those = clients[question.client]
            if len(those) <= log.EXCLUDED:
                now += log.foreign(question, those, window)
            else:
                now += log.everything(question, window)
                later += log.expected(question, those, window)
    except ValueError as unwritable:
        raise Unreadable(f"the account cannot be looked for: {unwritable}") from None
    silent = tuple(name for name, addresses in known.items() if not addresses)
    return _Search(who.sam, window, (*now, log.reaches(window)), tuple(later), silent)


def _verdict(search: _Search, at: datetime, name: str, seen: Seen) -> Verdict:
    found, most = _events(seen, name, search.statements)
    expected, most_expected = _events(seen, name, search.later)
    if search.later and max(most, most_expected) >= log.MANY:
        reason = f"{name}: at least {log.MANY} log-ons of {search.account} in {search.span}, too many to compare"
        return Verdict.unknown(name, reason, "shorten `flat_for`, or look yourself and waive `no-other-use`")
    begins = at - search.window - log.MARGIN / 2
    inside = {number: record for number, record in found.items() if _time(record) >= begins}
    others = sorted((inside[number] for number in inside.keys() - expected.keys()), key=_time, reverse=True)
    if others:
        return Verdict.of(False, name, _said(search, name, others), _remedy(search, name, others))
    if len(inside) == len(found):
        return Verdict.unknown(
            name,
            f"the Security log of {name} holds no ticket request (4768) older than {search.span}",
            f"let it reach further back (its size, or the audit of log-ons since) on {name}, or shorten `flat_for`",
        )
    return Verdict.of(True, name, f"no log-on of {search.account} from outside the plan in {search.span}")


def _events(seen: Seen, name: str, statements: tuple[Cmdlet, ...]) -> tuple[dict[int, Record], int]:
    """Return the events that some queries found, by their number, and the most that came in one answer.

    Raises:
        Unreadable: one of the queries did not run, or did not run to its end.
    """
    replies: list[Reply] = []
    for statement in statements:
        reply = seen.reply_to(statement, name)
        if reply is None:
            raise Unreadable(f"{name} was not asked for log-ons")
        if not any(reply is known for known in replies):
            replies.append(reply)
    for reply in replies:
        errors = [error for error in reply.errors if _is_trouble(error)]
        if reply.outcome is not Outcome.SUCCEEDED or errors:
            why = errors[0].message if errors else complaint(reply)
            raise Unreadable(f"the Security log of {name} was not read: {why}")
    records = [list(reply.of("EventLogRecord")) for reply in replies]
    found = {record.number("RecordId"): record for some in records for record in some}
    return found, max(map(len, records), default=0)


def _is_trouble(error: RemoteError) -> bool:
    """Whether an error says more than that a query found nothing, which is an answer."""
    ours = error.cmdlet in {"", "Get-WinEvent"}
    return ours and not error.id.startswith("NoMatchingEventsFound")


def _time(record: Record) -> datetime:
    value = record.need("TimeCreated")
    if not isinstance(value, datetime):
        raise Unreadable(f"{record.kind}.TimeCreated is not a time")
    return value


def _said(search: _Search, name: str, others: list[Record]) -> str:
    number = f"{len(others)} or more" if len(others) >= log.SOME else str(len(others))
    shown = "; ".join(_shown(record) for record in others[:_SHOWN])
    blind = f"; no address is known of {', '.join(search.silent)}" if search.silent else ""
    return f"{name}: {number} log-ons of {search.account} from outside the plan in {search.span}: {shown}{blind}"


def _shown(record: Record) -> str:
    """Say what an event still tells: number, time, and the address in its message if there is one."""
    where = " ".join(sorted(map(str, set(log.addresses_in(str(record.get("Message") or ""))))))
    event = f"{record.number('Id')} at {_time(record).isoformat()}"
    return f"{event}, record {record.number('RecordId')}" + (f", its message names {where}" if where else "")


def _remedy(search: _Search, name: str, others: list[Record]) -> str:
    query = f"*[System[EventRecordID={others[0].number('RecordId')}]]"
    command = f"Get-WinEvent -ComputerName {name} -LogName Security -FilterXPath '{query}' | Format-List Message"
    known = "give the address of each host in `estate.addresses`; " if search.silent else ""
    return f"see which client it is (`{command}`); {known}add it to the plan or let it use another account"
