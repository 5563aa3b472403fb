"""What must hold at every step of every run, judged by the journal's events and the far side alone.

:class:`Invariants` is fed in the order in which things happen: a row once it is on disk (:meth:`~Invariants.told`), a
command once it was executed at the far side (:meth:`~Invariants.arrived`), the end of a shell
(:meth:`~Invariants.shell_gone`), a lease (:meth:`~Invariants.leased`). Each answers with what is violated, as values.
Nothing here asks the engine whether it was right: the rules are said a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from uuid import UUID

from orchestrator.engine.waves import admissible
from orchestrator.model.before import SnapshotTaken
from orchestrator.model.driven import RunBegan
from orchestrator.model.event import Admitted as AdmittedEvent
from orchestrator.model.event import AttemptSettled, AttemptStarted, Event, Moved, WayBackAsked
from orchestrator.model.lifecycle import MOVES, Pair, Phase
from orchestrator.model.plan import Migration, Plan
from orchestrator.model.run import RunState
from orchestrator.rehearsal.agreed import Agreed
from orchestrator.rehearsal.course import COMPLETE, DISRUPTIVE, LEAVES, RESET, START, UNDO, Course
from orchestrator.rehearsal.far_side import Arrival, FarSide
from orchestrator.rehearsal.judgements import Violation, as_before, before_of, complete_is_legal, unfinished
from orchestrator.rehearsal.looks import Looks
from orchestrator.rehearsal.telling import Telling
from orchestrator.rehearsal.wave_rules import WaveRules
from orchestrator.rehearsal.windows import may_begin

CLOCKS_AGREE = timedelta(minutes=5)
_ONCE = {START: "Start", COMPLETE: "Complete", UNDO: "Undo", RESET: "Reset"}
_DESTROYS = ("remove-ad", "move-ad", "rename-ad", "disable-ad")
_OF_THE_RUN = tuple(one.name for one in fields(RunState) if one.compare and one.name not in {"migrations", "plan"})
"""What a replay must give beside the migrations; the plan is known by its digest."""
_QUICKLY = tuple(name for name in _OF_THE_RUN if name not in {"switches", "claims", "shells"})
"""What of it does not grow with the plan."""
FEW = 20
"""Of a plan with more migrations what grows with it is not compared at each append: that takes as long."""
_ROWS = {(row.trigger, row.source, row.dest) for row in MOVES}
_STATES = {Pair.UNLINKED: (0, 0), Pair.STARTED: (1, 1), Pair.COMPLETED: (2, 2)}
_PROVES = {
    Phase.PREPARED: Pair.UNLINKED,
    Phase.STARTED: Pair.STARTED,
    Phase.LINKED: Pair.STARTED,
    Phase.RESTARTED: Pair.STARTED,
    Phase.SOAKED: Pair.STARTED,
    Phase.SWITCHED: Pair.COMPLETED,
    Phase.REOPENED: Pair.STARTED,
    Phase.UNLINKED: Pair.UNLINKED,
    Phase.ROLLED_BACK: Pair.UNLINKED,
}
"""What a phase that is reached by reading the pair says of it (runbooks/lifecycle.md)."""
_EVERYWHERE = frozenset({Phase.LINKED, Phase.SWITCHED, Phase.REOPENED, Phase.UNLINKED, Phase.ROLLED_BACK})
"""Phases that every domain controller which must agree was read for."""


@dataclass(frozen=True, slots=True)
class Told:
    """A row of the journal: what it says, when by its own word, and under which lease (None: an operator's word)."""

    event: Event
    at: datetime | None
    epoch: int | None = None


@dataclass
class _Shared:
    """What is known beside the migrations."""

    epoch: int = 0
    announced: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    """Every pipeline that an intent names: its migration and its subject."""
    gone: dict[UUID, datetime] = field(default_factory=dict)
    excused: set[str] = field(default_factory=set)
    seen_at: datetime | None = None
    """When the process did something last; a row is decided on between then and now."""

    def fork(self) -> _Shared:
        """Return the same, to go on by itself."""
        return replace(self, announced=dict(self.announced), gone=dict(self.gone), excused=set(self.excused))


class Invariants:
    """The rules, and as much of the past as they need."""

    def __init__(self, plan: Plan, far: FarSide) -> None:
        self._plan, self._far = plan, far
        self._courses = {one.id: Course(one.id) for one in plan.migrations()}
        self._shared = _Shared()
        self._agreed = Agreed(plan)
        self.telling = Telling(on=bool(plan.notify))
        self._appends = 0
        self._looks = Looks(plan, far, self._courses, self._shared.excused)
        self.waves = WaveRules(plan, self._courses)
        """The rules of the waves, and how many have failed."""
        self.replayed = RunState(plan.name)
        """The state that the rows give, folded from what they hold on disk."""

    def fork(self, far: FarSide) -> Invariants:
        """Return a copy that goes on by itself with another far side: for a search that tries every way on."""
        other = copy(self)
        other._far, other._shared, other._agreed = far, self._shared.fork(), self._agreed.fork()
        other.telling = self.telling.fork()
        other._courses = {id_: course.fork() for id_, course in self._courses.items()}
        other._looks = self._looks.fork(far, other._courses, other._shared.excused)
        other.waves = self.waves.fork(other._courses)
        other.replayed = self.replayed.copied()
        return other

    def excuse(self, *subjects: str) -> None:
        """Let what somebody else changes be no fault of ours: an account's DN, a host, or a migration's id."""
        self._excused.update(subjects)

    @property
    def _excused(self) -> set[str]:
        return self._shared.excused

    def asked_back(self, id_: str) -> WayBackAsked | None:
        """Return by whose word, and why, a migration was taken back last."""
        return self._courses[id_].asked_back

    def leased(self, epoch: int) -> None:
        """Take in that a runner took the lease."""
        self._shared.epoch = epoch

    def shell_gone(self, shell: UUID) -> None:
        """Take in that the far side acknowledged the end of a shell."""
        self._shared.gone.setdefault(shell, self._far.now)

    def told(self, row: Told) -> list[Violation]:
        """Take in a row that is on disk now."""
        found = list(self._fenced(row))
        found += self._looks.look()
        try:
            self.replayed.apply(row.event, row.at)
        except Exception as error:  # noqa: BLE001 - whatever the law says against it is the violation
            found.append(Violation("legal-history", "the journal", f"replay refuses {row.event.kind}: {error}"))
        self._agreed.take_in(row.event)
        found += self.telling.take_in(row.event, self.replayed)
        if isinstance(row.event, RunBegan):
            return found
        course = self._courses.get(getattr(row.event, "migration", ""))
        if course is None:
            return found
        found += self._judged(course, row)
        failed_before = course.failed
        course.take_in(row.event)
        self.waves.count(course, failed_before)
        self._looks.told(course)
        if isinstance(row.event, AttemptStarted):
            self._shared.announced[row.event.pipeline] = (course.id, row.event.subject)
        if isinstance(row.event, Moved):
            found += self._looks.look(anew=course)
        return found

    def arrived(self, arrival: Arrival) -> list[Violation]:
        """Take in a command that was executed."""
        found = list(self._asked_for(arrival))
        if arrival.writes:
            found += self._sent_rightly(arrival) if arrival.ours else self._by_others(arrival)
        return found + self.look()

    def live(self, state: RunState, ids: Iterable[str | None]) -> list[Violation]:
        """Compare a runner's live state with the replay of all rows; to be asked right after its append.

        Args:
            state: what the runner believes.
            ids: the migrations that the appended rows are about; None among them is about none.
        """
        replayed = self.replayed
        self._appends += 1
        names = _OF_THE_RUN if self._appends % max(1, len(self._courses) - FEW) == 0 else _QUICKLY
        return [
            Violation("replay-equals-live", id_, f"live {state[id_]}, replayed {replayed[id_]}")
            for id_ in ids
            if id_ is not None and replayed[id_] != state[id_]
        ] + [
            Violation("replay-equals-live", "the run", f"{name} differs after a replay")
            for name in names
            if getattr(state, name) != getattr(replayed, name)
        ]

    @staticmethod
    def ended(state: RunState, plan: Plan, at: datetime | None) -> list[Violation]:
        """Judge where a run has ended by itself: everything is final, held with a reason, or waits with one.

        ``at`` is None where the estate's time could no longer be read, and then a due time may lie ahead.
        """
        answers = admissible(state, plan, at)
        return [
            Violation("ends-with-a-reason", one.id, sentence)
            for one in plan.migrations()
            if (sentence := unfinished(state[one.id], answers[one.id], at)) is not None
        ]

    # What a row says.

    def _fenced(self, row: Told) -> Iterator[Violation]:
        if row.epoch is not None and row.epoch != self._shared.epoch:
            sentence = f"a row of lease {row.epoch} was appended while lease {self._shared.epoch} is the current one"
            yield Violation("fenced", row.event.kind, sentence)
        seen, now = self._shared.seen_at or self._far.now, self._far.now
        ours = row.epoch is not None and row.at is not None
        if ours and not seen - CLOCKS_AGREE <= (row.at or now) <= now + CLOCKS_AGREE:
            yield Violation("estate-time", row.event.kind, f"the row says {row.at}, the estate {now}")

    def _judged(self, course: Course, row: Told) -> Iterator[Violation]:
        match row.event:
            case SnapshotTaken():
                course.before = before_of(self._plan, self._far, course.id, self._courses.values())
            case AttemptStarted():
                yield from self._may_perform(course, row.event, row.at)
                yield from self._agreed.sent(course, row.event.cmdlet)
            case AttemptSettled():
                yield from self._settled(course, row.event)
            case Moved():
                yield from self._moved(course, row.event)
            case AdmittedEvent():
                yield from self.waves.admitted(course, row.event)
                yield from self._agreed.admitted(course.id, row.event.step, row.at)
            case WayBackAsked(automatic=True):
                yield from self._taken_back(course)
            case _:
                return

    def _may_perform(self, course: Course, event: AttemptStarted, at: datetime | None) -> Iterator[Violation]:
        last = course.open.get(event.subject)
        if last is not None:
            said = f"{event.cmdlet} begins at {event.subject} while {last.event.cmdlet} there was never settled"
            yield Violation("no-perform-after-unsettled", course.id, said)
        if course.held is not None:
            yield Violation("held-stands-still", course.id, f"{event.cmdlet} begins while held: {course.held.reason}")
        yield from self.waves.begins(course, event)
        begins = not course.begun or (event.cmdlet in DISRUPTIVE and not self._brings_up(course, event))
        if not course.back and begins and not may_begin(self._plan.wave_of(course.id), event.step, at):
            yield Violation("window", course.id, f"{event.step} begins with {event.cmdlet} at {at}, outside its window")
        if event.cmdlet in {"Restart-Service", "Start-Service"}:
            yield from self._idle_stays_idle(course, event)
        if event.cmdlet in DISRUPTIVE:
            for other in self._courses.values():
                sent = other.open.get(event.subject) if other is not course else None
                if sent is not None and not sent.unknown and sent.event.cmdlet in DISRUPTIVE:
                    said = f"{event.cmdlet} begins at {event.subject} while {other.id} restarts there"
                    yield Violation("one-restart-a-host", course.id, said)

    def _idle_stays_idle(self, course: Course, event: AttemptStarted) -> Iterator[Violation]:
        """What neither ran when the snapshot was taken nor runs now is nobody's here to start."""
        host, name = event.subject, str(event.parameters.get("Name", ""))
        ran = (course.before.running.get(host) if course.before else None) or {}
        again = course.restarts[host, name] and event.cmdlet == "Restart-Service"
        if ran.get(name, True) or again or host in self._excused:
            return
        if event.cmdlet == "Start-Service" or not self._running(course, host).get(name.lower(), False):
            yield Violation("idle-stays-idle", course.id, f"{event.cmdlet} starts {name} at {host}, which did not run")

    def _running(self, course: Course, name: str) -> dict[str, bool]:
        hosts = (host for host in self._plan.migration(course.id).hosts if host.name == name)
        return {one.lower(): runs for host in hosts for one, runs in self._far.running(host, course.id).items()}

    def _brings_up(self, course: Course, event: AttemptStarted) -> bool:
        """Whether a write starts what is down where this attempt has restarted something: no window is waited for."""
        if event.subject not in course.disrupted or event.cmdlet == "Restart-Computer":
            return False
        running = self._running(course, event.subject)
        return event.cmdlet == "Start-Service" or not running.get(str(event.parameters.get("Name")).lower(), True)

    def _settled(self, course: Course, event: AttemptSettled) -> Iterator[Violation]:
        sent = course.open.get(event.subject)
        if sent is None:
            return
        gone = self._shared.gone.get(sent.event.shell)
        settle = self._plan.policy_of(course.id).settle
        if gone is None:
            said = f"{sent.event.cmdlet} at {event.subject} counts as settled, and nobody ended its shell"
            yield Violation("shell-ended-first", course.id, said)
        elif self._far.now - gone < settle:
            said = f"{sent.event.cmdlet} at {event.subject} counts as settled {self._far.now - gone} after its shell"
            yield Violation("settling-time", course.id, f"{said} ended, not {settle}")

    def _moved(self, course: Course, event: Moved) -> Iterator[Violation]:
        if (event.trigger, event.source, event.dest) not in _ROWS or event.source is not course.phase:
            said = f"{event.source} -> {event.dest} by {event.trigger}, from {course.phase}, is no row of the table"
            yield Violation("move-in-table", course.id, said)
        proved = _PROVES.get(event.dest)
        if proved is not None and event.pair not in {None, proved}:
            said = f"moves to {event.dest}, which stands for a pair at {proved}, and read {event.pair}"
            yield Violation("phase-is-read-back", course.id, said)
        migration = self._plan.migration(course.id)
        excused = {course.id, migration.account} & self._excused
        everywhere = event.dest in _EVERYWHERE and event.source is not Phase.PREPARED  # nothing was linked from there
        everywhere = everywhere and LEAVES.get(event.dest) in {None, *course.heard}
        agreeing = self._far.controllers if everywhere else self._far.controllers[:1]
        for controller in () if proved is None or excused else agreeing:
            found = self._far.pair(course.id, controller)
            if proved is not None and found != _STATES[proved]:
                said = f"moves to {event.dest}, which stands for a pair at {proved}; {controller} has {found}"
                yield Violation("phase-is-read-back", course.id, said)
        for subject, sent in course.open.items():
            said = f"moves to {event.dest} while {sent.event.cmdlet} at {subject} was never settled"
            yield Violation("no-move-past-unsettled", course.id, said)
        if event.dest is Phase.ROLLED_BACK:
            yield from as_before(self._plan, self._far, course, self._courses.values(), self._excused)

    def _taken_back(self, course: Course) -> Iterator[Violation]:
        if self._plan.policy_of(course.id).on_failure != "undo":
            yield Violation("taken-back-by-policy", course.id, "taken back, and its policy says hold")
        if course.back or course.phase in {Phase.PLANNED, Phase.ROLLED_BACK}:
            said = f"taken back from {course.phase}{', on a way back already' if course.back else ''}"
            yield Violation("taken-back-by-policy", course.id, said)

    # What arrived.

    def _asked_for(self, arrival: Arrival) -> Iterator[Violation]:
        name = arrival.cmdlet.lower()
        unprotects = arrival.parameters.get("ProtectedFromAccidentalDeletion") is False
        if arrival.ours and (name.startswith(_DESTROYS) or unprotects):
            said = f"{arrival.cmdlet} arrived at {arrival.host}; nothing may delete, move, rename or disable an object"
            yield Violation("original-safe", str(arrival.parameters.get("Identity")), said)

    def _sent_rightly(self, arrival: Arrival) -> Iterator[Violation]:
        known = self._shared.announced.get(arrival.pipeline)
        if known is None:
            yield Violation("intent-first", arrival.host, f"{arrival.cmdlet} arrived, and no row announces it")
            return
        course = self._courses[known[0]]
        gone = self._shared.gone.get(arrival.shell)
        if gone is not None and self._far.now - gone > self._plan.policy_of(course.id).settle:
            said = f"{arrival.cmdlet} arrived {self._far.now - gone} after the end of its shell was acknowledged"
            yield Violation("fenced", course.id, said)
        if arrival.cmdlet == COMPLETE:
            yield from complete_is_legal(self._plan, self._far, course, self._excused)
        if arrival.took_effect:
            yield from self._takes_effect(course, known[1], arrival)

    def _takes_effect(self, course: Course, subject: str, arrival: Arrival) -> Iterator[Violation]:
        cmdlet = arrival.cmdlet
        self._looks.told(course)
        if cmdlet in _ONCE:
            course.effects[cmdlet] += 1
            if course.effects[cmdlet] > 1:
                said = f"{cmdlet} took effect {course.effects[cmdlet]} times where once is right"
                yield Violation(f"one-{_ONCE[cmdlet].lower()}", course.id, said)
        if "PrincipalsAllowedToRetrieveManagedPassword" in arrival.parameters:
            yield from self._keeps_everybody(course)
        name = str(arrival.parameters.get("Name", ""))
        if cmdlet == "Restart-Service" and subject not in self._excused:
            course.restarts[subject, name] += 1
            if course.restarts[subject, name] > 1:
                yield Violation("one-restart", course.id, f"{name} at {subject} was restarted twice in {course.phase}")
        if cmdlet == "Remove-ItemProperty" or (cmdlet == "New-ItemProperty" and arrival.parameters.get("Value") != 1):
            needing = [one.id for one in self._courses.values() if one is not course and subject in one.switched]
            if needing:
                said = f"{cmdlet} took the switch of {subject} away, which {', '.join(needing)} needs"
                yield Violation("switch-needed", course.id, said)

    def _keeps_everybody(self, course: Course) -> Iterator[Violation]:
        """The list is written as a whole: whoever was on it when it was looked at last must be on it still."""
        lost = course.members - self._far.principals(course.id)
        if lost and course.id not in self._excused:
            yield Violation("list-keeps-everybody", course.id, f"{', '.join(sorted(lost))} was dropped from the list")

    def _by_others(self, arrival: Arrival) -> Iterator[Violation]:
        for id_ in _ids_of(arrival, self._plan.migrations()):
            self._courses[id_].foreign_hand()
            self._excused.add(id_)
        if arrival.host in {host.name for one in self._plan.migrations() for host in one.hosts}:
            self._excused.add(arrival.host)
        yield from ()

    # How things stand.

    def look(self) -> list[Violation]:
        """Look at the far side; to be asked whenever something may have happened there."""
        return self._looks.look()

    def moment(self) -> None:
        """Take in that the process does something: what it writes down next was decided on no earlier than now."""
        self._shared.seen_at = self._far.now


def _ids_of(arrival: Arrival, migrations: Iterable[Migration]) -> Iterator[str]:
    """Return the migrations whose objects a command names."""
    named = {str(value).lower() for value in arrival.parameters.values() if isinstance(value, str | UUID)}
    for one in migrations:
        starts = tuple(f"cn={name}," for name in (one.id.lower(), one.account.partition(",")[0][3:].lower()))
        if any(value.startswith(starts) for value in named) or {one.id.lower(), f"{one.id.lower()}$"} & named:
            yield one.id
