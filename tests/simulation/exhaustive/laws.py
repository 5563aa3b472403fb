"""What must hold in every state of the small world: the product's invariants, and what a search alone can ask.

The rules are those of :mod:`orchestrator.rehearsal.invariants`. A search adds what takes all the states: that nothing
may still take effect of which nobody knows any more, that what a phase stands for is so and stays so, which nobody
else's hand excuses here, and that an end is what it is called.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import replace
from typing import Protocol

from orchestrator.engine.outcome import waiting_of
from orchestrator.engine.waves import Admission, admissible
from orchestrator.journal.memory import MemoryJournal
from orchestrator.lab.command import Request, Result
from orchestrator.model.call import Ticket
from orchestrator.model.event import Event, Moved, from_body
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Migration, Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.rehearsal.course import COMPLETE, START, Course
from orchestrator.rehearsal.far_side import EstateFarSide, arrivals
from orchestrator.rehearsal.invariants import Invariants, Told
from orchestrator.rehearsal.judgements import Violation, as_before
from tests.simulation.exhaustive.far_side import SmallEstate

OPERATOR = "CORP\\operator"
_SWITCHED_ON = frozenset({Phase.REGISTERED, Phase.RESTARTED, Phase.SOAKED, Phase.SWITCHED, Phase.COMPLETED})
_RESTARTED = frozenset({Phase.RESTARTED, Phase.COMPLETED})


class Broken(Exception):
    """An invariant does not hold; ``steps`` is what happened since the last state that was visited."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what, self.steps = what, list[str]()


def must(holds: object, rule: str, about: str, sentence: str) -> None:
    """Say that something must hold.

    Raises:
        Broken: it does not.
    """
    if not holds:
        hold_against([Violation(rule, about, sentence)])


def hold_against(found: Collection[Violation]) -> None:
    """Take what the invariants found.

    Raises:
        Broken: they found something.
    """
    if found:
        raise Broken("; ".join(map(str, found)))


class Unanswered(Protocol):
    """A write that may still take effect."""

    @property
    def key(self) -> tuple[str, str]:
        """Its migration and subject."""

    @property
    def ticket(self) -> Ticket:
        """The ticket it was sent under."""


class Law:
    """The law of one world."""

    def __init__(self, plan: Plan, estate: SmallEstate) -> None:
        self._plan, self._estate, self._head = plan, estate, 0
        self._far = EstateFarSide(estate, plan)
        self.invariants = Invariants(plan, self._far)

    def fork(self, estate: SmallEstate) -> Law:
        """Return the law of a world that goes on by itself."""
        other = copy(self)
        other._estate, other._far = estate, EstateFarSide(estate, self._plan)
        other.invariants = self.invariants.fork(other._far)
        return other

    @property
    def replayed(self) -> RunState:
        """The state that the rows give."""
        return self.invariants.replayed

    def course(self, id_: str) -> Course:
        """Return what the invariants remember of a migration."""
        return self.invariants._courses[id_]

    # What is written down.

    def read(self, journal: MemoryJournal, live: RunState) -> None:
        """Take in every row since the last time; what is replayed must be what is alive."""
        if journal.head() == self._head:
            return
        about: set[str | None] = set()
        for row in journal.read(after=self._head):
            event = from_body(row.kind, row.body, row.version)
            self._proved(event)
            hold_against(self.invariants.told(Told(event, row.at, row.epoch)))
            about.add(getattr(event, "migration", None))
        self._head = journal.head()
        self.replayed.touched.clear()
        hold_against(self.invariants.live(live, about))
        # Equal, and from here on the same: the next comparison finds what did not change at a glance.
        self.replayed.migrations = dict(live.migrations)

    def _proved(self, event: Event) -> None:
        """A phase that workloads were restarted for: each began after its host's clock was read for that."""
        if not isinstance(event, Moved) or event.dest not in _RESTARTED:
            return
        baselines = self.replayed[event.migration].baselines
        for host in self._plan.migration(event.migration).hosts:
            for name in host.services:
                began = self._estate.machine(host.name).services[name.lower()].started
                anew = began is not None and began > baselines[host.name].local_time
                must(anew, "restarted", event.migration, f"moves to {event.dest}, and {name} was not restarted")

    def remembered(self, live: RunState, late: Iterable[Unanswered]) -> None:
        """Nothing may still take effect that nobody waits for."""
        for one in late:
            attempt = live[one.key[0]].open.get(one.key[1])
            known = attempt is not None and attempt.started.shell == one.ticket.shell and not attempt.shell_ended
            must(known, "remembered", one.key[0], f"{one} may still take effect, and nobody waits for that any more")

    # What takes effect.

    def arrived(self, request: Request, result: Result, again: bool = False) -> None:
        """Take in what a pipeline did.

        *again*: the far side has run it a second time. Nobody sent it twice, so that only a second Start or Complete
        that takes effect is held against anybody.
        """
        for arrival in arrivals(request, result, self._far.now, OPERATOR):
            if not again or (arrival.took_effect and arrival.cmdlet in {START, COMPLETE}):
                hold_against(self.invariants.arrived(arrival))
        self.look(self.replayed)

    def look(self, live: RunState) -> None:
        """Look at the far side, where anything may have happened."""
        hold_against(self.invariants.look())
        for one in self._plan.migrations():
            phase = live[one.id].phase
            off = [host.name for host in one.hosts if self._far.switch(host.name) != 1] if phase in _SWITCHED_ON else ()
            must(not off, "switched-on", one.id, f"is {phase}, and {off} are switched off")

    # The ends.

    def ended(self, live: RunState, quiet: bool) -> str:
        """Return how a history ends in which the process has nothing more to do; hold each end against the far side.

        Args:
            live: where everything stands.
            quiet: nothing is still on its way.
        """
        hold_against(Invariants.ended(live, self._plan, self._far.now))
        answers = admissible(live, self._plan, self._far.now)
        return " + ".join(sorted(self._end(live[one.id], one, answers, quiet) for one in self._plan.migrations()))

    def _end(self, state: MigrationState, migration: Migration, answers: Mapping[str, Admission], quiet: bool) -> str:
        if state.held is not None:
            return f"held {state.held.reason}"
        if state.phase is Phase.ROLLED_BACK:
            course = replace(self.course(migration.id), heard={(1, 1)} if quiet else set())
            courses = (course, *(self.course(one.id) for one in self._plan.migrations() if one is not migration))
            hold_against([*as_before(self._plan, self._far, course, courses, frozenset())])
            return "rolled back"
        if state.phase is Phase.COMPLETED:
            shown = {self._far.pair(migration.id, name) for name in self._far.controllers}
            must(shown == {(2, 2)}, "completed", migration.id, f"is completed, and the copies show {shown}")
            down = [
                name
                for host in migration.hosts
                for name, runs in self._far.running(host, migration.id).items()
                if not runs
            ]
            must(not down, "completed", migration.id, f"is completed, and {down} are down")
            return "completed"
        waiting = waiting_of(state, answers[migration.id])
        return f"waits {waiting.waiting_for if waiting else 'for nothing'}"
