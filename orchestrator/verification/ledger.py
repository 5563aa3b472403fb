"""Who may use the dMSA: the hosts of the plan, all of them where the phase says so, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PRINCIPALS
from orchestrator.model.ledger import LedgerSeen, ledger_seen
from orchestrator.verification.finding import Finding, Since, right_until
from orchestrator.verification.wanted import ALLOWED, AT_REST


def judged(case: Case, seen: Seen) -> Iterator[Finding]:
    """Judge the principals that the pinned domain controller shows.

    Raises:
        Unreadable: an answer is missing.
    """
    found = ledger_seen(case, seen)
    assert not isinstance(found, tuple), "everybody was asked for"
    yield from _foreign(case, found)
    if case.state.phase in ALLOWED:
        yield from _missing(case, found)


def _foreign(case: Case, found: LedgerSeen) -> Iterator[Finding]:
    known = {name.lower(): at for name, at in case.state.ledger.first_seen.items()}
    expected = {name.lower() for name in (*case.migration.dmsa.principals, *_of_snapshot(case), *_once_planned(case))}
    for name in sorted(found.others):
        left = case.state.phase in AT_REST and name.lower() in known  # what the directory left there is declared
        if name.lower() in expected or left:
            continue
        first = known.get(name.lower())
        yield Finding(
            "foreign-host",
            name,
            "it may fetch the dMSA's key, and is no host of the plan",
            f"only the plan's: {', '.join(case.planned_hosts)}",
            "find out what it does with the account: add it to the plan (`dmsa amend PLAN`), or take it out of the "
            "principals as a person (`Set-ADServiceAccount`, with the complete list)",
            Since(first, "first-seen") if first else right_until(case.state.ledger.read_at),
        )


def _of_snapshot(case: Case) -> tuple[str, ...]:
    """Return who was allowed before anything was changed."""
    taken = case.state.snapshot
    return tuple(map(str, (taken.dmsa or {}).get(PRINCIPALS, ()))) if taken else ()


def _once_planned(case: Case) -> tuple[str, ...]:
    """Return hosts that an amendment took out of the plan, or that are lost: they may still be allowed."""
    return tuple(case.state.snapshot.hosts) if case.state.snapshot else ()


def _missing(case: Case, found: LedgerSeen) -> Iterator[Finding]:
    ever = {name.lower() for name in case.state.ledger.first_seen}
    there = {name.lower() for name in found.principals}
    for name in case.host_names:
        if name in found.hosts:
            continue
        vanished = name.lower() in ever
        yield Finding(
            "host-vanished" if vanished else "host-missing",
            name,
            "it is not among the principals" + (" any longer" if vanished else ""),
            f"allowed to use the dMSA: the migration is {case.state.phase}",
            "check DelegatedMSAEnabled there and restart its workload, which registers it during the hold; after "
            "Complete add it to the principals as a person",
            right_until(case.state.ledger.read_at),
        )
    planned = {name.lower() for name in case.planned_hosts}
    for name in sorted(case.state.ledger.first_seen):
        if name.lower() not in there | planned and name in case.state.ledger.present:
            yield Finding(
                "host-vanished",
                name,
                "it is not among the principals any longer",
                "allowed, as when the journal read them last",
                "find out who or what removed it (replication slower than 10 hours loses members)",
                right_until(case.state.ledger.read_at),
            )
