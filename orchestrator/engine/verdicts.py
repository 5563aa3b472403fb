"""What guards that do not let a migration pass say to people, and what time alone can still satisfy."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from orchestrator.model.action import Wait
from orchestrator.model.case import Case, Verdict
from orchestrator.model.waiting import WaitFor
from orchestrator.steps.step import LONGEST_LOOK, LOOK_AGAIN, next_look

_COMPLETE = "approval:complete"


def line(verdict: Verdict) -> str:
    """Return one line that names the subject, what was found, and the remedy."""
    about = "" if verdict.subject in verdict.evidence else f"{verdict.subject}: "
    return f"{about}{verdict.evidence}" + (f" ({verdict.remedy})" if verdict.remedy else "")


def waited_for(case: Case, verdicts: Iterable[Verdict]) -> Wait:
    """Return the wait for the last of several things that time will satisfy; replication is looked at meanwhile.

    People come first: they can act now, and their word makes everything be looked at again.
    """
    verdicts = tuple(verdicts)
    people = [verdict for verdict in verdicts if verdict.waits and verdict.waits[0].startswith("approval:")]
    if people:
        gate: WaitFor = "approval:complete" if people[0].waits == (_COMPLETE, None) else "approval:start"
        return Wait(gate, None, None, "\n".join(map(line, people)))
    last = max(verdicts, key=lambda verdict: (verdict.waits or ("", None))[1] or datetime.min.replace(tzinfo=UTC))
    waiting_for, until = last.waits or ("dwell", None)
    if waiting_for == "replication":
        again = next_look(case, waiting_for, case.policy.converge_within, LOOK_AGAIN, LONGEST_LOOK)
        return Wait("replication", until, again, last.evidence)
    return Wait("ledger" if waiting_for == "ledger" else "dwell", until, until, last.evidence)
