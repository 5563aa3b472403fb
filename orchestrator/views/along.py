"""Where a run stands, for whoever reads along: what was before, and every event since.

Pure, and apart from the runner: it folds the same events into a state of its own, and asks the same wave rules, at the
cost of what has changed. So it knows what no event tells: what waits to be admitted, for what, and until when.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from orchestrator.engine.outcome import at_its_end, waiting_of
from orchestrator.engine.standing import Standing
from orchestrator.engine.waves import Admission, NotYet, Still
from orchestrator.model.event import Event
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState, Waiting


class Along:
    """One run as it goes on. Not for two threads at once. What the rules say is known once they were asked."""

    def __init__(self, plan: Plan, chosen: Collection[str] | None = None, until: Phase | None = None) -> None:
        """Begin at the plan's beginning, until :meth:`begin` says where the run stands.

        Args:
            plan: the plan of the run.
            chosen: the migrations that are driven; None for all.
            until: the phase at which they stop, if not at the end.
        """
        self.plan, self.until = plan, until
        self.ids = tuple(one.id for one in plan.migrations() if chosen is None or one.id in chosen)
        self.at: datetime | None = None
        self._standings = {wave.name: Standing(plan, wave, chosen) for wave in plan.waves}
        self._wave_of = {id_: name for name, standing in self._standings.items() for id_ in standing.places}
        self.begin(RunState(plan.name))
        self._begun = False

    def begin(self, state: RunState) -> None:
        """Take in where everything stands; what was known before is forgotten."""
        self._begun = True
        self.state, self.at = state.copied(), state.last_at
        self.state.touched.clear()
        for standing in self._standings.values():
            standing.forget()
            standing.take_in(self.state, ())

    def take_in(self, event: Event, at: datetime | None) -> None:
        """Fold an event in; what comes before the beginning is part of it."""
        if not self._begun:
            return
        self.state.apply(event, at)
        self.at = at or self.at
        for id_ in self.state.touched & self._wave_of.keys():
            self._standings[self._wave_of[id_]].take_in(self.state, (id_,))
        self.state.touched.clear()

    def ask(self, at: datetime | None) -> set[str]:
        """Bring the answers up to date; return the migrations whose state or answer is another."""
        changed: set[str] = set()
        for wave in self.plan.waves:
            unmet = [name for name in self.plan.needs_of(wave) if not self._standings[name].met]
            changed |= self._standings[wave.name].ask(unmet, at, self.state)
        return changed

    def answers(self, wave: Wave) -> dict[str, Admission]:
        """Return what the rules of a wave said of its migrations when they were asked last."""
        return self._standings[wave.name].answers

    def answer(self, id_: str) -> Admission:
        """Return what they said of one."""
        return self._standings[self._wave_of[id_]].answers.get(id_, Still("not selected"))

    def wave_of(self, id_: str) -> str:
        """Return the wave of a migration."""
        return self._wave_of[id_]

    def waiting(self, id_: str) -> Waiting | None:
        """Return what a migration waits for; one that has come as far as was asked waits for nothing."""
        state = self.state[id_]
        if at_its_end(state, self.until):
            return None
        return waiting_of(state, self.answer(id_))

    def admission_wait(self, id_: str) -> NotYet | None:
        """Return what a migration waits for to be admitted."""
        answer = self.answer(id_)
        return answer if isinstance(answer, NotYet) and not at_its_end(self.state[id_], self.until) else None

    def ended(self, state: MigrationState) -> bool:
        """Whether there is nothing to come for a migration."""
        return at_its_end(state, self.until)
