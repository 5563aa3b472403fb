"""Who may move. A wave is a rule about admission, not a loop: one pure function of run, plan and time.

What the rules are stands in :mod:`~orchestrator.engine.rules`. A run of ten thousand migrations is asked again and
again, and between two questions little has changed: so what was answered last is kept with the run, and only that is
asked anew whose state, budget, needs, approvals or window may have made it another
(:mod:`~orchestrator.engine.standing`). Whoever asks sees nothing of it but the time that it takes.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from orchestrator.engine.rules import (
    ADMITTING,
    Admission,
    Go,
    NotYet,
    Still,
    admissible_in,
    allowed_failures,
    alone,
    asked_anew,
    budget_spent,
    crowded,
    in_midst,
    is_met,
    step_of,
    unmet_needs,
)
from orchestrator.engine.standing import Standings
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState

__all__ = [
    "ADMITTING",
    "Admission",
    "Go",
    "NotYet",
    "Still",
    "admissible",
    "admissible_in",
    "allowed_failures",
    "alone",
    "asked_anew",
    "budget_spent",
    "crowded",
    "in_midst",
    "is_met",
    "step_of",
    "unmet_needs",
]


def admissible(
    run: RunState, plan: Plan, at: datetime | None, chosen: Collection[str] | None = None
) -> dict[str, Admission]:
    """Say for every migration of the plan, in its order, whether it may move, and why not.

    Not for two threads at once of the same run. The first call finds out where each migration stands: 20 to 50 us each,
    once for a run in a process, not once a turn. From then on a call costs what has changed since, and a copy of the
    answers; where something changes for whole waves (a window opens, a need is met), what it costs to put down each
    answer that is another.

    Args:
        run: where everything stands.
        plan: the plan of the run.
        at: estate time; None (it could not be read) closes every window.
        chosen: the migrations this is about; the others stand still. None means all.
    """
    known = run.admission
    if not isinstance(known, Standings) or not known.are_of(run, plan, chosen):
        run.admission = known = Standings(run, plan, chosen)
    return known.answers(at)
