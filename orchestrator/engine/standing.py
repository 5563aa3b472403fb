"""The wave rules at the cost of what has changed: the answers of :func:`~.rules.admissible_in`, kept from turn to turn.

What one migration may do depends on its own state, on the waves that are needed, on the failure budget, on the clock
where there are windows, on which approvals count where people must agree, and on who comes before it for a place in
flight. Only where one of these changed is anything asked anew: a wave of a thousand migrations would otherwise be
walked through after every event.

The clock changes with every turn, and what it says of a window seldom: between two moments at which a window opens,
closes, or may have another reason to be closed, what a migration may do changes at most once, when too little of it is
left, or when it is near enough for people to be asked. Who gets the same answer now and at the end of such a stretch of
time is not asked again within it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from orchestrator.engine.approving import GATES, rules_of, unapproved
from orchestrator.engine.outside import NEEDS_WINDOW, window_of
from orchestrator.engine.rules import Admission, Go, Still, alone, budget_spent, crowded, is_open, meets, step_of
from orchestrator.engine.windows import steady_until
from orchestrator.model.approvals import Consent
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.states import States
from orchestrator.model.words import Subject

_MOMENT = timedelta(microseconds=1)


class Standing:
    """One wave: what each of its migrations may do, and whether the wave is met."""

    def __init__(self, plan: Plan, wave: Wave, chosen: Collection[str] | None = None) -> None:
        self._plan, self._wave = plan, wave
        self._ids = tuple(migration.id for migration in wave.migrations)
        self._chosen = None if chosen is None else frozenset(chosen)
        self._timed = bool(wave.window or wave.windows or wave.blackout)
        self._rules = rules_of(plan, wave)
        self.places = {id_: place for place, id_ in enumerate(self._ids)}
        """The migrations of the wave, and their order in it."""
        self.forget()

    def forget(self) -> None:
        """Know nothing any longer: the next :meth:`take_in` takes in everything."""
        self.answers: dict[str, Admission] = {}
        self.met = False
        self._states: dict[str, MigrationState] = {}
        self._changed: set[str] = set()
        self._open: dict[str, MigrationState] = {}
        self._failed: list[int] = []
        self._spent: str | None = None
        self._in_flight = 0
        self._alone: dict[str, Admission] = {}
        self._wanting: list[int] = []
        self._given: frozenset[int] = frozenset()
        self._asked_with: object = None
        self._clocked: set[str] = set()
        self._restless: set[str] = set()
        self._at: datetime | None = None
        self._stretch: tuple[datetime, datetime] | None = None

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
        measured = run.restarts.measured if self._timed else None
        asked_with = (tuple(unmet), self._spent, measured, self._said(run.consent, at))
        by_time = self._by_time(at)
        asked = changed | by_time if asked_with == self._asked_with else self._ids
        self._asked_with = asked_with
        if not asked:
            return changed
        for id_ in asked:
            self._ask(id_, asked_with[0], at, run)
        return changed | self._give_places(asked)

    def _said(self, consent: Consent, at: datetime | None) -> object:
        """Return what decides who has approved: nothing where nobody must, else what was said and what counts of it."""
        if not self._rules:
            return None
        words = tuple(consent.given.get(Subject("gate", self._wave.name, gate)) for gate in GATES)
        counts = tuple(unapproved(consent, self._wave, gate, rule, at) for gate, rule in self._rules)
        return (words, counts, consent.driver, consent.digest)

    def _by_time(self, at: datetime | None) -> set[str]:
        """Return the migrations whose answer may be another because time has passed."""
        last, self._at = self._at, at
        if not self._timed or at == last:
            return set()
        if at is not None and self._stretch is not None and self._stretch[0] <= at < self._stretch[1]:
            return set(self._restless)
        windows = [window for gate in GATES if (window := window_of(self._wave, gate)) is not None]
        until = min((steady_until(window, self._wave.blackout, at) for window in windows), default=at) if at else None
        self._stretch = (at, until) if at is not None and until is not None else None
        return set(self._clocked)

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

    def _ask(self, id_: str, unmet: Iterable[str], at: datetime | None, run: RunState) -> None:
        answer: Admission = Still("not selected")
        if self._chosen is None or id_ in self._chosen:
            answer = self._now(id_, unmet, at, run)
        self._alone[id_] = answer
        _mark(self._wanting, self.places[id_], isinstance(answer, Go) and answer.admits)

    def _now(self, id_: str, unmet: Iterable[str], at: datetime | None, run: RunState) -> Admission:
        """Return what the rules say at a moment, and see whether they say the same until the stretch is over."""
        state = self._states[id_]
        answer = alone(state, self._plan, self._wave, at, unmet, self._spent, run)
        clocked = self._timed and state.held is None and step_of(state, self._plan) in NEEDS_WINDOW
        later = answer
        if clocked and self._stretch is not None:
            later = alone(state, self._plan, self._wave, self._stretch[1] - _MOMENT, unmet, self._spent, run)
        _belong(self._clocked, id_, clocked)
        _belong(self._restless, id_, later != answer)
        return answer

    def _give_places(self, asked: Iterable[str]) -> set[str]:
        """Give the free places to the first that want one; return the migrations that have another answer now."""
        given = frozenset(self._wanting[: max(0, self._wave.at_once - self._in_flight)])
        others, self._given = given ^ self._given, given
        changed = set()
        for id_ in {*asked, *(self._ids[place] for place in others)}:
            answer = self._alone[id_]
            if isinstance(answer, Go) and answer.admits and self.places[id_] not in given:
                answer = crowded(self._wave)
            if self.answers.get(id_) != answer:
                self.answers[id_] = answer
                changed.add(id_)
        return changed


class Standings:
    """All waves of one run: what each migration may do, at the cost of what has changed since that was asked last."""

    def __init__(self, run: RunState, plan: Plan, chosen: Collection[str] | None = None) -> None:
        self._run, self._plan = run, plan
        self._chosen = None if chosen is None else frozenset(chosen)
        self._waves = {wave.name: Standing(plan, wave, self._chosen) for wave in plan.waves}
        self._wave_of = {id_: wave for wave in self._waves.values() for id_ in wave.places}
        self._answers: dict[str, Admission] = dict.fromkeys(self._wave_of, Still("not asked yet"))
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
            for id_ in standing.ask(unmet, at, self._run):
                self._answers[id_] = standing.answers[id_]
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


def _belong(ids: set[str], id_: str, belongs: bool) -> None:
    """Put a migration into a set, or take it out."""
    if belongs:
        ids.add(id_)
    else:
        ids.discard(id_)


def _mark(places: list[int], place: int, belongs: bool) -> None:
    """Put a place into an ordered list, or take it out."""
    at = bisect_left(places, place)
    if belongs != (at < len(places) and places[at] == place):
        if belongs:
            insort(places, place)
        else:
            del places[at]
