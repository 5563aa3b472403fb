"""The dwell is measured by the domain controller's clock, so that clock must not be alone with its opinion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from orchestrator.guards.guard import Guard
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.guard_ids import Stage
from orchestrator.model.ledger import MAY_DIFFER
from orchestrator.model.observation import Unreadable


class ClockAgrees(Guard):
    """A domain controller whose clock jumped would end a dwell of two weeks at once."""

    id = "clock-agrees"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """It differs from the journal's clock, the runner's own, by less than five minutes; on a lab they are one."""
        del stage, seen
        if case.apart is None:
            raise Unreadable(f"{case.server} did not say what time it is")
        seconds = int(abs(case.apart).total_seconds())
        way = "ahead of" if case.apart > timedelta(0) else "behind"
        yield Verdict.of(
            abs(case.apart) < MAY_DIFFER,
            case.server,
            f"{case.server} is {seconds} seconds {way} the runner"
            if seconds
            else f"{case.server} and the runner agree",
            "find out which of the two is wrong (`w32tm /query /status` there, `timedatectl` here) and set it right",
        )
