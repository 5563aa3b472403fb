"""The wave rules at the cost of what has changed: the answers of :func:`~.rules.admissible_in`, kept from turn to turn.

What one migration may do depends on its own state, on the waves that are needed, on the failure budget, on the clock
where there are windows, on which approvals count where people must agree, and on who comes before it for a place in
flight. Only where one of these changed is anything asked anew: a wave of a thousand migrations would otherwise be
walked through after every event.

Much of that changes for a whole wave at once: its window opens, its needs are met, its budget is spent, an approval
runs out. So the rules are asked about positions (:func:`~.rules.position_of`), of which there are few, and not about
the migrations that are in them. What is left to do for each of these is to put down its answer, where it is another.

The clock changes with every turn, and what it says of a window seldom: between two moments at which a window opens,
closes, or may have another reason to be closed, what a migration may do changes at most once, when too little of it is
left, or when it is near enough for people to be asked. A position that has the same answer now and at the end of such a
stretch of time is not asked about again within it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeAlias

from orchestrator.engine.approving import GATES, rules_of, unapproved
from orchestrator.engine.outside import window_of
from orchestrator.engine.rules import (
    Admission,
    Go,
    Position,
    Still,
    budget_spent,
    crowded,
    is_open,
    judged,
    meets,
    position_of,
)
from orchestrator.engine.windows import steady_until
from orchestrator.model.approvals import Consent
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.restarts import Restarts
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.states import States
from orchestrator.model.words import Subject

Known: TypeAlias = Position | Admission
"""A position, or the answer itself where it follows from the state alone."""
_MOMENT = timedelta(microseconds=1)


class Standing:
    """One wave: what each of its migrations may do, and whether the wave is met."""

    def __init__(
        self,
        plan: Plan,
        wave: Wave,
        chosen: Collection[str] | None = None,
        answers: dict[str, Admission] | None = None,
    ) -> None:
        """Know nothing yet.

        Args:
            plan: the plan of the run.
            wave: the wave.
            chosen: the migrations this is about; None means all.
            answers: where the answers are put down, with those of other waves; None: by themselves.
        """
        self._plan, self._wave, self._shared = plan, wave, answers
        self._ids = tuple(migration.id for migration in wave.migrations)
        self._chosen = None if chosen is None else frozenset(chosen)
        self._timed = bool(wave.window or wave.windows or wave.blackout)
        self._rules = rules_of(plan, wave)
        self._takes = tuple({plan.policy_of(id_).restart_takes for id_ in self._ids}) if self._timed else ()
        self._crowded = crowded(wave)
        self.places = {id_: place for place, id_ in enumerate(self._ids)}
        """The migrations of the wave, and their order in it."""
        self.forget()

    def forget(self) -> None:
        """Know nothing any longer: the next :meth:`take_in` takes in everything."""
        self.answers: dict[str, Admission] = {} if self._shared is None else self._shared
        self.met = False
        self._states: dict[str, MigrationState] = {}
        self._changed: set[str] = set()
        self._open: dict[str, MigrationState] = {}
        self._failed: list[int] = []
        self._spent: str | None = None
        self._in_flight = 0
        self._position: dict[str, Known] = {}
        self._those_in: dict[Known, list[str]] = {}
        self._alone: dict[Known, Admission] = {}
        self._wanting: set[Known] = set()
        self._given: frozenset[str] = frozenset()
        self._asked_with: object = None
        self._restless: set[Known] = set()
        self._own: dict[str, tuple[timedelta, ...]] = {}
        self._measured = 0
        self._at: datetime | None = None
        self._until: datetime | None = None

    def take_in(self, run: RunState, touched: Iterable[str]) -> None:
        """Take in where migrations of the wave stand now, and so whether the wave is met.

        Args:
            run: where everything stands.
            touched: the migrations that events were about since the last time.
        """
        changed = [id_ for id_ in (touched if self._states else self._ids) if self._count(run[id_])]
        if changed:
            self._changed.update(changed)
            self._spent = budget_spent(self._wave, (self._states[self._ids[place]] for place in self._failed))
            self.met = meets(self._wave, self._open.values())

    def ask(self, unmet: Iterable[str], at: datetime | None, run: RunState) -> set[str]:
        """Bring the answers up to date; return the migrations whose state or answer is not what it was.

        Args:
            unmet: the waves that this one needs and that are not met.
            at: estate time.
            run: who has approved what, and how long restarts were measured to take.
        """
        changed, self._changed = self._changed, set()
        moved = changed | self._measured_since(run.restarts)
        for id_ in moved:
            self._move(id_, run.restarts)
        takes = tuple(run.restarts.expected_of_any(planned) for planned in self._takes)
        asked_with = (tuple(unmet), self._spent, takes, self._approved(run.consent, at))
        by_time = self._by_time(at)
        if asked_with == self._asked_with:
            asked = by_time | ({self._position[id_] for id_ in moved} - self._alone.keys())
        else:
            asked = set(self._those_in)
        self._asked_with = asked_with
        others = [known for known in asked if self._ask(known, asked_with[0], at, run)]
        if not moved and not asked:
            return changed
        answered = self._put_down(moved, others)
        answered |= changed
        return answered

    def _approved(self, consent: Consent, at: datetime | None) -> object:
        """Return what decides who has approved: nothing where nobody must, else what was said and what counts of it."""
        if not self._rules:
            return None
        words = tuple(consent.given.get(Subject("gate", self._wave.name, gate)) for gate in GATES)
        counts = tuple(unapproved(consent, self._wave, gate, rule, at) for gate, rule in self._rules)
        return (words, counts, consent.driver, consent.digest)

    def _measured_since(self, restarts: Restarts) -> set[str]:
        """Return the migrations that are to restart something in a window, and whose own restarts are others now."""
        if restarts.measured == self._measured:
            return set()
        self._measured = restarts.measured
        those = restarts.own.keys() & self._own.keys()
        return {id_ for id_ in those if restarts.own[id_] is not self._own[id_]}

    def _by_time(self, at: datetime | None) -> set[Known]:
        """Return the positions whose answer may be another because time has passed."""
        last, self._at = self._at, at
        if not self._timed or at == last:
            return set()
        if at is not None and last is not None and self._until is not None and last <= at < self._until:
            return set(self._restless)
        windows = [window for gate in GATES if (window := window_of(self._wave, gate)) is not None]
        spans = (steady_until(window, self._wave.blackout, at) for window in windows) if at else ()
        self._until = min(spans, default=None)
        return {known for known in self._those_in if _is_clocked(known)}

    def _count(self, state: MigrationState) -> bool:
        """Take a state into the sums of the wave; say whether it is another one than before."""
        before = self._states.get(state.id)
        if before is state:
            return False
        self._states[state.id] = state
        self._in_flight += state.in_flight - (before.in_flight if before else False)
        self._open.pop(state.id, None)
        if is_open(state):
            self._open[state.id] = state
        _mark(self._failed, self.places[state.id], state.failure == "failed")
        return True

    def _move(self, id_: str, restarts: Restarts) -> None:
        """See in which position a migration is now."""
        known: Known = Still("not selected")
        if self._chosen is None or id_ in self._chosen:
            known = position_of(self._states[id_], self._plan, self._wave, restarts)
        self._own.pop(id_, None)
        if isinstance(known, Position) and known.ahead is not None:
            self._own[id_] = restarts.own.get(id_, ())
        before = self._position.get(id_)
        if before == known:
            return
        self._position[id_] = known
        place_of = self.places.__getitem__
        insort(self._those_in.setdefault(known, []), id_, key=place_of)
        if before is not None:
            those = self._those_in[before]
            del those[bisect_left(those, place_of(id_), key=place_of)]
            if not those:
                del self._those_in[before], self._alone[before]
                self._wanting.discard(before)
                self._restless.discard(before)

    def _ask(self, known: Known, unmet: Iterable[str], at: datetime | None, run: RunState) -> bool:
        """Ask the rules about a position; say whether who was in it before has another answer now.

        See also whether they will say the same until the stretch of time is over.
        """
        before = self._alone.get(known)
        answer = later = judged(known, self._wave, at, unmet, self._spent, run)
        if self._until is not None and _is_clocked(known):
            later = judged(known, self._wave, self._until - _MOMENT, unmet, self._spent, run)
        self._alone[known] = answer
        _belong(self._wanting, known, _wants_a_place(answer))
        _belong(self._restless, known, later != answer)
        return before is not None and before != answer

    def _give_places(self) -> frozenset[str]:
        """Return the first that want a place, as many as are free."""
        free = max(0, self._wave.at_once - self._in_flight)
        firsts = chain.from_iterable(self._those_in[known][:free] for known in self._wanting)
        return frozenset(sorted(firsts, key=self.places.__getitem__)[:free])

    def _put_down(self, moved: Iterable[str], others: Collection[Known]) -> set[str]:
        """Put down the answers of migrations that are in another position, or in one that has another answer now.

        Return those whose answer is not what it was. Who gets a place, or had one, is looked at by himself.
        """
        before, self._given = self._given, self._give_places()
        were = {id_: self.answers.get(id_) for id_ in {*moved, *(before ^ self._given)}}
        changed: set[str] = set()
        for known in others:
            answer = self._alone[known]
            answers = dict.fromkeys(self._those_in[known], self._crowded if _wants_a_place(answer) else answer)
            self.answers |= answers
            changed.update(answers)
        for id_, was in were.items():
            answer = self._alone[self._position[id_]]
            if _wants_a_place(answer) and id_ not in self._given:
                answer = self._crowded
            self.answers[id_] = answer
            (changed.discard if was == answer else changed.add)(id_)
        return changed


class Standings:
    """All waves of one run: what each migration may do, at the cost of what has changed since that was asked last."""

    def __init__(self, run: RunState, plan: Plan, chosen: Collection[str] | None = None) -> None:
        self._run, self._plan = run, plan
        self._chosen = None if chosen is None else frozenset(chosen)
        ids = (migration.id for migration in plan.migrations())
        self._answers: dict[str, Admission] = dict.fromkeys(ids, Still("not asked yet"))
        self._waves = {wave.name: Standing(plan, wave, self._chosen, self._answers) for wave in plan.waves}
        self._wave_of = {id_: wave for wave in self._waves.values() for id_ in wave.places}
        self._changed: set[str] = set()

    def are_of(self, run: RunState, plan: Plan, chosen: Collection[str] | None) -> bool:
        """Whether these are the answers about this very run, by this very plan, for the same choice."""
        same = run is self._run and plan is self._plan
        return same and self._chosen == (None if chosen is None else frozenset(chosen))

    def answers(self, at: datetime | None) -> dict[str, Admission]:
        """Return what each migration may do, in the order of the plan.

        Args:
            at: estate time.
        """
        self._take_in()
        for wave in self._plan.waves:
            standing = self._waves[wave.name]
            unmet = [name for name in self._plan.needs_of(wave) if not self._waves[name].met]
            standing.ask(unmet, at, self._run)
        return self._answers.copy()

    def _take_in(self) -> None:
        """Let the waves know which states are others now; all of them, where that was not followed."""
        states = self._run.migrations
        if not isinstance(states, States):
            states = self._run.migrations = States(states)  # somebody put plain ones there
        if not states.is_watched_by(self._changed):
            self._changed = states.watch()
            for standing in self._waves.values():
                standing.forget()
                standing.take_in(self._run, ())
            return
        touched: dict[Standing, list[str]] = {}
        for id_ in self._changed & self._wave_of.keys():
            touched.setdefault(self._wave_of[id_], []).append(id_)
        self._changed.clear()
        for standing, ids in touched.items():
            standing.take_in(self._run, ids)


def _is_clocked(known: Known) -> bool:
    """Whether the clock may make the answer another."""
    return isinstance(known, Position) and known.windowed


def _wants_a_place(answer: Admission) -> bool:
    return isinstance(answer, Go) and answer.admits


def _belong(those: set[Known], known: Known, belongs: bool) -> None:
    """Put a position into a set, or take it out."""
    if belongs:
        those.add(known)
    else:
        those.discard(known)


def _mark(places: list[int], place: int, belongs: bool) -> None:
    """Put a place into an ordered list, or take it out."""
    at = bisect_left(places, place)
    if belongs != (at < len(places) and places[at] == place):
        if belongs:
            insort(places, place)
        else:
            del places[at]
