"""link: the same pair, with both links, on every domain controller that must agree.

A host asks whichever domain controller is near; until all of them show the link, some hosts cannot register.
"""

from __future__ import annotations

from typing import ClassVar

from orchestrator.model.action import Answer, Done, Wait
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Fault
from orchestrator.steps.convergence import (
    agreed,
    awaited,
    pair_reads_everywhere,
    pairs_everywhere,
    replication_begins,
)
from orchestrator.steps.step import LOOK_AGAIN, Step, not_matching, original_missing
from orchestrator.steps.witness import confirmed, testimony


class Link(Step):
    """Wait for replication, and hold where it does not come."""

    trigger: ClassVar = Trigger.LINK
    leads_to: ClassVar = Phase.LINKED

    def rests(self, case: Case, _subject: str) -> Wait | None:
        """Give replication its first moments after Start, which has just read the pinned copy back."""
        since = case.state.since
        fresh = case.at is not None and since is not None and case.at < since + LOOK_AGAIN
        return replication_begins(case, Pair.STARTED) if fresh else None

    def reads(self, case: Case, _subject: str) -> tuple[Read, ...]:
        """Ask every domain controller that must agree."""
        return pair_reads_everywhere(case)

    def sees_through(self, case: Case, _subject: str, endpoint: str, fault: Fault) -> bool:
        """A copy that cannot be read is waited for like one that is late."""
        return awaited(case, endpoint, fault)

    def judge(self, case: Case, _subject: str, seen: Seen) -> Answer:
        """Done when all copies show 1/1."""
        pinned = seen.pair(case.endpoint, case.server)
        if pinned.account is None:
            return original_missing(case, seen)
        if pinned.pair is not Pair.STARTED:
            return not_matching(case, pinned, Pair.STARTED)
        late = agreed(case, seen, Pair.STARTED) or confirmed(case, seen)
        if late is not None:
            return late
        read = [str(pair) for pair in pairs_everywhere(case, seen)]
        return Done(pair=Pair.STARTED, evidence={"read": read, **testimony(case, seen)})
