"""complete: Complete-ADServiceAccountMigration, once, on the pinned domain controller.

Microsoft Learn, dMSA overview: state 2 on both; SPNs and delegation are copied to the dMSA; the account is
disabled and loses its SPNs; the links stay.
"""

from __future__ import annotations

from typing import Any, ClassVar

from orchestrator.model.action import Answer, Done, Observe, Perform, Stop
from orchestrator.model.before import HostBefore, SnapshotRepeated
from orchestrator.model.call import Read, Write
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Fault
from orchestrator.steps import snapshot
from orchestrator.steps.convergence import agreed, awaited, pair_reads_after_replication
from orchestrator.steps.inventory import host_before
from orchestrator.steps.restart import workload_reads
from orchestrator.steps.step import Step, migration_cmdlet, not_matching, original_missing, pair_read
from orchestrator.steps.witness import confirmed, testimony

CMDLET = "Complete-ADServiceAccountMigration"


class Complete(Step):
    """Issue Complete, and read its effects back on every domain controller."""

    trigger: ClassVar = Trigger.COMPLETE
    stage: ClassVar = Stage.COMPLETE
    leads_to: ClassVar = Phase.SWITCHED

    def reads(self, case: Case, _subject: str) -> tuple[Read, ...]:
        """Ask the pinned domain controller, and every host for the snapshot; after Complete every copy, in time."""
        pairs = pair_reads_after_replication(case)
        return pairs if case.state.performed else (*pairs, *_host_reads(case))

    def sees_through(self, case: Case, _subject: str, endpoint: str, fault: Fault) -> bool:
        """A copy that cannot be read is waited for like one that is late."""
        return awaited(case, endpoint, fault)

    def judge(self, case: Case, _subject: str, seen: Seen) -> Answer:
        """Complete a started pair; accept a completed one only if this attempt, or a person, sent Complete."""
        pinned = seen.pair(case.endpoint, case.server)
        if pinned.account is None:
            return original_missing(case, seen)
        if pinned.pair is Pair.STARTED:
            return _send(case, seen, pinned)
        ours = CMDLET in case.state.sent or case.asserted(self.trigger)
        if pinned.pair is not Pair.COMPLETED or not ours:
            return not_matching(case, pinned, Pair.STARTED)
        late = agreed(case, seen, Pair.COMPLETED) or confirmed(case, seen)
        return late or _as_completed(case, pinned, seen)


def _host_reads(case: Case) -> tuple[Read, ...]:
    return tuple(read for name in case.host_names for read in workload_reads(case, name))


def _send(case: Case, seen: Seen, pair: PairSeen) -> Answer:
    """Complete, once everything has been read that a snapshot holds: whose doing a later difference is, it tells."""
    hosts: dict[str, HostBefore] = {}
    unseen = seen.unasked(_host_reads(case))
    if unseen:
        return Observe(unseen, more=True)
    for name in case.host_names:
        before = host_before(case.host(name), seen.host(name), seen)
        if isinstance(before, Observe):
            return before
        hosts[name] = before
    missing = snapshot.unread(case, seen, pair)
    if missing:
        return missing
    last, _ = seen.replies[-1]
    if pair_read(case).statements != last.statements[-2:]:
        # Accounts get moved: both names are read right before they are sent.
        return Observe((pair_read(case),), more=True)
    held = snapshot.content(case, seen, pair, hosts)
    repeated = SnapshotRepeated(
        migration=case.migration.id,
        account=held.account,
        dmsa=held.dmsa,
        hosts=held.hosts,
        containers=held.containers,
        sha256=held.sha256,
    )
    write = Write(case.endpoint, migration_cmdlet("Complete", case, pair))
    return Perform(write, wish=Pair.COMPLETED, before=(repeated,))


def _as_completed(case: Case, pair: PairSeen, seen: Seen) -> Answer:
    spns: list[Any] = case.state.snapshot.account.get("servicePrincipalName", []) if case.state.snapshot else []
    lost = sorted(set(spns) - (pair.dmsa.spns if pair.dmsa else frozenset()))
    if lost or pair.account is None or pair.account.enabled:
        wrong = "the account is still enabled" if not lost else f"the dMSA lacks the SPNs {', '.join(lost)}"
        return Stop(
            "fault",
            f"Complete of {case.migration.id} shows 2/2, but {wrong}; {pair}.",
            "compare both objects; `dmsa undo` returns to the started side",
        )
    read = {"read": str(pair), "spns": sorted(map(str, spns))}
    return Done(pair=Pair.COMPLETED, evidence={**read, **testimony(case, seen)})
