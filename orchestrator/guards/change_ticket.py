"""Nothing is written for a plan that needs a change ticket and has none."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.guards.guard import Guard
from orchestrator.model.case import Case, Seen, Verdict
from orchestrator.model.guard_ids import Stage


class ChangeTicket(Guard):
    """Where the policy asks for a change, the plan names it, and every report shows it."""

    id = "change-ticket"

    def judge(self, case: Case, stage: Stage, seen: Seen) -> Iterator[Verdict]:
        """`change` is set, where `require_change` is."""
        del stage, seen
        change, required = (case.plan.change or "").strip(), case.policy.require_change
        yield Verdict.of(
            bool(change) or not required,
            case.plan.name,
            f"change {change}" if change else "no change is named" + ("" if required else ", and none is required"),
            "name the ticket as `change:` in the plan, then `dmsa amend`",
        )
