"""Which migrations are worth another look, and when: so that a turn costs what has changed, not what exists.

A migration that was looked at and had nothing to do is left alone until its state or its admission changes, something
of it lands, or what it waits for is due. One that would begin something while there is no room for its calls is put
off: what waits long for its turn is answered in pieces, and the first of them is too old to write by when the last one
comes.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from itertools import chain

from orchestrator.conductor.flights import Key
from orchestrator.engine.standing import Standing
from orchestrator.engine.waves import Admission, Go
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState

_FEW = 64
"""Times that are not worth sorting out."""


def _begins(answer: Admission) -> bool:
    return isinstance(answer, Go) and (answer.admits or answer.step is Trigger.PREPARE)


def _prepares(answer: Admission) -> bool:
    return isinstance(answer, Go) and answer.step is Trigger.PREPARE


class Agenda:
    """What to look at in this turn, and until when nothing is due."""

    def __init__(self, plan: Plan, chosen: Collection[str]) -> None:
        self._plan = plan
        self._waves = {wave.name: Standing(plan, wave, chosen) for wave in plan.waves}
        self._wave_of = {id_: name for name, standing in self._waves.items() for id_ in standing.places}
        self._anew = True
        self._stirred: dict[str, set[str]] = defaultdict(set)
        self._again: dict[str, dict[str, datetime | None]] = {}
        self._dues: list[tuple[datetime, Key]] = []
        self._most = _FEW
        self._news: set[str] = set()
        self._put_off: dict[str, list[tuple[bool, int, str]]] = {wave.name: [] for wave in plan.waves}
        """A heap for each wave: who has come furthest is first, then who stands first in the plan."""

    def worth_a_look(
        self, run: RunState, at: datetime | None, full: Callable[[str], bool] = lambda _id: False
    ) -> Iterator[tuple[str, Admission]]:
        """Yield the migrations that may have something to do, with what the wave rules say of them.

        A migration that is not stirred again by :meth:`stir`, a change or a due time is not yielded next time.

        Args:
            run: where everything stands.
            at: estate time.
            full: whether there is no room for a migration to begin something; it is asked again in the next turn.
        """
        self._wake(at)
        self._take_in(run)
        for wave in self._plan.waves:
            standing = self._waves[wave.name]
            changed = standing.ask(self._unmet(wave), at, run)
            ids = sorted(changed | self._stirred.pop(wave.name, set()), key=standing.places.__getitem__)
            for id_ in chain(ids, self._taken_up(wave, full)):
                if run.touched and _begins(standing.answers[id_]):
                    self._take_in(run)  # what was written in this turn may have spent the budget that it begins on
                    for other in standing.ask(self._unmet(wave), at, run):
                        self.stir(other)
                answer = standing.answers[id_]
                if _begins(answer) and full(id_):
                    heapq.heappush(self._put_off[wave.name], (_prepares(answer), standing.places[id_], id_))
                else:
                    yield id_, answer
            self._take_in(run)

    def _unmet(self, wave: Wave) -> list[str]:
        return [name for name in self._plan.needs_of(wave) if not self._waves[name].met]

    def _taken_up(self, wave: Wave, full: Callable[[str], bool]) -> Iterator[str]:
        """Yield who was put off and would still begin something, while there is room."""
        put_off, answers = self._put_off[wave.name], self._waves[wave.name].answers
        while put_off and not full(put_off[0][2]):
            id_ = heapq.heappop(put_off)[2]
            if _begins(answers[id_]):
                yield id_

    def news(self) -> set[str]:
        """Return the migrations that events were about since this was asked last."""
        news, self._news = self._news, set()
        return news

    def stir(self, id_: str) -> None:
        """Look at a migration again in the next turn."""
        self._stirred[self._wave_of[id_]].add(id_)

    def wait(self, key: Key, due: datetime | None) -> None:
        """Leave a subject alone until *due*; None: until something of its migration changes."""
        id_, subject = key
        self._again.setdefault(id_, {})[subject] = due
        if due is not None:
            heapq.heappush(self._dues, (due, key))
            if len(self._dues) > self._most:
                self._drop_what_no_longer_counts()

    def waits(self, key: Key) -> bool:
        """Whether a subject is to be left alone now."""
        return key[1] in self._again.get(key[0], ())

    def forget(self, id_: str | None = None) -> None:
        """Leave nothing of a migration (None: of any) alone any longer."""
        if id_ is not None:
            self._again.pop(id_, None)
            self.stir(id_)
            return
        self._again.clear()
        self._dues.clear()
        for put_off in self._put_off.values():
            put_off.clear()
        self._anew = True
        for standing in self._waves.values():
            standing.forget()

    def next_due(self) -> datetime | None:
        """Return when the next thing is due, None if nothing has a time."""
        while self._dues and not self._stands(*self._dues[0]):
            heapq.heappop(self._dues)
        return self._dues[0][0] if self._dues else None

    def _drop_what_no_longer_counts(self) -> None:
        """Keep only the times that still stand: one that lies weeks ahead comes to the top, and goes, in weeks."""
        left = ((due, (id_, subject)) for id_, again in self._again.items() for subject, due in again.items())
        self._dues = [(due, key) for due, key in left if due is not None]
        heapq.heapify(self._dues)
        self._most = max(_FEW, 2 * len(self._dues))

    def _stands(self, due: datetime, key: Key) -> bool:
        return self._again.get(key[0], {}).get(key[1]) == due

    def _wake(self, at: datetime | None) -> None:
        while at is not None and (due := self.next_due()) is not None and due <= at:
            id_, subject = heapq.heappop(self._dues)[1]
            del self._again[id_][subject]
            self.stir(id_)

    def _take_in(self, run: RunState) -> None:
        """Let the waves know which migrations events were about since the last time."""
        touched: dict[str, list[str]] = {name: [] for name in self._waves} if self._anew else {}
        for id_ in run.touched:
            if id_ in self._wave_of:
                touched.setdefault(self._wave_of[id_], []).append(id_)
        self._news |= run.touched
        run.touched.clear()
        self._anew = False
        for name, ids in touched.items():
            self._waves[name].take_in(run, ids)
