"""What a run would do now: the steps themselves go forward on an estate that is as it was just read.

The same conductor, engine, steps and guards as in a run, with a journal in memory that begins with a copy of the run's
own rows. Weeks pass at once; approvals count as given.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from orchestrator.engine.outcome import reached, waiting_of
from orchestrator.engine.waves import admissible
from orchestrator.journal import Entry, Lease, Row
from orchestrator.journal.memory import MemoryJournal
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.driven import RunBegan
from orchestrator.model.event import DIRECTORY, VERSION, Event, Held, Moved, WaitBegan, WayBackAsked, from_body
from orchestrator.model.event import to_body as body_of
from orchestrator.model.lifecycle import PATH, Intention, Phase, Way
from orchestrator.model.plan import Approvals, Directory, Estate, Plan
from orchestrator.model.run import RunState
from orchestrator.preview import Ending, Looked, Obstacle, Prediction, Sent, WayBack, asks, looked, unknown_guid
from orchestrator.rehearsal.observed import as_read, observed
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.translated import in_words, told_here, words_of
from orchestrator.rehearsal.watched import Watched
from orchestrator.rehearsal.world import World

TURNING = (Phase.PREPARED, Phase.STARTED, Phase.REGISTERED, Phase.RESTARTED, Phase.COMPLETED)
"""From where ways back are predicted: each phase before which something was written that one may have to undo."""
GIVEN = (
    "approvals: they count as given",
    "time: windows and hold times pass at once; nobody else changes anything meanwhile",
    "hosts: each adds itself when its workload logs on, unless it had ten hours for that and did not",
    "other domain controllers, logs, groups and policies: those of an ordinary, healthy domain",
    "of several migrations on one host, which comes first: it sets the value, or reboots, and restarts what runs there",
    "ways back: everything goes back at once; a host's value goes back with the last migration that needs it",
    "what Undo and Reset give back by themselves: nobody documents it; what they do not, the way back restores",
)
"""What a prediction takes for granted."""


class NoEstate(ValueError):
    """No simulated estate can be made of what was read."""


@dataclass(frozen=True)
class Question:
    """What is to be predicted, and by what.

    ``seen`` is what was read, by migration; ``obstacles`` those that a run would not begin to move, or could not.
    """

    plan: Plan
    digest: str
    canonical: Mapping[str, Any]
    at: datetime
    rows: Sequence[Row]
    seen: Mapping[str, Looked]
    obstacles: Mapping[str, Obstacle]
    chosen: Sequence[str]
    until: Phase | None = None

    @cached_property
    def rehearsed(self) -> Rehearsed:
        """The plan with an estate that is as it was read.

        Raises:
            NoEstate: the names fit into no single domain, or into no container that a simulated one has.
        """
        pinned = self.plan.estate.directory
        assert pinned is not None, "the plan's estate is resolved"
        directory = pinned.model_copy(update={"endpoint": pinned.server})
        plan = _alone(self.plan, directory)
        try:
            spec = observed(plan, self.seen, self.at)
            made = Rehearsed(plan, self.digest, dict(self.canonical), spec)
            made.__dict__["resolved"] = plan
            World(made, watch=False)
        except ValueError as invalid:
            raise NoEstate(str(invalid)) from invalid
        return made


def _alone(plan: Plan, directory: Directory) -> Plan:
    """Return the plan on an estate of its own, where nobody has to approve."""
    given = {"approvals": Approvals(start=0, complete=0)}
    waves = tuple(
        wave.model_copy(update={"migrations": tuple(one.model_copy(update=given) for one in wave.migrations)})
        for wave in plan.waves
    )
    estate = Estate(lab="preview", domain=plan.estate.domain, directory=directory)
    return _changed(plan, waves=waves, estate=estate)


def _changed(plan: Plan, **update: Any) -> Plan:
    changed = plan.model_copy(update=update)
    for cached in ("_index", "_needs"):
        changed.__dict__.pop(cached, None)
    return changed


_FIRST_ID = 1 << 96
"""The first id of a shell here: none that stands in the journal, for those are deleted first."""


class _Stage(World):
    """A world that begins where the real one stands, and is watched."""

    def __init__(self, question: Question, rehearsed: Rehearsed, *, from_rows: bool = True) -> None:
        journal = MemoryJournal(lambda: self.estate.now)
        super().__init__(rehearsed, journal, watch=False)
        self.estate.keeps_record = False
        self._numbers = itertools.count(_FIRST_ID)
        as_read(self.estate, question.seen)
        accounts = {one.id: one.account for one in rehearsed.plan.migrations()}
        accounts |= {id_: one.pair.account.dn for id_, one in question.seen.items() if one.pair.account}
        self.watched = Watched(self.estate, accounts)
        here = self._looked(question)
        self.words = words_of(here, question.seen)
        rows = told_here(question.rows, question.plan.name, question.seen, here) if from_rows else ()
        journal.append(list(rows), expected=0, lease=None)
        state = self.state()
        if state.digest is None:
            began = RunBegan(digest=question.digest, plan=dict(question.canonical), by="preview", tool="preview")
            self._write(began)
        for id_, obstacle in question.obstacles.items():
            if state[id_].held is None and id_ in question.chosen:
                self._write(_held(id_, obstacle))

    def _write(self, event: Event) -> None:
        entry = Entry(self.plan.name, self.estate.now, event.kind, VERSION, body_of(event))
        self.journal.append([entry], expected=self.journal.head(), lease=None)

    def _looked(self, question: Question) -> dict[str, Looked]:
        """Read this estate as the real one was read."""
        transport = MemoryTransport(self.estate, self.principal, ids=self._id)
        run, found = RunState(question.plan.name), {}
        for id_ in question.seen:
            case = Case.of(run, self.plan, id_, self.estate.now)
            answer = looked(case, _read(transport, case))
            if isinstance(answer, Looked):
                found[id_] = answer
        transport.close()
        return found

    def handle_for(self, handle: Any, life: Any, appended: Callable[[Sequence[Entry], Lease | None], None]) -> Any:
        """Let the watcher hear what is written down."""

        def told(entries: Sequence[Entry], lease: Lease | None) -> None:
            self.watched.told(from_body(one.kind, one.body) for one in entries if one.run == self.plan.name)
            appended(entries, lease)

        return super().handle_for(handle, life, told)

    def to(self, chosen: Sequence[str], until: Phase | None) -> RunState:
        """Go as far as it goes without anybody's help."""
        return self.run(chosen, until, together=None)

    def sent(self) -> tuple[Sent, ...]:
        """Return what was sent so far, in the words of the real estate."""
        self.watched.look_around()
        words = {**self._made(), **self.words}
        return tuple(replace(one, parameters=in_words(one.parameters, words)) for one in self.watched.sends)

    def _made(self) -> dict[str, str]:
        """Return what stands for the identifier of a dMSA that is there only here: nobody knows it before."""
        replica = next(iter(self.estate.directory.replicas.values()))
        found = ((id_, replica.account(f"{id_}$")) for id_ in self.ids)
        return {str(entry.guid): unknown_guid(id_) for id_, entry in found if entry is not None}


