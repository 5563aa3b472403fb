"""Which migrations are worth another look, and when: so that a turn costs what has changed, not what exists.

The wave rules are asked anew only where their answer may differ: a state of the wave changed, a wave it needs was met,
or it has windows. A migration that was looked at and had nothing to do is left alone until its state or its admission
changes, something of it lands, or what it waits for is due.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.engine.waves import Admission, admissible_in, is_met
from orchestrator.flights import Key
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState


@dataclass
class _Known:
    """What was last known of one wave."""

    states: list[MigrationState] = field(default_factory=list)
    needs_met: tuple[bool, ...] = ()
    met: bool = False
    answers: dict[str, Admission] = field(default_factory=dict)


class Agenda:
    """What to look at in this turn, and until when nothing is due."""

    def __init__(self, plan: Plan, chosen: Collection[str]) -> None:
        self._plan, self._chosen = plan, chosen
        self._known = {wave.name: _Known() for wave in plan.waves}
        self._changes = -1
        self._quiet: dict[str, tuple[MigrationState, Admission]] = {}
        self._stirred: dict[str, None] = {}  # a set with an order, so that the same history gives the same journal
        self._again: dict[Key, datetime | None] = {}
        self._dues: list[tuple[datetime, Key]] = []

    def worth_a_look(self, run: RunState, at: datetime | None) -> Iterator[tuple[str, Admission]]:
        """Yield the migrations that may have something to do, with what the wave rules say of them.

        A migration that is not stirred again by :meth:`stir`, a change or a due time is not yielded next time.
        """
        self._wake(at)
        changed, self._changes = run.changes != self._changes, run.changes
        for wave in self._plan.waves:
            timed = bool(wave.window or wave.windows or wave.blackout)
            if not (changed or timed or self._stirred):
                continue
            answers = self._answers(run, wave, at, timed) if changed or timed else self._known[wave.name].answers
            for id_ in list(answers) if changed or timed else [id_ for id_ in self._stirred if id_ in answers]:
                state, answer = run[id_], answers[id_]
                quiet = self._quiet.get(id_)
                if id_ not in self._stirred and quiet and quiet[0] is state and quiet[1] is answer:
                    continue
                self._stirred.pop(id_, None)
                self._quiet[id_] = (state, answer)
                yield id_, answer

    def stir(self, id_: str) -> None:
        """Look at a migration again in the next turn."""
        self._stirred[id_] = None

    def wait(self, key: Key, due: datetime | None) -> None:
        """Leave a subject alone until *due*; None: until something of its migration changes."""
        self._again[key] = due
        if due is not None:
            heapq.heappush(self._dues, (due, key))

    def waits(self, key: Key) -> bool:
        """Whether a subject is to be left alone now."""
        return key in self._again

    def forget(self, id_: str | None = None) -> None:
        """Leave nothing of a migration (None: of any) alone any longer."""
        for key in [key for key in self._again if id_ is None or key[0] == id_]:
            del self._again[key]
        if id_ is None:
            self._quiet.clear()
            self._changes = -1
        else:
            self._stirred[id_] = None

    def next_due(self) -> datetime | None:
        """Return when the next thing is due, None if nothing has a time."""
        while self._dues and self._again.get(self._dues[0][1]) != self._dues[0][0]:
            heapq.heappop(self._dues)
        return self._dues[0][0] if self._dues else None

    def _wake(self, at: datetime | None) -> None:
        while at is not None and (due := self.next_due()) is not None and due <= at:
            key = heapq.heappop(self._dues)[1]
            del self._again[key]
            self._stirred[key[0]] = None

    def _answers(self, run: RunState, wave: Wave, at: datetime | None, timed: bool) -> dict[str, Admission]:
        known = self._known[wave.name]
        states = [run[migration.id] for migration in wave.migrations]
        changed = len(known.states) != len(states) or any(a is not b for a, b in zip(known.states, states, strict=True))
        if changed:
            known.states, known.met = states, is_met(run, wave)
        needs_met = tuple(self._known[name].met for name in self._plan.needs_of(wave))
        if changed or timed or needs_met != known.needs_met:
            fresh = admissible_in(run, self._plan, wave, at, self._chosen)
            known.needs_met = needs_met
            known.answers = {id_: _same(known.answers.get(id_), answer) for id_, answer in fresh.items()}
        return known.answers


def _same(before: Admission | None, now: Admission) -> Admission:
    """Return the answer of before where it has not changed, so that identity means equality."""
    return before if before is not None and before == now else now
