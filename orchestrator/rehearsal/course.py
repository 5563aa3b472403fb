"""One migration as its events tell it: only what the invariants need, and kept without a look at the model's fold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestrator.model.event import (
    Admitted,
    AttemptFinished,
    AttemptSettled,
    AttemptStarted,
    BaselineRead,
    Event,
    Held,
    Moved,
    Recovered,
    Released,
    RetryDue,
    SubjectDone,
    WaitBegan,
    WayBackAsked,
)
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.observation import Outcome

DISRUPTIVE = frozenset({"Restart-Service", "Restart-WebAppPool", "Start-Service", "Restart-Computer"})
START, COMPLETE = "Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration"
UNDO, RESET = "Undo-ADServiceAccountMigration", "Reset-ADServiceAccountMigration"
_LEADS_TO = {START: (1, 1), COMPLETE: (2, 2)}
_NOTHING_WRONG = frozenset({"operator", "undone", "budget-spent"})
"""Reasons of holds that say nothing against a migration."""
LEAVES = {Phase.REOPENED: (2, 2), Phase.UNLINKED: (1, 1), Phase.ROLLED_BACK: (1, 1)}
"""What a way back to a phase leaves behind: copies that have not heard of that prove nothing by what they show."""
_SLOT_ENDS = frozenset({Phase.RESTARTED, Phase.COMPLETED, Phase.ROLLED_BACK})


@dataclass(frozen=True)
class Sent:
    """A write that was announced, and is not known to have ended."""

    event: AttemptStarted
    unknown: bool = False


@dataclass(frozen=True)
class Before:
    """A migration's account and hosts at the far side, when the snapshot was taken."""

    at: datetime
    account: Mapping[str, object]
    running: Mapping[str, Mapping[str, bool] | None]
    """None of a host that was on its way up again."""
    switches: Mapping[str, int | None]


