"""What undo and reset share: issue one cmdlet, read back, repair what AD did not restore, start what is down.

Which attributes Undo and Reset give back is not documented (they "return back to the state in the start phase" and
"reset the state"; Microsoft Learn, the two cmdlets' Description). So nothing is assumed: what the read-back lacks is
restored from the snapshot. The original works again before anything else is tidied.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from orchestrator.model.action import Answer, Done, Perform
from orchestrator.model.before import Compared
from orchestrator.model.call import Cmdlet, Read, Write
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import Pair, Phase
from orchestrator.model.observation import Fault
from orchestrator.steps.convergence import agreed, awaited, pair_reads_after_replication, pairs_everywhere
from orchestrator.steps.found_again import found_again
from orchestrator.steps.repair import repair
from orchestrator.steps.restart import workload_reads
from orchestrator.steps.step import Groups, Step, migration_cmdlet, not_matching, original_missing
from orchestrator.steps.witness import confirmed, testimony
from orchestrator.steps.workloads import logging_on, running

_UNLINKING = frozenset({"Undo-ADServiceAccountMigration", "Reset-ADServiceAccountMigration"})


class Unlink(Step):
    """The way from a linked pair towards an unlinked one; subclasses say with which cmdlet, and how far."""

    verb: ClassVar[str]
    stage: ClassVar = Stage.BACK
    leaves_out: ClassVar = frozenset({"original-present", "pair-matches"})
    """A way back looks for both itself, and must not be kept from leading out of a pair that does not match."""

    def asks_guards(self, case: Case) -> bool:
        """Ask before the first write to the pair, unless an operator has said that it may begin all the same."""
        state = case.state
        return not state.performed and DIRECTORY not in state.done and not state.password_risk_accepted

    @abstractmethod
    def goal(self, case: Case, pair: Pair) -> Pair | None:
        """Return the pair to reach from the one that was read; None where this way does not lead on."""

    def groups(self, case: Case) -> Groups:
        """Return the directory, then the hosts; only the directory where nothing was ever linked."""
        return ((DIRECTORY,),) if _never_linked(case) else ((DIRECTORY,), case.hosts_back)

    def reads(self, case: Case, subject: str) -> tuple[Read, ...]:
        """Ask for the pair where it is written, and in time everywhere; or a host about its workloads."""
        return pair_reads_after_replication(case) if subject == DIRECTORY else workload_reads(case, subject)

    def sees_through(self, case: Case, subject: str, endpoint: str, fault: Fault) -> bool:
        """A copy that cannot be read is waited for like one that is late."""
        return subject == DIRECTORY and awaited(case, endpoint, fault)

    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Unlink, repair, converge; on the hosts start what is down."""
        if subject != DIRECTORY:
            return logging_on(case, seen, running(case, case.host(subject), seen.host(subject)))
        pinned = seen.pair(case.endpoint, case.server)
        if pinned.account is None:
            return original_missing(case, seen)
        goal = case.state.wish or self.goal(case, pinned.pair)
        if goal is None:
            return not_matching(case, pinned, Pair.COMPLETED)
        if pinned.pair is not goal:
            if pinned.pair not in {Pair.STARTED, Pair.COMPLETED}:
                return not_matching(case, pinned, goal)
            return Perform(Write(case.endpoint, migration_cmdlet(self.verb, case, pinned)), wish=goal)
        repair = _repair(case, pinned)
        if repair is not None:
            return Perform(Write(case.endpoint, repair))
        late = agreed(case, seen, goal, lambda copy: _repair(case, copy) is None) or confirmed(case, seen)
        if late is not None:
            return late
        pairs = pairs_everywhere(case, seen)
        evidence = {"read": [str(pair) for pair in pairs], **testimony(case, seen)}
        if not (_never_linked(case) and goal is Pair.UNLINKED):
            return Done(pair=goal, evidence=evidence)
        found = found_again(case, seen, pairs)
        return Done(pair=goal, evidence=evidence, before=(found,)) if isinstance(found, Compared) else found

    def dest(self, case: Case) -> Phase:
        """Return where the pair that was reached leads."""
        if case.state.reached is Pair.STARTED:
            return Phase.REOPENED
        return Phase.ROLLED_BACK if _never_linked(case) else Phase.UNLINKED


def _never_linked(case: Case) -> bool:
    """Whether the pair was found unlinked, as prepare left it: then this is the whole way, and restarts nothing."""
    return case.state.phase is Phase.PREPARED and not case.state.sent & _UNLINKING


def _repair(case: Case, pair: PairSeen) -> Cmdlet | None:
    """Return the next write that gives the account back what it had, or None."""
    snapshot = case.state.snapshot
    return repair(snapshot.account, snapshot.account_guid, pair, case.server) if snapshot else None
