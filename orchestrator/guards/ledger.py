"""Complete is legal: the dwell has passed, and everybody who uses the account is known and allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from orchestrator.guards.guard import Guard
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.guard_ids import Stage
from orchestrator.model.ledger import LedgerSeen, dwell_due, flat_due, ledger_reads, ledger_seen
from orchestrator.model.observation import Unreadable
from orchestrator.model.unknown import UNKNOWN_HOST, known_of


def _probe(case: Case, seen: Seen) -> tuple[Read, ...]:
    """Ask for the ledger, then for principals that are no host of the plan."""
    first = ledger_reads(case)
    if not all(seen.reply_to(statement, read.endpoint) for read in first for statement in read.statements):
        return first
    ledger = ledger_seen(case, seen)
    return ledger if isinstance(ledger, tuple) else first


def _read(case: Case, seen: Seen) -> LedgerSeen:
    ledger = ledger_seen(case, seen)
    if isinstance(ledger, tuple):
        raise Unreadable("the ledger's principals were not all identified")
    return ledger


class HostsAllowed(Guard):
    """A host that is not among the principals cannot fetch the dMSA's key after Complete."""

    id = "hosts-allowed"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the ledger."""
        del stage
        return _probe(case, seen)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Every host of the plan is allowed."""
        del stage
        present = _read(case, seen).hosts
        for name in case.host_names:
            yield Verdict.of(
                name in present,
                name,
                "among the allowed principals" if name in present else "not among the allowed principals",
                "check DelegatedMSAEnabled and the workload's log-on there, restart the workload",
            )


class NoUnknownHost(Guard):
    """A host nobody planned for uses the account; Complete would take it down unprepared."""

    id = "no-unknown-host"

    def probe(self, case: Case, stage: Stage, seen: Seen) -> tuple[Read, ...]:
        """Ask for the ledger."""
        del stage
        return _probe(case, seen)

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Every allowed principal is a host of the plan."""
        del stage
        ledger = _read(case, seen)
        others = "; ".join(map(known_of, ledger.unknown))
        yield Verdict.of(
            not ledger.others,
            case.migration.id,
            f"not in the plan, and may use the dMSA: {others}" if others else "only hosts of the plan",
            UNKNOWN_HOST,
        )


class DwellMinimum(Guard):
    """Two ticket lifetimes between the change and Complete, and the plan's own dwell."""

    id = "dwell-minimum"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """The dwell is over; while it is not, this is a matter of time, not of a person.

        A waiver is counted in what is due: it lifts the floor, and the plan's own dwell holds all the same.
        """
        del seen
        verdict = _in_time(case, dwell_due(case, floor_waived=case.waived(self.id, stage)), "dwell", "the dwell")
        yield replace(verdict, waivable=False)


class LedgerFlat(Guard):
    """Nobody new has appeared for long enough, and nobody has vanished."""

    id = "ledger-flat"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """Flat for ``flat_for``; a host that vanished needs a person."""
        del stage, seen
        gone = sorted(case.state.vanished)
        if gone:
            yield Verdict.of(
                False,
                case.migration.id,
                f"{', '.join(gone)} was seen and has vanished",
                "find out who or what removed it (replication slower than 10 hours loses members)",
            )
            return
        yield _in_time(case, flat_due(case), "ledger", "the flat ledger")


def _in_time(case: Case, due: datetime | None, waits_for: str, what: str) -> Verdict:
    if due is None or case.at is None:
        return Verdict(False, case.migration.id, f"{what} has not begun", waits=(waits_for, due))
    evidence = f"{what} ends {due.isoformat()}, it is {case.at.isoformat()}"
    return Verdict(case.at >= due, case.migration.id, evidence, waits=None if case.at >= due else (waits_for, due))
