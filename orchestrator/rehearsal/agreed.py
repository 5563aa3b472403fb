"""Whether enough people had agreed when a migration was admitted: the rule said a second time, from the rows alone.

Nothing here is taken from the code that admits; see :mod:`orchestrator.rehearsal.invariants`.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from datetime import datetime, timedelta

from orchestrator.model.driven import RunBegan, RunnerTook
from orchestrator.model.event import Event
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.plan import Plan
from orchestrator.model.words import Amended, ApprovalWithdrawn, Approved
from orchestrator.rehearsal.course import COMPLETE, START, Course
from orchestrator.rehearsal.judgements import Violation

RULE = "approved"
_GATE_OF = {START: Trigger.START, COMPLETE: Trigger.COMPLETE}


class Agreed:
    """What was approved by the rows so far, and who drives."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._digest = ""
        self._driver = ""
        self._words: tuple[Approved, ...] = ()

    def fork(self) -> Agreed:
        """Return the same, to go on by itself."""
        return copy(self)

    def take_in(self, event: Event) -> None:
        """Follow an event of the run."""
        match event:
            case RunBegan() | Amended():
                self._words = tuple(word for word in self._words if word.digest == event.digest)
                self._digest = event.digest
            case RunnerTook():
                self._driver = event.by
            case Approved():
                self._words = (*self._words, event)
            case ApprovalWithdrawn():
                self._words = tuple(
                    word
                    for word in self._words
                    if (word.wave, word.gate) != (event.wave, event.gate) or word.by.lower() != event.by.lower()
                )

    def admitted(self, id_: str, step: Trigger, at: datetime | None) -> Iterator[Violation]:
        """Judge that a migration is admitted now."""
        needed = self._needed(id_, step)
        valid = self._plan.policy_of(id_).approvals.valid_for
        wave = self._plan.wave_of(id_).name
        people = {
            _user(word.by)
            for word in self._words
            if (word.wave, word.gate, word.digest) == (wave, step.value, self._digest)
            and at is not None
            and word.given - timedelta(minutes=5) <= at < word.given + valid
        } - {_user(self._driver)}
        if len(people) < needed:
            said = f"admitted to {step} with {len(people)} of {needed} people who had approved wave {wave}"
            yield Violation(RULE, id_, said)

    def sent(self, course: Course, cmdlet: str) -> Iterator[Violation]:
        """Judge that Start or Complete is about to be sent: it was admitted, and so approved."""
        step = _GATE_OF.get(cmdlet)
        if step is not None and not course.back and self._needed(course.id, step) and course.admitted is not step:
            yield Violation(RULE, course.id, f"{cmdlet} begins, and it was never admitted to {step}")

    def _needed(self, id_: str, step: Trigger) -> int:
        approvals = self._plan.policy_of(id_).approvals
        return {Trigger.START: approvals.start, Trigger.COMPLETE: approvals.complete}.get(step, 0)


def _user(name: str) -> str:
    return name.split("\\")[-1].split("@")[0].lower()