def _read(transport: MemoryTransport, case: Case) -> Seen:
    seen = Seen(case.migration.id)
    while reads := asks(case, seen):
        seen = seen.plus([(read, _answer(transport, read)) for read in reads])
    return seen


def _answer(transport: MemoryTransport, read: Read) -> Any:
    ticket = transport.ticket(read.endpoint)
    assert ticket is not None, "a fair estate has a session to spare"
    return transport.run(read, ticket)


def _held(id_: str, obstacle: Obstacle) -> Held:
    release = "as `dmsa preflight` says"
    return Held.model_validate(
        {
            "migration": id_,
            "reason": obstacle.reason,
            "detail": obstacle.detail,
            "release": release,
            "subject": DIRECTORY,
        }
    )


def predicted(question: Question, *, ways_back: bool = True) -> Prediction:
    """Return what a run would do now.

    Args:
        question: what, and by what was read.
        ways_back: whether also what a rollback from each phase on would change; it is as many runs again.

    Raises:
        NoEstate: the names fit into no single domain, or into no container that a simulated one has.
    """
    rehearsed = question.rehearsed
    stage = _Stage(question, rehearsed)
    before = stage.state()
    phases = {id_: before[id_].phase for id_ in question.chosen}
    began = stage.journal.head()
    state = stage.to(question.chosen, question.until)
    events = [(from_body(row.kind, row.body), row.at) for row in stage.journal.read(began, run=question.plan.name)]
    return Prediction(
        began=question.at,
        head=question.rows[-1].seq if question.rows else 0,
        phases=phases,
        sends=tuple(one for one in stage.sent() if one.migration in question.chosen),
        endings={id_: _ending(question, stage, state, id_, events) for id_ in question.chosen},
        ways_back=_ways_back(question, rehearsed, phases, state) if ways_back else {},
        given=GIVEN,
    )


