"""The ledger: which hosts are allowed to use the dMSA, and since when nobody new has appeared.

During the hold each capable host adds itself to the dMSA's principals when it logs on as the old account
(Microsoft Learn, dMSA overview). The ledger sees only those hosts: old systems, NTLM, LDAP binds and keytabs
never appear in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import complaint, pair_reads
from orchestrator.model.escape import ldap
from orchestrator.model.event import LedgerRead
from orchestrator.model.observation import Outcome, Reply, Unreadable

FLOOR = timedelta(days=14)
"""Two ticket lifetimes: the least that Microsoft advises between Start and Complete (dMSA overview)."""


@dataclass(frozen=True)
class LedgerSeen:
    """Who may use the dMSA: plan hosts by their plan name, everybody else by DNS name or DN."""

    hosts: frozenset[str]
    others: frozenset[str]

    @property
    def principals(self) -> tuple[str, ...]:
        """All of them, in a stable order."""
        return tuple(sorted(self.hosts | self.others))

    def event(self, id_: str) -> LedgerRead:
        """Return what the journal keeps of it."""
        digest = hashlib.sha256("\n".join(self.principals).encode()).hexdigest()
        return LedgerRead(
            migration=id_,
            principals=self.principals,
            hosts_present=tuple(sorted(self.hosts)),
            sha256=digest,
        )


def ledger_reads(case: Case) -> tuple[Read, ...]:
    """Ask the pinned domain controller for the pair and for the computer accounts of the plan's hosts."""
    return (
        Read(
            case.endpoint,
            (_computers(case), *pair_reads(case.server, case.migration.id, case.account)),
        ),
    )


def _computers(case: Case) -> Cmdlet:
    return _computers_of(case.planned_hosts, case.server)


@lru_cache(4096)
def _computers_of(hosts: tuple[str, ...], server: str) -> Cmdlet:
    names = "".join(f"(dNSHostName={ldap(name)})" for name in hosts)
    return cmdlet("Get-ADComputer", LDAPFilter=f"(|{names})", Properties=("dNSHostName",), Server=server)


def _who_is(case: Case, principal: str) -> Read:
    """Ask who a principal is that is no host of the plan: a computer, or a group with computers in it."""
    dn = ldap(principal)
    return Read(
        case.endpoint,
        (
            cmdlet(
                "Get-ADComputer",
                LDAPFilter=f"(|(distinguishedName={dn})(memberOf:1.2.840.113556.1.4.1941:={dn}))",
                Properties=("dNSHostName",),
                Server=case.server,
            ),
        ),
    )


def ledger_seen(case: Case, seen: Seen) -> LedgerSeen | tuple[Read, ...]:
    """Read the ledger, or return what must be asked first.

    Raises:
        Unreadable: an answer is missing.
    """
    pair = seen.pair(case.endpoint, case.server)
    if pair.dmsa is None:
        raise Unreadable(f"{case.server} shows no dMSA {case.migration.id}")
    reply = seen.reply_to(_computers(case), case.endpoint)
    if reply is None or reply.outcome is not Outcome.SUCCEEDED:
        raise Unreadable(f"{case.server} did not answer for the hosts' computer accounts: {_why(reply)}")
    spelled = {name.lower(): name for name in case.planned_hosts}
    by_dn = {dn.lower(): spelled[name] for dn, name in _named(reply) if name in spelled}
    hosts: set[str] = set()
    others: set[str] = set()
    open_: list[Read] = []
    for principal in pair.dmsa.principals:
        if principal.lower() in by_dn:
            hosts.add(by_dn[principal.lower()])
            continue
        answer = seen.reply_to(_who_is(case, principal).statements[0], case.endpoint)
        if answer is None:
            open_.append(_who_is(case, principal))
            continue
        if answer.outcome is not Outcome.SUCCEEDED:
            raise Unreadable(f"{case.server} did not say who {principal} is: {_why(answer)}")
        members = [name for _, name in _named(answer)] or [principal]
        hosts.update(spelled[name] for name in members if name in spelled)
        others.update(name for name in members if name not in spelled)
    return tuple(open_) if open_ else LedgerSeen(frozenset(hosts), frozenset(others))


def _why(reply: Reply | None) -> str:
    return complaint(reply) if reply else "it was not asked"


def _named(reply: Reply) -> Sequence[tuple[str, str]]:
    """Return DN and DNS name (lower case; the DN where there is none) of the computers in a reply."""
    return [
        (dn := record.text("DistinguishedName"), str(record.get("dNSHostName") or dn).lower())
        for record in reply.of("ADComputer")
    ]


def worth_writing(case: Case, seen: LedgerSeen) -> bool:
    """Whether this reading belongs in the journal: something changed, or the last row is a day old."""
    before = case.state.ledger
    if before.present != frozenset(seen.principals):
        return True
    return case.at is not None and (before.read_at is None or case.at - before.read_at >= timedelta(days=1))


def dwell_due(case: Case, floor_waived: bool) -> datetime | None:
    """Return when the dwell ends; None while it has not begun. A waiver lifts the floor, never the plan's dwell."""
    started = case.state.dwell_started
    if started is None:
        return None
    return started + (case.policy.dwell if floor_waived else max(case.policy.dwell, FLOOR))


def flat_due(case: Case) -> datetime | None:
    """Return when the ledger will have been flat for long enough; None while nobody was ever seen."""
    learned = case.state.ledger.learned_at or case.state.all_lost_since
    if learned is None:
        return None
    anew = case.state.anew_at
    return (max(learned, anew) if anew else learned) + case.policy.flat_for