@dataclass
class Course:
    """Where a migration stands by its events, and what the far side was seen to do for it."""

    id: str
    phase: Phase = Phase.PLANNED
    back: bool = False
    attempt: int = 1
    held: Held | None = None
    failed: bool = False
    """Whether it counts against its wave's failure budget."""
    refused: bool = False
    """Whether a guard stopped it before anything was written for it."""
    admitted: Trigger | None = None
    waits: dict[str, str] = field(default_factory=dict)
    open: dict[str, Sent] = field(default_factory=dict)
    asked_back: WayBackAsked | None = None
    """Who took it back last, and why."""
    begun: bool = False
    """Whether the present step has written anything, going forward."""
    restarting: set[str] = field(default_factory=set)
    """Hosts at which the present step has begun to restart and is not done."""
    switched: set[str] = field(default_factory=set)
    """The hosts whose switch it needs, by its first intent or its read-back there."""
    disrupted: set[str] = field(default_factory=set)
    """Hosts at which this attempt has restarted something."""
    before: Before | None = None
    effects: Counter[str] = field(default_factory=Counter)
    """How often a command took effect, since the last move, word or foreign hand that makes it right again."""
    restarts: Counter[tuple[str, str]] = field(default_factory=Counter)
    converged_at: datetime | None = None
    """Since when every copy shows 1/1, at the earliest: the last look at which they did not, for time jumps."""
    apart_at: datetime | None = None
    heard: set[tuple[int, int]] = field(default_factory=set)
    """What every copy has shown of the pair since the command was announced that leads there: one that has not heard of
    Start, or of Complete, cannot be told from one that has heard of the way back too, and shows it for a moment when it
    hears of both.
    """
    switch_at: dict[str, datetime] = field(default_factory=dict)
    member_at: dict[str, datetime] = field(default_factory=dict)
    members: frozenset[str] = frozenset()
    """Who was among the principals at the last look."""

    @property
    def in_flight(self) -> bool:
        """Whether it takes one of its wave's places."""
        if self.phase in {Phase.PLANNED, Phase.ROLLED_BACK}:
            return False
        if self.back:
            return True
        rests = set(self.waits.values()) == {"task-run"} and not self.restarting - self.waits.keys() and not self.open
        return self.admitted is not None and not rests

    def fork(self) -> Course:
        """Return the same course, to go on by itself."""
        other = copy(self)
        other.waits, other.open = dict(self.waits), dict(self.open)
        other.switched, other.heard, other.restarting = set(self.switched), set(self.heard), set(self.restarting)
        other.disrupted = set(self.disrupted)
        other.effects, other.restarts = Counter(self.effects), Counter(self.restarts)
        other.switch_at, other.member_at = dict(self.switch_at), dict(self.member_at)
        return other

    def take_in(self, event: Event) -> None:
        """Follow an event about this migration."""
        follow = _FOLLOW.get(type(event))
        if follow is not None:
            follow(self, event)

    def announced(self, pipeline: UUID) -> bool:
        """Whether an open attempt has this pipeline."""
        return any(sent.event.pipeline == pipeline for sent in self.open.values())

    def foreign_hand(self) -> None:
        """Somebody else touched the pair: what took effect before says nothing about what is right now."""
        self._forgive(START, COMPLETE, UNDO, RESET)

    def _admit(self, event: Admitted) -> None:
        self.admitted, self.waits = event.step, {}

    def _settle(self, event: AttemptSettled) -> None:
        self.open.pop(event.subject, None)
        self.waits.pop(event.subject, None)

    def _wait(self, event: WaitBegan) -> None:
        self.waits[event.subject] = event.waiting_for

    def _retry(self, event: RetryDue) -> None:
        self.waits[event.subject] = "retry"

    def _recover(self, event: Recovered) -> None:
        self.waits.pop(event.subject, None)

    def _hold(self, event: Held) -> None:
        self.held = event
        if event.reason.startswith("guard:") and not self.effects["announced"]:
            self.admitted, self.failed, self.refused = None, False, True
        elif event.reason not in _NOTHING_WRONG:
            self.failed, self.refused = True, False

    def _turn_back(self, event: WayBackAsked) -> None:
        self.back, self.held, self.begun, self.waits = True, None, False, {}
        self.asked_back = event
        if event.automatic:
            self.failed, self.refused = True, False
        self._forgive(UNDO, RESET)

    def _begin(self, event: AttemptStarted) -> None:
        self.open[event.subject] = Sent(event)
        self.waits.pop(event.subject, None)
        self.begun = self.begun or not self.back
        if event.cmdlet == START:
            self.effects["announced"] += 1
        if event.cmdlet in DISRUPTIVE:
            self.disrupted.add(event.subject)
        self.heard.discard(_LEADS_TO.get(event.cmdlet, (0, 0)))
        if event.step is Trigger.REGISTRY:
            self.switched.add(event.subject)

    def _finish(self, event: AttemptFinished) -> None:
        sent = self.open.get(event.subject)
        if sent is None:
            return
        if event.outcome is Outcome.UNKNOWN:
            self.open[event.subject] = replace(sent, unknown=True)
        else:
            del self.open[event.subject]

    def _read_clock(self, event: BaselineRead) -> None:
        self.restarting.add(event.host)

    def _done(self, event: SubjectDone) -> None:
        self.waits.pop(event.subject, None)
        self.restarting.discard(event.subject)
        if event.step is Trigger.REGISTRY:
            self.switched.add(event.subject)
        elif event.step is Trigger.RESTORE:
            self.switched.discard(event.subject)

    def _move(self, event: Moved) -> None:
        self.phase, self.waits, self.open, self.begun = event.dest, {}, {}, False
        self.restarts.clear()
        self.restarting.clear()
        self._forgive(UNDO, RESET)
        if event.dest in _SLOT_ENDS:
            self.admitted = None
        if event.dest is Phase.REOPENED:
            self._forgive(COMPLETE)
            self._dwell_anew()
        if event.dest is Phase.UNLINKED:
            self._forgive(START, COMPLETE)
            self._dwell_anew()

    def _release(self, event: Released) -> None:
        self.held, self.waits, self.begun = None, {}, bool(self.open) or (self.begun and not self.back)
        self.failed = self.refused = False
        self.restarts.clear()
        if not event.forward or not self.back:
            return
        self.back = False
        if self.phase is Phase.ROLLED_BACK:
            self.attempt += 1
            self.before = None
            self.disrupted.clear()
            self.effects.clear()
            self._dwell_anew()
        elif self.phase is Phase.REOPENED:
            self.phase, self.admitted = Phase.RESTARTED, None

    def look_for_convergence(self, agreed: bool, last: datetime | None, now: datetime) -> None:
        """Note whether every copy shows 1/1 at this moment.

        Args:
            agreed: whether they do.
            last: since when it may have become so, or otherwise, if that is known.
            now: this moment.
        """
        if not agreed:
            self.converged_at, self.apart_at = None, now
        elif self.converged_at is None:
            apart = self.apart_at or now
            self.converged_at, self.apart_at = max(apart, last) if last else apart, None

    def _dwell_anew(self) -> None:
        self.converged_at = None
        if self.phase is Phase.UNLINKED or self.before is None:
            self.switch_at, self.member_at = {}, {}

    def _forgive(self, *commands: str) -> None:
        for name in commands:
            self.effects.pop(name, None)


_FOLLOW: dict[type[Any], Callable[[Course, Any], None]] = {
    Admitted: Course._admit,
    AttemptStarted: Course._begin,
    AttemptFinished: Course._finish,
    AttemptSettled: Course._settle,
    BaselineRead: Course._read_clock,
    SubjectDone: Course._done,
    WaitBegan: Course._wait,
    RetryDue: Course._retry,
    Recovered: Course._recover,
    Held: Course._hold,
    Moved: Course._move,
    Released: Course._release,
    WayBackAsked: Course._turn_back,
}
