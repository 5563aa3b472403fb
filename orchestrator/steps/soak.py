"""soak: nothing is done, for weeks; who uses the account is watched.

Microsoft advises at least two ticket lifetimes, 14 days, between the change of the dMSA's principals and
Complete (Microsoft Learn, dMSA overview). The ledger must be flat, and everybody in it known.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from orchestrator.model.action import Answer, Done, Observe, Record, Stop, Wait
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.guard_ids import Stage
from orchestrator.model.ledger import (
    MAY_DIFFER,
    LedgerSeen,
    dwell_due,
    flat_due,
    flat_since,
    ledger_reads,
    ledger_seen,
    worth_writing,
)
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Fault
from orchestrator.model.unknown import UNKNOWN_HOST, known_of
from orchestrator.steps.registration import missing_hosts, seen_through
from orchestrator.steps.step import LOOK_AGAIN, Step, not_matching, original_missing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Soak(Step):
    """Read the ledger, write down what changed, wait."""

    trigger: ClassVar = Trigger.SOAK
    leads_to: ClassVar = Phase.SOAKED

    def rests(self, case: Case, _subject: str) -> Wait | None:
        """Rest until the first poll where the ledger was read as the soak began: by the step that ended then."""
        read_at, since = case.state.ledger.read_at, case.state.since
        if case.at is None or read_at is None or since is None or not read_at <= since < read_at + LOOK_AGAIN:
            return None
        rest = _waiting(case) if case.at < _next_poll(since, case.policy.ledger_every) else None
        return rest if rest is not None and rest.again is not None else None

    def reads(self, case: Case, _subject: str) -> tuple[Read, ...]:
        """Ask for the pair and the ledger."""
        return ledger_reads(case)

    def sees_through(self, case: Case, subject: str, endpoint: str, fault: Fault) -> bool:
        """A host that is not on the list any more is asked why, and need not answer; another copy is waited for."""
        return seen_through(case, subject, endpoint, fault)

    def judge(self, case: Case, _subject: str, seen: Seen) -> Answer:
        """Done when dwell and flatness are over and nobody is unknown, missing or gone."""
        pair = seen.pair(case.endpoint, case.server)
        if pair.account is None:
            return original_missing(case, seen)
        if pair.pair is not Pair.STARTED:
            return not_matching(case, pair, Pair.STARTED)
        ledger = ledger_seen(case, seen)
        if isinstance(ledger, tuple):
            return Observe(ledger, more=True)
        if worth_writing(case, ledger):
            return Record((ledger.event(case.migration.id),))
        return (
            _jumped(case)
            or _vanished(case)
            or missing_hosts(case, seen, ledger)
            or _waiting(case)
            or _unknown(case, ledger)
            or Done(
                pair=Pair.STARTED,
                evidence=_proof(case, ledger),
            )
        )


def _proof(case: Case, ledger: LedgerSeen) -> dict[str, Any]:
    """Return why the soak is over, each part with its time: the rows that say the same stand before this one."""
    state = case.state
    waived = case.waived("dwell-minimum", Stage.COMPLETE)
    return {
        "dwell_started": _iso(state.dwell_started),
        "dwell_parts": {name: _iso(at) for name, at in state.dwell_parts.items() if at is not None},
        "dwell_due": _iso(dwell_due(case, floor_waived=waived)),
        "ledger": list(ledger.principals),
        "first_seen": {name: _iso(at) for name, at in sorted(state.ledger.first_seen.items())},
        "last_learned": _iso(state.ledger.learned_at),
        "flat_since": _iso(flat_since(state)),
        "flat_due": _iso(flat_due(case)),
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _jumped(case: Case) -> Stop | None:
    """Return the stop where the dwell cannot be measured: the clock that measures it is alone with its opinion."""
    if case.apart is None or abs(case.apart) < MAY_DIFFER or case.waived("clock-agrees", Stage.COMPLETE):
        return None
    way = "ahead of" if case.apart > timedelta(0) else "behind"
    return Stop(
        "clock",
        f"{case.server} is {abs(case.apart)} {way} the runner's clock: how long {case.migration.id} has dwelt is not "
        "known. Nothing was changed.",
        "find out which of the two is wrong (`w32tm /query /status` there, `timedatectl` here) and set it right, then "
        "`dmsa release`",
    )


def _unknown(case: Case, ledger: LedgerSeen) -> Stop | None:
    """Return the stop where somebody may use the dMSA who is no host of the plan, once that alone is in the way."""
    if not ledger.others or case.waived("no-unknown-host", Stage.COMPLETE):
        return None
    told = "; ".join(
        f"{known_of(one)}, first seen {_iso(case.state.ledger.first_seen.get(one.name))}" for one in ledger.unknown
    )
    return Stop(
        "guard:no-unknown-host",
        f"not in the plan of {case.migration.id}, and may use the dMSA: {told}.",
        f"{UNKNOWN_HOST}; then `dmsa release`",
    )


def _vanished(case: Case) -> Stop | None:
    gone = sorted(case.state.vanished)
    if not gone or case.waived("ledger-flat", Stage.COMPLETE):
        return None
    return Stop(
        "guard:ledger-flat",
        f"{', '.join(gone)} was among the principals of {case.migration.id} and is there no longer.",
        "find out who or what removed it (replication slower than 10 hours loses members), then `dmsa release`: a host "
        "of the plan is waited for until it is back, anybody else is not missed",
    )


def _waiting(case: Case) -> Wait | None:
    dwell = dwell_due(case, floor_waived=case.waived("dwell-minimum", Stage.COMPLETE))
    flat = dwell if case.waived("ledger-flat", Stage.COMPLETE) else flat_due(case)
    if case.at is None or dwell is None or flat is None:
        return Wait("dwell", dwell, None, "the dwell has not begun")
    poll = _next_poll(case.at, case.policy.ledger_every)
    if case.at < dwell:
        return Wait("dwell", dwell, min(dwell, poll), "Complete is not legal before")
    if case.at < flat:
        return Wait("ledger", flat, min(flat, poll), "a host was learned recently")
    return None


def _next_poll(at: datetime, every: timedelta) -> datetime:
    """Return the next full interval, the same for all migrations: they are read together, and the runner wakes once."""
    return at + every - (at - _EPOCH) % every
