"""What nobody has verified, by the journal: each line follows from rows, or from what no row can hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.model.guard_ids import GUARDS, Stage
from orchestrator.model.lifecycle import PATH, Phase
from orchestrator.model.plan import Plan
from orchestrator.model.state import MigrationState
from orchestrator.report.reading import Reading
from orchestrator.report.totals import Totals

IDS = (
    "journal-end",
    "others",
    "since-then",
    "simulated",
    "one-copy",
    "one-witness",
    "ledger-blind",
    "guards-waived",
    "guards-not-asked",
    "by-hand",
    "adopted",
    "late-hosts",
    "not-asked-then",
    "unknown-outcomes",
    "unsettled",
    "not-read-back",
    "hosts-lost",
    "no-second-restart",
    "workloads-unknown",
    "differences-left",
    "password-risk",
    "unsigned",
    "own-approval",
    "no-drill",
    "time-unread",
    "refused",
)
"""Every line that there can be, in the order in which a report has them."""
_AFTER_COMPLETE = frozenset(PATH[PATH.index(Phase.SWITCHED) :])


@dataclass(frozen=True)
class Facts:
    """What the lines follow from."""

    reading: Reading
    plan: Plan
    ids: Sequence[str]
    witnessed: int | None
    totals: Totals
    """What its migrations come to together."""

    def states(self) -> Iterator[MigrationState]:
        """Yield where each migration stands."""
        return (self.reading.state[id_] for id_ in self.ids)

    def begun(self) -> Iterator[MigrationState]:
        """Yield those of which anything was ever written down."""
        return (state for state in self.states() if state.snapshot is not None)


def not_verified(facts: Facts) -> list[dict[str, Any]]:
    """Return the lines: what it is, how often, of whom, and what would tell."""
    found = {
        line["id"]: line for line in (*_of_the_journal(facts), *_of_reading(facts), *_of_people(facts), *_left(facts))
    }
    return [found[id_] for id_ in IDS if id_ in found]


def _line(id_: str, what: str, about: Iterable[str] = (), ask: str = "") -> dict[str, Any]:
    named = list(dict.fromkeys(about))
    return {"id": id_, "what": what, "about": named, "ask": ask}


def _some(id_: str, what: str, about: Iterable[str], ask: str = "") -> Iterator[dict[str, Any]]:
    """Yield a line, if there is anybody that it is about."""
    line = _line(id_, what, about, ask)
    if line["about"]:
        yield line


def _of_the_journal(facts: Facts) -> Iterator[dict[str, Any]]:
    if facts.witnessed is None:
        yield _line(
            "journal-end",
            "No mark lies beside the journal: rows that were cut off at its end would not show in the hash chain.",
            ask="dmsa journal verify --mirror FILE",
        )
    yield _line(
        "others",
        "Whether anybody else changed anything. A journal knows what was sent from here and what was read back, and "
        "nothing that it did not ask for.",
        ask="dmsa reconcile PLAN EVENTS",
    )
    yield _line(
        "since-then",
        "Whether everything is still so. Nobody has looked since the last row.",
        ask="dmsa verify PLAN",
    )
    if facts.plan.is_lab:
        yield _line(
            "simulated",
            "That a real domain behaves so. The estate is simulated, and its time jumps: durations are no measure of "
            "a real one.",
        )
    timeless = facts.reading.timeless
    if timeless:
        rows = "1 row was" if timeless == 1 else f"{timeless:,} rows were"
        yield _line("time-unread", f"When {rows} written: estate time could not be read then.")
    yield from _some(
        "refused",
        "Why a call was about to be sent that the safety rule refuses. It was not sent.",
        facts.reading.refused_calls,
    )


def _of_reading(facts: Facts) -> Iterator[dict[str, Any]]:
    directory = facts.plan.estate.directory
    if directory is not None and directory.converge_on is not None:
        yield _line(
            "one-copy",
            "Whether other copies of the directory agree. The plan names those that were read; whether the domain has "
            "more was not asked.",
            directory.converge_on,
        )
    if directory is None or directory.witness == "none":
        yield _line(
            "one-witness",
            "That the directory is as its own cmdlets show it: it was read by one way only.",
            ask="estate.directory.witness: ldap",
        )
    yield _line(
        "ledger-blind",
        "Who uses an account without being able to register: older systems, hosts without the switch, NTLM, LDAP "
        "binds, keytabs. The ledger never shows them; the guard no-other-use asks the domain controllers' logs, as "
        "far back as those go.",
    )
    yield from _some(
        "guards-waived",
        "What these guards ask: they did not pass, and people decided to do without.",
        (f"{one['guard']} of {one['subject']}: {one['evidence']}" for one in facts.reading.answers.waived()),
    )
    yield from _some(
        "guards-not-asked",
        "What these guards ask right before Start or Complete: no row of this run has an answer of theirs.",
        _never_asked(facts, facts.reading.answers.guards()),
    )
    yield from _some(
        "not-read-back",
        "Whether these attributes came as they were expected to for sure: no later reading in this journal tells.",
        (
            f"{attribute}, by {cmdlet}: {count:,} {'migration' if count == 1 else 'migrations'}"
            for (cmdlet, attribute), count in facts.totals.unread.items()
        ),
        "dmsa verify PLAN",
    )


def _never_asked(facts: Facts, asked: set[str]) -> Iterator[str]:
    """Yield guards that should have been asked of somebody who came so far; rules of waves leave no answer."""
    of_waves = {"window-open", "blackout", "approvals", "failure-budget"}
    sent = {name for state in facts.states() for name in state.sent}
    stages = {
        Stage.START: "Start-ADServiceAccountMigration" in sent,
        Stage.COMPLETE: "Complete-ADServiceAccountMigration" in sent,
    }
    for id_, rule in GUARDS.items():
        due = any(stages.get(stage, False) for stage in rule.stages)
        if due and id_ not in asked and id_ not in of_waves:
            yield id_


def _of_people(facts: Facts) -> Iterator[dict[str, Any]]:
    words = facts.reading.words
    yield from _some(
        "by-hand",
        "That these steps were done as the program would have: a person says so, and a read-back agreed or is awaited.",
        (f"{one['about']}: {one['said']}" for one in words if one["kind"] == "asserted-done"),
    )
    yield from _some(
        "adopted",
        "How these pairs were before they were begun elsewhere: their snapshots were taken late.",
        (state.id for state in facts.begun() if state.adopted or (state.snapshot and state.snapshot.late)),
    )
    yield from _some(
        "password-risk",
        "That services still know the account's password: the way back began on an operator's word.",
        (one.migration for one in facts.reading.ways_back if one.accepted_risk),
    )
    keys = any(facts.plan.policy_of(id_).approvals.keys is not None for id_ in facts.ids)
    given = [one for one in words if one["kind"] in {"approved", "waiver-approved"}]
    if given and not keys:
        yield _line(
            "unsigned",
            "That approvals were given by those whose names they bear: the plan has no keys, and the operating system "
            "of each approver's machine said who it was.",
            (one["by"] for one in given),
        )
    rules = [facts.plan.policy_of(id_).approvals for id_ in facts.ids]
    if not any(rule.start or rule.complete for rule in rules):
        yield _line("own-approval", "That a second person agreed: the plan asks for no approvals.")
    if not facts.reading.drills and not any(one.ended for one in facts.reading.ways_back):
        yield _line(
            "no-drill",
            "That the way back works for these accounts: nobody has gone it in this journal. A drill on a lab keeps a "
            "journal of its own.",
            ask="dmsa drill PLAN",
        )


def _left(facts: Facts) -> Iterator[dict[str, Any]]:
    yield from _some(
        "unknown-outcomes",
        "What the far side answered to these writes: the reply was lost, and looking settled what they had done.",
        facts.totals.settled,
    )
    yield from _some("unsettled", "Whether these writes took effect.", facts.totals.unsettled, "dmsa run PLAN")
    yield from _some(
        "late-hosts",
        "How these hosts were when the migration began: they joined later, and were written down then.",
        (f"{id_}: {host}" for id_, hosts in facts.reading.joined.items() for host in dict.fromkeys(hosts)),
    )
    yield from _some(
        "not-asked-then",
        "These facts of the snapshot: the version that took it did not ask for them.",
        (f"{state.id}: {name}" for state in facts.begun() if state.snapshot for name in state.snapshot.unasked),
    )
    yield from _some(
        "hosts-lost",
        "What is on these hosts: people said that they are gone for good.",
        (f"{state.id}: {host}, says {lost.by}" for state in facts.states() for host, lost in state.lost.items()),
    )
    yield from _some(
        "no-second-restart",
        "That workloads run as the dMSA: the plan does not restart them after Complete.",
        (
            state.id
            for state in facts.states()
            if state.phase in _AFTER_COMPLETE and not facts.plan.policy_of(state.id).restart_after_complete
        ),
    )
    yield from _some(
        "workloads-unknown",
        "That these workloads run: they were not seen running when they were last looked at.",
        (
            f"{state.id}: {one.name} on {host} {one.state}"
            for state in facts.states()
            for host, progress in state.hosts.items()
            for one in progress.workloads
            if one.state not in {"running", "idle"}
        ),
    )
    yield from _some(
        "differences-left",
        "These facts are not as in the snapshot at the end of a way back (it may leave those that are declared).",
        (
            f"{state.id}: {one.object} {one.name} ({one.verdict}: {one.why})"
            for state in facts.states()
            if state.compared
            for one in state.compared.differences
        ),
    )
