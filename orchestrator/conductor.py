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
import itertools
import os
import socket
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from orchestrator import __version__
from orchestrator.clock import EstateClock
from orchestrator.engine.decide import after_end_shell, next_action, subjects
from orchestrator.engine.outcome import reached
from orchestrator.engine.waves import Go, NotYet, Spent, admissible, step_of
from orchestrator.errors import SafetyRefusal
from orchestrator.journal import Journal, JournalUnusable, Lease, LeaseLost
from orchestrator.model.action import EndShell, Observe, Perform, Record, Wait
from orchestrator.model.call import Call, Read
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
from orchestrator.model.lifecycle import Intention, Phase, Trigger
from orchestrator.model.observation import Fault, FaultKind, Outcome, Reply
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.remote.gate import check
from orchestrator.remote.pool import CallPool
from orchestrator.remote.transport import Transport
from orchestrator.runlog import Notice, Overtaken, RunLog

log = structlog.get_logger()

LISTEN = 0.2
"""Seconds between two looks at the journal while calls are open."""
LAST_CALLS = 10.0
"""Seconds that calls in the air are given when the runner is told to stop."""

Key = tuple[str, str]
"""A migration's id and one of its subjects."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What one command asks the conductor to drive.

    ``chosen``: ids of migrations. ``until``: a forward phase to stop at. ``patience``: how long a due time may lie
    ahead to be waited for; None for any.
    """

    plan: Plan
    digest: str
    canonical: dict[str, Any]
    by: str
    chosen: Collection[str]
    until: Phase | None = None
    patience: timedelta | None = None


