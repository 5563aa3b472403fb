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
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from orchestrator import __version__
from orchestrator.clock import EstateClock, lasting
from orchestrator.conductor.agenda import Agenda
from orchestrator.conductor.attending import Attending
from orchestrator.conductor.fence import Fence
from orchestrator.conductor.flightdeck import FlightDeck
from orchestrator.conductor.flights import Key
from orchestrator.conductor.noticing import Noticing, Posts
from orchestrator.conductor.rest import Rest
from orchestrator.conductor.runlog import Notice, Overtaken, RunLog
from orchestrator.conductor.tenure import LISTEN, Tenure
from orchestrator.engine.decide import next_action, subjects
from orchestrator.engine.failing import Spent, TurnBack
from orchestrator.engine.outcome import reached
from orchestrator.engine.waves import Go, NotYet, step_of
from orchestrator.errors import SafetyRefusal
from orchestrator.journal import Journal, Lease
from orchestrator.model.action import EndShell, Observe, Perform, Record, Wait
from orchestrator.model.call import Call, Read, Ticket
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import plain
from orchestrator.model.driven import CallRefused, RunBegan, RunnerTook
from orchestrator.model.event import Admitted, AttemptStarted, Event, Held, Moved, RetryDue, WaitBegan
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.remote.gate import check
from orchestrator.remote.pool import CallPool, Pool
from orchestrator.remote.transport import Transport


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What one command asks the conductor to drive.

    ``chosen``: ids of migrations. ``until``: a forward phase to stop at. ``patience``: how long a due time may lie
    ahead to be waited for; None for any. ``stays``: it goes when every migration is at its end, and waits also for what
    has no time, as a person's word. ``host``, ``pid``: the process, as others are told of it.
    """

    plan: Plan
    digest: str
    canonical: dict[str, Any]
    by: str
    chosen: Collection[str]
    until: Phase | None = None
    patience: timedelta | None = None
    stays: bool = False
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)


ASIDE = "steady-state"
"""The subject under which :meth:`Conductor.look` reads; no step has it."""


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
        seconds: Callable[[], float] = lasting,
        outbox: Posts | None = None,
        attending: Attending | None = None,
    ) -> None:
        self._job, self._plan = assignment, assignment.plan
        self._transport, self._clock, self._attending = transport, clock, attending or Attending()
        self._agenda = Agenda(self._plan, assignment.chosen)
        self._stopping = self._timeless = self._homeward = False
        self._log = RunLog(self._plan.name, journal, lease, clock.reckoned, notice)
        fence = Fence(self._plan.name, journal, lease, seconds)
        self._deck = FlightDeck(
            self._plan, self._log, self._agenda, clock, transport, pool or CallPool(transport), fence
        )
        self._flights = self._deck.flights
        self._tenure = Tenure(self._deck, self._log, clock, transport)
        self._noticing = Noticing(self._plan, self._log, self._deck, self._agenda, outbox, seconds)
        self._rest = Rest(self._deck, clock, transport, self._interrupted, self._attending)

    @property
    def state(self) -> RunState:
        """Where everything stands now."""
        return self._log.state

    @property
    def time_unread(self) -> str | None:
        """Why estate time could not be read when it was asked for last; None if it could."""
        return self._clock.unread

    def stop(self) -> None:
        """Begin nothing new; what is in the air may still end. Safe to call from a signal handler."""
        self._stopping = True

    def announce(self, ticket: Ticket) -> None:
        """Put the shell of a call on disk that is about to be made outside of a turn: the clock's reading."""
        self._deck.announce(ticket)

    @property
    def plan(self) -> Plan:
        """The plan that it goes by, with its estate resolved."""
        return self._plan

    @property
    def going_on(self) -> bool:
        """Whether it was neither told to stop nor overtaken by another plan."""
        return not self._stopping and self.state.digest == self._job.digest

    def run(self, duty: Callable[[Conductor], object] | None = None) -> RunState:
        """Take over, do one's *duty* (by default :meth:`drive`), and leave; return where everything stands.

        Raises:
            LeaseLost: somebody else drives now; nothing more was sent.
            SafetyRefusal: the gate refused a call; it was journaled, and nothing more was sent.
        """
        try:
            self._tenure.take_over(self._who, self._beginning)
            (duty or Conductor.drive)(self)
        finally:
            try:
                self._noticing.leave(self._clock.reckoned())
            finally:
                self._tenure.leave(self._farewell())
        return self.state

    def drive(self, *, homeward: bool = False) -> None:
        """Drive until nothing can move, or nothing that may be waited for; *homeward* only what is on its way back."""
        self._homeward = homeward
        while self._hear():
            progressed = self._turn()
            if self._deck.collect(0.0 if progressed else LISTEN) or progressed:
                continue  # what has landed is taken in by the next turn, in one transaction with what follows it
            due = self._agenda.next_due()
            if self._stays() or (not self._job.stays and self._rest.is_short(due, self._job.patience)):
                self._deck.overtaken = False
                self._rest.until(due)
            else:
                break

    def _stays(self) -> bool:
        return self._job.stays and not self._rest.all_ended(self._job.chosen, self._job.until)

    def look(self, wanted: Mapping[str, Iterable[Read]]) -> dict[str, Seen]:
        """Read for migrations what no step of theirs asks for, all at once; less than *wanted* if told to stop.

        What could not be read is among the replies, with its fault.
        """
        found: dict[str, Seen] = {}
        while self._hear() and (left := [id_ for id_ in wanted if id_ not in found]):
            for id_ in left:
                self._look_aside((id_, ASIDE), tuple(wanted[id_]))
            with contextlib.suppress(Overtaken):
                self._deck.commit()
            self._deck.collect(LISTEN)
            self._deck.take_in()
            found |= {id_: seen for id_ in left if (seen := self._deck.seen((id_, ASIDE))) is not None}
        for id_ in wanted:
            self._deck.unsee((id_, ASIDE))
        return found

    def tell(self, words: Callable[[RunState], Iterable[Event]]) -> None:
        """Write down what is decided on the newest state, in one transaction; what was read before is read again."""
        self._deck.surely(lambda: self._log.write(*words(self.state)))
        self._deck.forget()

    def _look_aside(self, key: Key, reads: tuple[Read, ...]) -> None:
        if self._flights.busy(key):
            return
        for read in reads:
            self._check(key[0], read)
        self._flights.observe(self._deck.flight(key, self._clock.reckoned(), reads))

    def _who(self) -> RunnerTook:
        job = self._job
        return RunnerTook(by=job.by, host=job.host, pid=job.pid, tool=__version__)

    def _beginning(self) -> RunBegan:
        job = self._job
        return RunBegan(digest=job.digest, plan=job.canonical, by=job.by, tool=__version__)

    def _hear(self) -> bool:
        """Fold in what operators said; what was read before is read again. Say whether to go on by this plan."""
        self._attending.beats()
        if self._log.hear():
            self._deck.forget()
            self._clock.ask_soon()
        return self.going_on

    def _turn(self) -> bool:
        """Begin everything that may begin now; say whether anything did."""
        at = self._clock.now()
        progressed = False
        before, self._timeless = self._timeless, at is None or self._clock.silent
        if before and not self._timeless:
            self._deck.forget()  # what waited for the time to be known
        self._deck.take_in()
        self._noticing.write_answers()
        for id_, answer in self._agenda.worth_a_look(self.state, at, self._deck.is_full):
            self._noticing.note(id_, answer)
            if self._homeward and self.state[id_].intention is Intention.FORWARD:
                continue
            match answer:
                case Go() if not reached(self.state[id_], self._job.until):
                    if answer.admits:
                        self._log.write(Admitted(migration=id_, step=answer.step))
                    case = Case.of(self.state, self._plan, id_, at, self._clock.apart, silent=self._timeless)
                    for subject in subjects(case):
                        progressed |= self._advance((id_, subject), case)
                case Spent() | TurnBack():
                    self._log.write(answer.event(id_))
                    self._deck.forget(id_)
                    progressed = True
                case NotYet() if answer.until is not None:
                    self._agenda.wait((id_, answer.waiting_for), answer.until)
        self._noticing.tell(at)
        with contextlib.suppress(Overtaken):
            self._deck.commit()
            self._noticing.send()
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
                case = Case.of(self.state, self._plan, id_, at, case.apart, silent=case.silent)
                if case.state.held or subject not in subjects(case):
                    return recorded
            action = next_action(case, subject, self._deck.seen(key))
            if not isinstance(action, Record):
                return self._carry_out(key, case, action, at) or recorded
            self._log.write(*action.events)
            recorded = True
            if any(isinstance(event, Held | RetryDue | Moved) for event in action.events):
                self._deck.forget(id_)
                return True

    def _carry_out(self, key: Key, case: Case, action: object, at: datetime | None) -> bool:
        match action:
            case Wait():
                return self._wait(key, action, at)
            case Observe():
                for read in action.reads:
                    self._check(key[0], read)
                flight = self._deck.flight(key, at, action.reads, more=action.more, guarded=action.guarded)
                return self._boarded(key, self._flights.observe(flight))
            case Perform():
                return self._perform(key, case, action)
            case EndShell():
                self._flights.end_shell(self._deck.flight(key), action.endpoint, action.shell)
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
        self._deck.unsee(key)
        again = wait.again or (wait.until if wait.until and at and wait.until > at else None)
        self._agenda.wait(key, again)
        known = self.state[id_].waits.get(subject)
        same = known is not None and (known.waiting_for, known.until) == (wait.waiting_for, wait.until)
        if known and same and not (wait.news and known.detail != wait.detail):
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
        self._deck.shells.announce(ticket)
        self._log.write(*perform.before, _intent(case, subject, perform, ticket))
        self._deck.unsee(key)
        self._flights.perform(self._deck.flight(key, disruptive=perform.disruptive), perform.write, ticket)
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
            self._deck.surely(lambda: self._log.write(refused))
            raise

    def _interrupted(self) -> bool:
        return self._stopping or self._deck.overtaken or self._log.spoken_to() or self._noticing.restless()

    def _farewell(self) -> str:
        if self._stopping:
            return "told to stop"
        return "nothing more to do now" if self.state.digest == self._job.digest else "the plan was amended"


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