def _ending(
    question: Question, stage: _Stage, state: RunState, id_: str, events: Iterable[tuple[Event, datetime | None]]
) -> Ending:
    mine = [(event, at) for event, at in events if getattr(event, "migration", None) == id_]
    waits = tuple(dict.fromkeys(event.waiting_for for event, _ in mine if isinstance(event, WaitBegan)))
    moved = [at for event, at in mine if isinstance(event, Moved) and at is not None]
    stands = state[id_]
    obstacle = question.obstacles.get(id_)
    if obstacle is None and stands.held is not None:
        obstacle = Obstacle(stands.held.reason, stands.held.detail)
    waiting = None
    if obstacle is None and not reached(stands, question.until):
        wait = waiting_of(stands, admissible(state, stage.plan, stage.estate.now, question.chosen)[id_])
        waiting = (wait.waiting_for, wait.detail) if wait else None
    return Ending(stands.phase, obstacle, waiting, waits, moved[-1] - question.at if moved else None)


# Ways back.


def _ways_back(
    question: Question, rehearsed: Rehearsed, begun: Mapping[str, Phase], ended: RunState
) -> dict[str, tuple[WayBack, ...]]:
    """Let everything go back from each phase that lies ahead, all at once and without waiting for other waves."""
    plan = rehearsed.plan
    waves = tuple(wave.model_copy(update={"needs": (), "at_once": len(wave.migrations)}) for wave in plan.waves)
    free = _changed(plan, waves=waves)
    on = replace(rehearsed, plan=free)
    on.__dict__["resolved"] = free
    on.first_day.extend(rehearsed.first_day[:1] if not on.first_day else [])
    found: dict[str, list[WayBack]] = {id_: [] for id_ in question.chosen}
    for phase in TURNING:
        if question.until is not None and PATH.index(phase) > PATH.index(question.until):
            break
        going = [id_ for id_ in question.chosen if _comes_by(begun[id_], ended, id_, phase)]
        if going:
            for id_, way in _back_from(question, on, going, phase).items():
                found[id_].append(way)
    return {id_: tuple(ways) for id_, ways in found.items()}


def _comes_by(begun: Phase, ended: RunState, id_: str, phase: Phase) -> bool:
    stands = ended[id_]
    begun = begun if begun in PATH else Phase.PLANNED
    if stands.phase not in PATH or stands.intention is Intention.BACK:
        return False
    return PATH.index(begun) <= PATH.index(phase) <= PATH.index(stands.phase)


def _back_from(question: Question, on: Rehearsed, going: Sequence[str], phase: Phase) -> dict[str, WayBack]:
    stage = _Stage(question, on)
    stage.to(going, phase)
    state = stage.state()
    stage.watched.look_around()
    there = [id_ for id_ in going if state[id_].phase is phase and state[id_].intention is Intention.FORWARD]
    sent = len(stage.watched.sends)
    if there:
        stage.say(*(WayBackAsked(migration=id_, way=Way.ROLLBACK, by="preview") for id_ in there))
        state = stage.to(there, None)
    sends = stage.sent()[sent:]
    return {
        id_: WayBack(
            phase,
            tuple(one for one in sends if one.migration == id_),
            state[id_].phase,
            held.detail if (held := state[id_].held) else "",
        )
        for id_ in there
    }
