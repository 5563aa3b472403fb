"""start: link the pair. Start-ADServiceAccountMigration, once, on the pinned domain controller.

Microsoft Learn, dMSA overview: Start writes state 1 and a link on both objects and lets the account's own log-ons
add hosts to the dMSA's principals.
"""

from __future__ import annotations

from typing import ClassVar

from orchestrator.model.action import Answer, Done, Perform, Stop
from orchestrator.model.call import Read, Write
from orchestrator.model.case import Case, Seen
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.steps.step import (
    Step,
    migration_cmdlet,
    not_matching,
    original_missing,
    pair_read,
)


class Start(Step):
    """Issue Start, and read 1/1 and both links back where it was issued."""

    trigger: ClassVar = Trigger.START
    stage: ClassVar = Stage.START
    leads_to: ClassVar = Phase.STARTED

    def reads(self, case: Case, _subject: str) -> tuple[Read, ...]:
        """Ask the pinned domain controller for the pair."""
        return (pair_read(case),)

    def judge(self, case: Case, _subject: str, seen: Seen) -> Answer:
        """Start an unlinked pair; accept a started one only if this attempt sent Start, or a person says he did."""
        pair = seen.pair(case.endpoint, case.server)
        if pair.account is None:
            return original_missing(case, seen)
        if pair.pair is Pair.UNLINKED:
            return Perform(Write(case.endpoint, migration_cmdlet("Start", case, pair)), wish=Pair.STARTED)
        if pair.pair is Pair.STARTED and (
            "Start-ADServiceAccountMigration" in case.state.sent or case.asserted(self.trigger)
        ):
            return Done(pair=Pair.STARTED, evidence={"read": str(pair)})
        if pair.pair is Pair.STARTED:
            return Stop(
                "guard:run-is-ours",
                f"{case.migration.id} is already started, and not by this run; {pair}. Nothing was changed.",
                f"find out who started it. If it was done by hand for this migration: `dmsa assert-done PLAN --only "
                f"{case.migration.id} --step start --reason TEXT`; `dmsa reset` unlinks the pair",
            )
        return not_matching(case, pair, Pair.UNLINKED)
