"""The loop: who may move, what is next, write it down, do it, write down what came of it.

Theory of operation
-------------------
One thread decides and writes; the pool's threads carry calls. The loop asks two pure questions
(:func:`~orchestrator.engine.waves.admissible`, :func:`~orchestrator.engine.decide.next_action`) and carries the answers
out. Three rules make it durable:

1. *Intent first.* ``AttemptStarted``, with the ids of shell and pipeline, is on disk before a write leaves;
   ``AttemptFinished`` follows. A start without an end means unknown.
2. *Unknown is settled by looking.* What a finished write did is never believed: its subject is read again.
3. *Fold before append.* An event the law refuses is never written. All events of one turn are one transaction.

What was read is kept in memory only: it is worth nothing after a restart. If an operator's word reached the journal
first, the append is refused; the loop then replays, forgets what it read, and decides again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from orchestrator import __version__
from orchestrator.agenda import Agenda
from orchestrator.clock import EstateClock
from orchestrator.engine.decide import after_end_shell, next_action, subjects
from orchestrator.engine.outcome import reached
from orchestrator.engine.waves import Go, NotYet, Spent, step_of
from orchestrator.errors import SafetyRefusal
from orchestrator.flights import Flight, Flights, Key, Landed
from orchestrator.journal import Journal, JournalUnusable, Lease, LeaseLost
from orchestrator.model.action import EndShell, Observe, Perform, Record, Wait
from orchestrator.model.call import Call, Ticket
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import plain
from orchestrator.model.event import (
    Admitted,
    AttemptFinished,
    AttemptStarted,
    CallRefused,
    FaultSeen,
    Held,
    Moved,
    RetryDue,
    RunBegan,
    RunnerLeft,
    RunnerTook,
    WaitBegan,
)
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.observation import FaultKind, Outcome, Reply
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.remote.faults import said_wrong
from orchestrator.remote.gate import check
from orchestrator.remote.pool import CallPool, Pool
from orchestrator.remote.transport import Transport
from orchestrator.runlog import Notice, Overtaken, RunLog

log = structlog.get_logger()

LISTEN = 0.2
"""Seconds between two looks at the journal while calls are open."""
LAST_CALLS = 10.0
"""Seconds that calls in the air are given when the runner is told to stop."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What one command asks the conductor to drive.

    ``chosen``: ids of migrations. ``until``: a forward phase to stop at. ``patience``: how long a due time may lie
    ahead to be waited for; None for any. ``host``, ``pid``: the process, as others are told of it.
    """

    plan: Plan
    digest: str
    canonical: dict[str, Any]
    by: str
    chosen: Collection[str]
    until: Phase | None = None
    patience: timedelta | None = None
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)


class Conductor:
    """Drives the migrations of one plan on one journal, under one lease."""

    def __init__(
        self,
        assignment: Assignment,
        journal: Journal,
        lease: Lease,
        transport: Transport,
        clock: EstateClock,
        notice: Notice = lambda _event, _at: None,
        pool: Pool[int] | None = None,
    ) -> None:
        self._job, self._plan = assignment, assignment.plan
        self._transport, self._clock = transport, clock
        self._flights = Flights(transport, pool or CallPool(transport))
        self._seen: dict[str, dict[str, Seen]] = {}
        self._agenda = Agenda(self._plan, assignment.chosen)
        self._landed, self._taken_in = list[Landed](), list[Landed]()  # the latter folded in, and not on disk yet
        self._stopping = False
        self._log = RunLog(self._plan.name, journal, lease, clock.now, notice)

    @property
    def state(self) -> RunState:
        """Where everything stands now."""
        return self._log.state

    def stop(self) -> None:
        """Begin nothing new; what is in the air may still end. Safe to call from a signal handler."""
        self._stopping = True

    def run(self) -> RunState:
        """Drive until nothing can move, or nothing that may be waited for; return where everything stands.

        Raises:
            LeaseLost: somebody else drives now; nothing more was sent.
            SafetyRefusal: the gate refused a call; it was journaled, and nothing more was sent.
        """
        try:
            self._take_over()
            while not self._stopping:
                self._hear()
                progressed = self._turn()
                if self._collect(0.0 if progressed else LISTEN) or progressed:
                    continue  # what has landed is taken in by the next turn, in one transaction with what follows it
                due = self._agenda.next_due()
                if due is None or not self._worth_waiting(due):
                    break
                self._clock.wait_until(due, self._interrupted)
        finally:
            self._leave()
        return self.state

    # The journal.

    def _take_over(self) -> None:
        if self._clock.ask() is None:
            self._clock.ask()  # one lost reading must not make every migration a question that nobody answered
        self._surely(self._say_who_drives)

    def _say_who_drives(self) -> None:
        job = self._job
        if self.state.digest is None:
            self._log.write(RunBegan(digest=job.digest, plan=job.canonical, by=job.by, tool=__version__))
        self._log.write(RunnerTook(by=job.by, host=job.host, pid=job.pid, tool=__version__))
        self._give_up_open_attempts("the runner ended before the outcome was known")

    def _give_up_open_attempts(self, why: str) -> None:
        fault = FaultSeen(kind=FaultKind.UNKNOWN, code="runner-ended", message=why)
        for state in list(self.state.migrations.values()):
            for subject in [subject for subject, attempt in state.open.items() if not attempt.unsettled]:
                self._log.write(
                    AttemptFinished(migration=state.id, subject=subject, outcome=Outcome.UNKNOWN, fault=fault)
                )

    def _surely(self, write: Callable[[], object]) -> None:
        """Write down what has happened and cannot be decided anew, however often somebody else is faster."""
        while True:
            write()
            with contextlib.suppress(Overtaken):
                self._commit()
                return

    def _hear(self) -> None:
        """Fold in what operators said meanwhile; what was read before they spoke is read again."""
        if self._log.hear():
            self._forget()

    def _commit(self) -> None:
        """Put the turn's events on disk, then let the calls go whose intents they hold; without them none goes."""
        try:
            self._log.commit()
        except (Overtaken, LeaseLost, JournalUnusable) as lost:
            self._flights.abandon()
            if isinstance(lost, Overtaken):
                self._landed = [*self._taken_in, *self._landed]
            self._forget()
            raise
        finally:
            self._taken_in = []
        self._flights.take_off()

    # One turn.

    def _turn(self) -> bool:
        """Begin everything that may begin now; say whether anything did."""
        at = self._clock.now()
        progressed = False
        self._take_in()
        for id_, answer in self._agenda.worth_a_look(self.state, at):
            match answer:
                case Go() if not reached(self.state[id_], self._job.until):
                    if answer.admits:
                        self._log.write(Admitted(migration=id_, step=answer.step))
                    case = Case.of(self.state, self._plan, id_, at)
                    for subject in subjects(case):
                        progressed |= self._advance((id_, subject), case)
                case Spent():
                    self._log.write(answer.held(id_))
                    progressed = True
                case NotYet() if answer.until is not None:
                    self._agenda.wait((id_, answer.waiting_for), answer.until)
        with contextlib.suppress(Overtaken):
            self._commit()
            return progressed
        return True

    def _advance(self, key: Key, case: Case) -> bool:
        """Take the next action of one subject of a case; say whether anything came of it."""
        (id_, subject), at = key, case.at
        if self._flights.busy(key) or self._not_before(key, at):
            return False
        recorded = False
        while True:
            if case.state is not self.state[id_]:
                case = Case.of(self.state, self._plan, id_, at)
                if case.state.held or subject not in subjects(case):
                    return recorded
            action = next_action(case, subject, self._seen.get(id_, {}).get(subject))
            if not isinstance(action, Record):
                return self._carry_out(key, case, action, at) or recorded
            self._log.write(*action.events)
            recorded = True
            if any(isinstance(event, Held | RetryDue | Moved) for event in action.events):
                self._forget(id_)
                return True

    def _carry_out(self, key: Key, case: Case, action: object, at: datetime | None) -> bool:
        match action:
            case Wait():
                return self._wait(key, action, at)
            case Observe():
                for read in action.reads:
                    self._check(key[0], read)
                flight = Flight(key, self._stage(key), at, more=action.more, guarded=action.guarded)
                flight.todo = list(action.reads)
                return self._boarded(key, self._flights.observe(flight))
            case Perform():
                return self._perform(key, case, action)
            case EndShell():
                self._flights.end_shell(Flight(key, self._stage(key)), action.endpoint, action.shell)
                return True
            case _:
                raise TypeError(f"no such action: {action!r}")

    def _not_before(self, key: Key, at: datetime | None) -> bool:
        """Whether a subject is to be left alone: what it waits for is not due."""
        if self._agenda.waits(key):
            return True
        id_, subject = key
        waiting = self.state[id_].waits.get(subject)
        if waiting and waiting.waiting_for in {"retry", "settle"} and waiting.until and at and at < waiting.until:
            self._agenda.wait(key, waiting.until)
            return True
        return False

    def _wait(self, key: Key, wait: Wait, at: datetime | None) -> bool:
        id_, subject = key
        self._seen.get(id_, {}).pop(subject, None)
        again = wait.again or (wait.until if wait.until and at and wait.until > at else None)
        self._agenda.wait(key, again)
        known = self.state[id_].waits.get(subject)
        if known and (known.waiting_for, known.until) == (wait.waiting_for, wait.until):
            return False
        about = {"migration": id_, "subject": subject, "waiting_for": wait.waiting_for}
        self._log.write(WaitBegan(**about, until=wait.until, detail=wait.detail))
        return True

    def _perform(self, key: Key, case: Case, perform: Perform) -> bool:
        id_, subject = key
        host = perform.write.endpoint
        if perform.disruptive and self._flights.disrupted(host):
            return self._boarded(key, False)
        self._check(id_, perform.write)
        ticket = self._transport.ticket(host)
        if ticket is None:
            return self._boarded(key, False)
        self._log.write(*perform.before, _intent(case, subject, perform, ticket))
        self._seen.get(id_, {}).pop(subject, None)
        flight = Flight(key, self._stage(key), disruptive=perform.disruptive)
        self._flights.perform(flight, perform.write, ticket)
        return True

    def _boarded(self, key: Key, boarded: bool) -> bool:
        """Say whether a call could be boarded; where it could not (no session, another restart), look again."""
        if not boarded:
            self._agenda.stir(key[0])
        return boarded

    def _check(self, id_: str, call: Call) -> None:
        try:
            check(call)
        except SafetyRefusal as refusal:
            self._flights.abandon()
            refused = CallRefused(migration=id_, detail=str(refusal))
            self._surely(lambda: self._log.write(refused))
            raise

    # Calls in the air.

    def _stage(self, key: Key) -> tuple[Phase, Intention]:
        state = self.state[key[0]]
        return state.phase, state.intention

    def _collect(self, timeout: float) -> bool:
        """Gather what has ended; wait a moment for the first. Say whether calls were, or are, in the air."""
        if not self._flights.any:
            return False
        self._landed += self._flights.landed(timeout)
        return True

    def _take_in(self) -> None:
        """Fold in what has landed. An outcome that the commit does not put on disk is folded in again."""
        self._taken_in += self._landed
        landed, self._landed = self._landed, []
        for one in landed:
            self._take_in_one(one.flight, one.result)

    def _take_in_one(self, flight: Flight, result: Reply | bool | None) -> None:
        id_, subject = flight.key
        self._agenda.stir(id_)
        if result is None:
            seen = self._seen.setdefault(id_, {})
            before = seen.get(subject) if flight.more else Seen(id_)  # None: what it adds to was forgotten meanwhile
            if before is not None and self._stage(flight.key) == flight.stage:
                seen[subject] = before.plus(flight.replies, flight.guarded, flight.at)
        elif isinstance(result, Reply):
            wrong = said_wrong(result, self.state[id_].open[subject].started.endpoint)
            fault = FaultSeen.of(wrong) if wrong else None
            self._log.write(AttemptFinished(migration=id_, subject=subject, outcome=result.outcome, fault=fault))
        elif subject in self.state[id_].open:
            case = Case.of(self.state, self._plan, id_, self._clock.now())
            self._log.write(*after_end_shell(case, subject, result).events)

    def _forget(self, id_: str | None = None) -> None:
        """Forget what was read of a migration (None: of any), and what it waited for."""
        self._agenda.forget(id_)
        if id_ is None:
            self._seen.clear()
            self._landed = [one for one in self._landed if one.result is not None]
        else:
            self._seen.pop(id_, None)

    # Waiting and leaving.

    def _worth_waiting(self, due: datetime) -> bool:
        at = self._clock.now()
        return at is not None and (self._job.patience is None or due - at <= self._job.patience)

    def _interrupted(self) -> bool:
        return self._stopping or self._log.spoken_to()

    def _leave(self) -> None:
        """Let calls in the air end, write down those that did not as unknown, and close the pool."""
        deadline = time.monotonic() + LAST_CALLS
        self._flights.abandon()
        try:
            while self._flights.any and time.monotonic() < deadline:
                self._collect(LISTEN)
            self._surely(self._say_farewell)
        except (LeaseLost, JournalUnusable) as lost:
            log.warning("the runner left without a last word", why=str(lost))
        finally:
            self._flights.close(1.0)

    def _say_farewell(self) -> None:
        self._take_in()
        self._give_up_open_attempts("the runner was told to stop before the outcome was known")
        self._log.write(RunnerLeft(reason="told to stop" if self._stopping else "nothing more to do now"))


def _intent(case: Case, subject: str, perform: Perform, ticket: Ticket) -> AttemptStarted:
    step, statement = step_of(case.state, case.plan), perform.write.statement
    if step is None:
        raise ValueError(f"{case.migration.id} is in no step")
    return AttemptStarted(
        migration=case.migration.id,
        step=step,
        subject=subject,
        endpoint=ticket.endpoint,
        cmdlet=statement.name,
        parameters={name: plain(value) for name, value in statement.parameters.items()},
        shell=ticket.shell,
        pipeline=ticket.pipeline,
        wish=perform.wish,
    )
