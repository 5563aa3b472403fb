"""The ledger: which hosts are allowed to use the dMSA, and since when nobody new has appeared.

During the hold each capable host adds itself to the dMSA's principals when it logs on as the old account
(Microsoft Learn, dMSA overview). The ledger sees only those hosts: old systems, NTLM, LDAP binds and keytabs
never appear in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import pair_reads
from orchestrator.model.escape import ldap
from orchestrator.model.event import LedgerRead, UnknownHost
from orchestrator.model.observation import Unreadable
from orchestrator.model.state import MigrationState
from orchestrator.model.unknown import Others, answer_to, dns_name, others_seen

MAY_DIFFER = timedelta(minutes=5)
"""By how much the pinned domain controller's clock and the journal's may: what Kerberos allows (Microsoft Learn,
"Maximum tolerance for computer clock synchronization")."""
FLOOR = timedelta(days=14)
"""Two ticket lifetimes: the least that Microsoft advises between Start and Complete (dMSA overview)."""


@dataclass(frozen=True)
class LedgerSeen:
    """Who may use the dMSA: plan hosts by their plan name, everybody else by DNS name or DN.

    ``unknown`` is what the directory tells of everybody else, ``accounts`` the DNs of the plan hosts' computer
    accounts, whether they may use it or not.
    """

    hosts: frozenset[str]
    others: frozenset[str]
    unknown: tuple[UnknownHost, ...] = field(default=(), compare=False)
    accounts: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

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
            unknown=self.unknown,
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


def ledger_seen(case: Case, seen: Seen) -> LedgerSeen | tuple[Read, ...]:
    """Read the ledger, or return what must be asked first.

    Raises:
        Unreadable: an answer is missing.
    """
    pair = seen.pair(case.endpoint, case.server)
    if pair.dmsa is None:
        raise Unreadable(f"{case.server} shows no dMSA {case.migration.id}")
    reply = answer_to(case, seen, _computers(case), "the hosts' computer accounts")
    if reply is None:
        raise Unreadable(f"{case.server} did not answer for the hosts' computer accounts: it was not asked")
    spelled = {name.lower(): name for name in case.planned_hosts}
    found = ((record.text("DistinguishedName"), dns_name(record)) for record in reply.of("ADComputer"))
    named = {dn: spelled[name] for dn, name in found if name in spelled}
    by_dn = {dn.lower(): host for dn, host in named.items()}
    others = others_seen(case, seen, tuple(dn for dn in pair.dmsa.principals if dn.lower() not in by_dn))
    if not isinstance(others, Others):
        return others
    listed = {by_dn[dn.lower()] for dn in pair.dmsa.principals if dn.lower() in by_dn}
    return LedgerSeen(
        hosts=others.hosts | listed,
        others=frozenset(one.name for one in others.unknown),
        unknown=others.unknown,
        accounts={host: tuple(dn for dn in named if named[dn] == host) for host in named.values()},
    )


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


def flat_since(state: MigrationState) -> datetime | None:
    """Return since when nobody new was learned, or since a way back ended; None while nobody was ever seen."""
    learned = state.ledger.learned_at or state.all_lost_since
    if learned is None or state.anew_at is None:
        return learned
    return max(learned, state.anew_at)


def flat_due(case: Case) -> datetime | None:
    """Return when the ledger will have been flat for long enough; None while nobody was ever seen."""
    since = flat_since(case.state)
    return since + case.policy.flat_for if since else None
