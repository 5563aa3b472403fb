"""What must hold of notices: each tells of something that is so, once for each time it begins, and nothing is left out.

Judged by the rows alone: what is so is asked of the state that they give, not of whoever raised the notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from orchestrator.model.event import Event
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.noticed import NoticeRaised, NoticeSent
from orchestrator.model.run import RunState
from orchestrator.model.state import Hold, MigrationState
from orchestrator.rehearsal.judgements import Violation

_A_DAY = timedelta(days=1)


@dataclass
class Telling:
    """What was told, of which hold or which end. Without receivers in the plan nothing is told or judged."""

    on: bool
    holds: dict[str, Hold | None] = field(default_factory=dict)
    ends: dict[str, tuple[Phase, int, datetime | None]] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)
    taken: set[tuple[str, str]] = field(default_factory=set)
    raised: int = 0

    def fork(self) -> Telling:
        """Return the same, to go on by itself."""
        return replace(self, holds=dict(self.holds), ends=dict(self.ends), told=set(self.told), taken=set(self.taken))

    def take_in(self, event: Event, run: RunState) -> Iterator[Violation]:
        """Take in a row, already folded into *run*, and judge it."""
        if not self.on:
            return
        id_ = getattr(event, "migration", None)
        if id_ is not None:
            self._changed(run[id_])
        if isinstance(event, NoticeRaised):
            if event.number != self.raised + 1:
                yield Violation("notices-counted", str(event.number), f"raised after notice {self.raised}")
            self.raised = event.number
            for subject in _subjects(event):
                yield from self._judged(event, subject, run)
        elif isinstance(event, NoticeSent):
            if (event.receiver, event.notice) in self.taken:
                yield Violation("sent-once", event.notice, f"two rows say that {event.receiver} took it")
            self.taken.add((event.receiver, event.notice))

    def left_out(self, states: Iterable[MigrationState], at: datetime | None) -> Iterator[Violation]:
        """Judge where a process has ended by itself: every hold of its own that is news was told of.

        (What a person says in its last moment, the next one tells.)
        """
        for state in states if self.on else ():
            held = state.held
            ours = held is not None and held.by is None
            news = held is not None and (held.since is None or at is None or at - held.since < _A_DAY)
            if ours and news and ("held", state.id) not in self.told:
                yield Violation("holds-are-told", state.id, "it is held, and nobody was told")

    def _changed(self, state: MigrationState) -> None:
        if state.held is not self.holds.get(state.id):
            self.holds[state.id] = state.held
            self.told.discard(("held", state.id))
        end = (state.phase, state.attempt, state.since)
        if end != self.ends.get(state.id) or state.intention is not _INTENTIONS.get(state.phase):
            self.ends[state.id] = end
            self.told -= {("rolled-back", state.id), ("completed", state.id)}

    def _judged(self, event: NoticeRaised, subject: tuple[str, str], run: RunState) -> Iterator[Violation]:
        occasion, about = subject
        if subject in self.told:
            yield Violation("told-once", about, f"{occasion} is told a second time, as notice {event.number}")
        self.told.add(subject)
        state = run[about] if occasion in {"held", "rolled-back", "completed"} else None
        if state is not None and not _is_so(occasion, state):
            yield Violation("told-truly", about, f"notice {event.number} says {occasion}, and it is {state.phase}")


def _subjects(event: NoticeRaised) -> list[tuple[str, str]]:
    if event.occasion in {"held", "original-missing"}:
        return [("held", id_) for id_ in event.migrations]
    if event.occasion in {"rolled-back", "completed"}:
        return [(event.occasion, id_) for id_ in event.migrations]
    return [(event.occasion, f"{event.wave} {event.reason} {event.about}")]


_INTENTIONS = {Phase.ROLLED_BACK: Intention.BACK, Phase.COMPLETED: Intention.FORWARD}


def _is_so(occasion: str, state: MigrationState) -> bool:
    if occasion == "held":
        return state.held is not None
    phase = Phase.ROLLED_BACK if occasion == "rolled-back" else Phase.COMPLETED
    return state.phase is phase and state.intention is _INTENTIONS[phase]