@dataclass
class _Flight:
    """Calls in the air for one subject."""

    key: Key
    kind: Literal["observe", "perform", "end-shell"]
    stage: tuple[Phase, Intention]
    todo: list[Call] = field(default_factory=list)
    replies: list[tuple[Read, Reply]] = field(default_factory=list)
    open: int = 0
    more: bool = False
    guarded: bool = False
    disruptive: bool = False


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
    ) -> None:
        self._job, self._plan = assignment, assignment.plan
        self._transport, self._clock = transport, clock
        self._pool: CallPool[int] = CallPool(transport)
        self._tokens = itertools.count()
        self._air: dict[int, tuple[_Flight, Call | None]] = {}
        self._busy: dict[Key, _Flight] = {}
        self._launching: list[tuple[_Flight, Callable[[int], None], Call | None]] = []
        self._seen: dict[Key, Seen] = {}
        self._again: dict[Key, datetime | None] = {}
        self._dues: list[datetime] = []
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
                    continue
                due = min(self._dues, default=None)
                if due is None or not self._worth_waiting(due):
                    break
                self._clock.wait_until(due, self._interrupted)
        finally:
            self._leave()
        return self.state

    # The journal.

    def _take_over(self) -> None:
        self._clock.ask()
        job = self._job
        if self.state.digest is None:
            self._log.write(RunBegan(digest=job.digest, plan=job.canonical, by=job.by, tool=__version__))
        self._log.write(RunnerTook(by=job.by, host=socket.gethostname(), pid=os.getpid(), tool=__version__))
        self._give_up_open_attempts("the runner ended before the outcome was known")
        self._commit()

    def _give_up_open_attempts(self, why: str) -> None:
        fault = FaultSeen(kind=FaultKind.UNKNOWN, code="runner-ended", message=why)
        for state in list(self.state.migrations.values()):
            for subject in [subject for subject, attempt in state.open.items() if not attempt.unsettled]:
                self._log.write(
                    AttemptFinished(migration=state.id, subject=subject, outcome=Outcome.UNKNOWN, fault=fault)
                )

    def _hear(self) -> None:
        """Fold in what operators said meanwhile; what was read before they spoke is read again."""
        if self._log.hear():
            self._seen.clear()
            self._again.clear()

    def _commit(self) -> None:
        """Put the turn's events on disk, then let the calls go whose intents they hold."""
        launching, self._launching = self._launching, []
        try:
            self._log.commit()
        except Overtaken:
            for flight, _, _ in launching:
                self._busy.pop(flight.key, None)
            self._seen.clear()
            self._again.clear()
            raise
        for flight, start, call in launching:
            token = next(self._tokens)
            self._air[token] = (flight, call)
            start(token)

    # One turn.

    def _turn(self) -> bool:
        """Begin everything that may begin now; say whether anything did."""
        at = self._clock.now()
        self._dues = []
        progressed = False
        for id_, answer in admissible(self.state, self._plan, at, self._job.chosen).items():
            match answer:
                case Go() if not reached(self.state[id_], self._job.until):
                    if answer.admits:
                        self._log.write(Admitted(migration=id_, step=answer.step))
                    for subject in subjects(Case.of(self.state, self._plan, id_, at)):
                        progressed |= self._advance((id_, subject), at)
                case Spent():
                    self._log.write(_budget_spent(id_, answer))
                    progressed = True
                case NotYet() if answer.until is not None:
                    self._dues.append(answer.until)
        try:
            self._commit()
        except Overtaken:
            return True
        return progressed

    def _advance(self, key: Key, at: datetime | None) -> bool:
        """Take the next action of one subject; say whether anything came of it."""
        if key in self._busy or self._not_before(key, at):
            return False
        id_, subject = key
        recorded = False
        while True:
            case = Case.of(self.state, self._plan, id_, at)
            if case.state.held or subject not in subjects(case):
                return recorded
            action = next_action(case, subject, self._seen.get(key))
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
                flight = self._flight(key, "observe")
                flight.todo, flight.more, flight.guarded = list(action.reads), action.more, action.guarded
                return self._launch_reads(flight)
            case Perform():
                return self._perform(key, case, action)
            case EndShell():
                flight = self._flight(key, "end-shell")
                self._launch(flight, lambda token: self._pool.end_shell(token, action.endpoint, action.shell), None)
                return True
            case _:
                raise TypeError(f"no such action: {action!r}")

    def _not_before(self, key: Key, at: datetime | None) -> bool:
        id_, subject = key
        waiting = self.state[id_].waits.get(subject)
        due = self._again.get(key)
        if waiting and waiting.waiting_for in {"retry", "settle"} and waiting.until:
            due = waiting.until
        if due is None:
            return key in self._again
        if at is not None and at >= due:
            self._again.pop(key, None)
            return False
        self._dues.append(due)
        return True

    def _wait(self, key: Key, wait: Wait, at: datetime | None) -> bool:
        id_, subject = key
        self._seen.pop(key, None)
        again = wait.again or (wait.until if wait.until and at and wait.until > at else None)
        self._again[key] = again
        if again is not None:
            self._dues.append(again)
        known = self.state[id_].waits.get(subject)
        if known and (known.waiting_for, known.until) == (wait.waiting_for, wait.until):
            return False
        self._log.write(
            WaitBegan(
                migration=id_,
                subject=subject,
                waiting_for=wait.waiting_for,
                until=wait.until,
                detail=wait.detail,
            )
        )
        return True

    def _perform(self, key: Key, case: Case, perform: Perform) -> bool:
        id_, subject = key
        host = perform.write.endpoint
        if perform.disruptive and any(f.disruptive and f.key[1] == host for f in self._busy.values()):
            return False
        self._check(id_, perform.write)
        ticket = self._transport.ticket(host)
        if ticket is None:
            return False
        statement = perform.write.statement
        parameters = {name: plain(value) for name, value in statement.parameters.items()}
        self._log.write(
            *perform.before,
            AttemptStarted(
                migration=id_,
                step=_step(case),
                subject=subject,
                endpoint=host,
                cmdlet=statement.name,
                parameters=parameters,
                shell=ticket.shell,
                pipeline=ticket.pipeline,
                wish=perform.wish,
            ),
        )
        flight = self._flight(key, "perform")
        flight.disruptive = perform.disruptive
        self._seen.pop(key, None)
        self._launch(flight, lambda token: self._pool.start(token, perform.write, ticket), perform.write)
        return True

    def _check(self, id_: str, call: Call) -> None:
        try:
            check(call)
        except SafetyRefusal as refusal:
            self._log.write(CallRefused(migration=id_, detail=str(refusal)))
            self._commit()
            raise

    # Calls in the air.

    def _flight(self, key: Key, kind: Literal["observe", "perform", "end-shell"]) -> _Flight:
        state = self.state[key[0]]
        return _Flight(key, kind, (state.phase, state.intention))

    def _launch(self, flight: _Flight, start: Callable[[int], None], call: Call | None) -> None:
        self._busy[flight.key] = flight
        flight.open += 1
        self._launching.append((flight, start, call))

    def _launch_reads(self, flight: _Flight) -> bool:
        """Start as many of a flight's reads as there are sessions for; the others follow as sessions come free."""
        started = False
        for read in list(flight.todo):
            self._check(flight.key[0], read)
            ticket = self._transport.ticket(read.endpoint)
            if ticket is None:
                continue
            flight.todo.remove(read)
            self._launch(flight, lambda token, r=read, t=ticket: self._pool.start(token, r, t), read)  # type: ignore[misc]
            started = True
        return started

    def _collect(self, timeout: float) -> bool:
        """Take in what has finished; wait a moment for the first. Say whether calls were, or are, in the air."""
        if not self._pool.in_flight:
            return False
        finished = self._pool.next_finished(timeout)
        while finished is not None:
            self._take_in(*finished)
            finished = self._pool.next_finished(0.0)
        with contextlib.suppress(Overtaken):
            self._commit()
        return True

    def _take_in(self, token: int, result: Reply | bool | Exception) -> None:
        flight, call = self._air.pop(token)
        flight.open -= 1
        if isinstance(result, Exception):
            raise result
        id_, subject = flight.key
        if flight.kind == "observe" and isinstance(call, Read) and isinstance(result, Reply):
            flight.replies.append((call, result))
            if flight.todo:
                self._launch_reads(flight)
            if not flight.todo and not flight.open:
                self._observed(flight)
            return
        del self._busy[flight.key]
        if isinstance(result, bool):
            case = Case.of(self.state, self._plan, id_, self._clock.now())
            if subject in case.state.open:
                self._log.write(*after_end_shell(case, subject, result).events)
        elif isinstance(result, Reply):
            fault = _fault_seen(result.fault)
            self._log.write(AttemptFinished(migration=id_, subject=subject, outcome=result.outcome, fault=fault))

    def _observed(self, flight: _Flight) -> None:
        del self._busy[flight.key]
        state = self.state[flight.key[0]]
        if (state.phase, state.intention) != flight.stage:
            return
        before = self._seen.get(flight.key) if flight.more else None
        seen = before or Seen(flight.key[0])
        self._seen[flight.key] = seen.plus(flight.replies, flight.guarded)

    def _forget(self, id_: str) -> None:
        for key in [key for key in (*self._seen, *self._again) if key[0] == id_]:
            self._seen.pop(key, None)
            self._again.pop(key, None)

    # Waiting and leaving.

    def _worth_waiting(self, due: datetime) -> bool:
        at = self._clock.now()
        return at is not None and (self._job.patience is None or due - at <= self._job.patience)

    def _interrupted(self) -> bool:
        return self._stopping or self._log.spoken_to()

    def _leave(self) -> None:
        """Let calls in the air end, write down those that did not as unknown, and close the pool."""
        deadline = time.monotonic() + LAST_CALLS
        try:
            while self._pool.in_flight and time.monotonic() < deadline:
                self._collect(LISTEN)
            self._give_up_open_attempts("the runner was told to stop before the outcome was known")
            self._log.write(RunnerLeft(reason="told to stop" if self._stopping else "nothing more to do now"))
            self._commit()
        except (LeaseLost, JournalUnusable) as lost:
            log.warning("the runner left without a last word", why=str(lost))
        finally:
            self._pool.close(1.0)


def _step(case: Case) -> Trigger:
    step = step_of(case.state, case.plan)
    if step is None:
        raise ValueError(f"{case.migration.id} is in no step")
    return step


def _fault_seen(fault: Fault | None) -> FaultSeen | None:
    if fault is None:
        return None
    return FaultSeen(kind=fault.kind, code=fault.code, message=fault.message, remedy=fault.remedy)


def _budget_spent(id_: str, spent: Spent) -> Held:
    return Held(
        migration=id_,
        reason="budget-spent",
        detail=spent.detail,
        release="mend the failed migrations and release them, then release this one",
    )
