"""Telling people: what is due is written down with the turn that it belongs to, then sent, and never waited for.

A notice is raised in the transaction of what it tells of, so that it is there exactly if that is. It leaves once it is
on disk; that a receiver took it is written down with the next turn. A runner that dies in between leaves it unsent, and
the next one sends it again under the same id. A receiver that does not answer is tried again later and later, costs a
thread that waits, and holds up nothing.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from orchestrator.conductor.agenda import Agenda
from orchestrator.conductor.flightdeck import FlightDeck
from orchestrator.conductor.runlog import RunLog
from orchestrator.engine.waves import Admission, NotYet
from orchestrator.journal import JournalUnusable, LeaseLost
from orchestrator.model.noticed import NoticeSent, NoticeUnsent
from orchestrator.model.notices import Notice, Receiver
from orchestrator.model.plan import Plan
from orchestrator.notices import due, numbered
from orchestrator.remote.outbox import Answered

log = structlog.get_logger()

TOGETHER = 60.0
"""Seconds within which further holds of one wave and reason are not told one by one, but once, together."""
_GATHERED = frozenset({"held", "rolled-back"})
FIRST_AGAIN, LONGEST_AGAIN = 5.0, 600.0
"""Seconds until a receiver that did not answer is tried again: doubled each time, and spread by a fifth."""
GATES_EVERY = timedelta(minutes=1)
"""How often it is looked, while nothing changes, whether a window has gone by."""
LAST_POSTS = 5.0
"""Seconds that receivers are given when the runner leaves, but for those that did not answer it before."""
_AT_GATES = frozenset({"window", "blackout", "approval:start", "approval:complete"})


class Posts(Protocol):
    """What carries notices to receivers."""

    def under_way(self, receiver: str) -> bool:
        """Whether a notice is on its way to a receiver."""

    def send(self, receiver: str, notice: Notice, missed: int) -> bool:
        """Send a notice; False where there is no such receiver."""

    @property
    def any_answer(self) -> bool:
        """Whether an answer is there."""

    def answers(self, timeout: float = 0.0) -> Iterator[Answered]:
        """Yield the answers, waiting so many seconds for the first."""


class Noticing:
    """What one runner tells people; without *outbox* nothing, and nothing is written down."""

    def __init__(
        self,
        plan: Plan,
        log_: RunLog,
        deck: FlightDeck,
        agenda: Agenda,
        outbox: Posts | None,
        seconds: Callable[[], float],
    ) -> None:
        self._plan, self._log, self._deck, self._agenda = plan, log_, deck, agenda
        self._outbox, self._seconds = outbox, seconds
        self._ids = {migration.id: place for place, migration in enumerate(plan.migrations())}
        self._run: object = None
        self._kept: set[str] = set()
        """Migrations whose occasion is told later, together with others."""
        self._last: dict[tuple[str, str, str], float] = {}
        self._told_now: dict[tuple[str, str, str], float] = {}
        self._gates: dict[str, Admission] = {}
        self._gates_asked: datetime | None = None
        self._answered: list[Answered] = []
        self._again: dict[str, tuple[int, float]] = {}
        """How often in a row a receiver did not answer, and from which second on he is tried again."""

    @property
    def _receivers(self) -> dict[str, Receiver]:
        return self._log.state.notices.receivers if self._outbox is not None else {}

    def note(self, id_: str, answer: Admission) -> None:
        """Take in what the wave rules say of a migration now."""
        if self._outbox is None:
            return
        if isinstance(answer, NotYet) and answer.waiting_for in _AT_GATES:
            self._gates[id_] = answer
        elif self._gates.pop(id_, None) is None:
            return
        self._gates_asked = None

    def tell(self, at: datetime | None, *, everything: bool = False) -> None:
        """Write down what is to be told now; with *everything* also what would wait for more of its kind."""
        if not self._receivers:
            return
        run, now = self._log.state, self._seconds()
        gates = self._gates if self._gates_due(at) else {}
        self._told_now = {}
        for one in due(run, self._plan, at, self._changed(), gates):
            last = self._last.get(one.kind)
            if not everything and one.occasion in _GATHERED and last is not None and now - last < TOGETHER:
                self._kept.update(one.migrations)
                continue
            self._told_now[one.kind] = now
            self._log.write(numbered(run, one))

    def write_answers(self) -> None:
        """Write down what has become of what was sent."""
        if self._outbox is None:
            return
        for answered in self._outbox.answers():
            self._take(answered)
        self._write_all()

    def send(self) -> None:
        """Send what is on disk to whoever is to have it: one notice at a time for each receiver, the oldest first."""
        self._answered.clear()
        self._last |= self._told_now
        self._told_now = {}
        self._send()

    def restless(self) -> bool:
        """Send what is due again; say whether there is something to write down."""
        if not self._receivers or self._outbox is None:
            return False
        if not self._answered:
            self._send()
        gathered = self._kept and self._seconds() - max(self._last.values(), default=0.0) >= TOGETHER
        return self._outbox.any_answer or bool(gathered)

    def leave(self, at: datetime | None) -> None:
        """Tell the rest, and give receivers who answer a moment to take it; what they do not is sent by the next."""
        if not self._receivers:
            return
        with contextlib.suppress(LeaseLost, JournalUnusable):
            self._deck.flights.ground()
            self._deck.surely(lambda: self.tell(at, everything=True))
            self.send()
            deadline = time.monotonic() + LAST_POSTS
            while self._expects_answers() and (left := deadline - time.monotonic()) > 0:
                self._await(left)

    def _await(self, seconds: float) -> None:
        if self._outbox is None:
            return
        for answered in self._outbox.answers(seconds):
            self._take(answered)
        if self._answered:
            self._deck.surely(self._write_all)
            self.send()

    def _expects_answers(self) -> bool:
        """Whether something is on its way to somebody who has failed no post of this runner since he took one."""
        on_the_way = self._outbox.under_way if self._outbox is not None else lambda _name: False
        return any(on_the_way(name) and name not in self._again for name in self._receivers)

    def _changed(self) -> list[str]:
        """Return the migrations to which something has happened since this was asked last."""
        run = self._log.state
        changed = self._kept | self._agenda.news() | run.touched
        if run is not self._run:
            self._run = run
            return list(self._ids)
        self._kept = set()
        return sorted(changed & self._ids.keys(), key=self._ids.__getitem__)

    def _gates_due(self, at: datetime | None) -> bool:
        if not self._gates or at is None:
            return False
        if self._gates_asked is not None and at - self._gates_asked < GATES_EVERY:
            return False
        self._gates_asked = at
        return True

    def _take(self, answered: Answered) -> None:
        self._answered.append(answered)
        name, answer = answered.receiver, answered.answer
        if answer.outcome == "later":
            tries = self._again.get(name, (0, 0.0))[0] + 1
            wait = min(LONGEST_AGAIN, FIRST_AGAIN * 2.0 ** min(tries - 1, 10)) * random.uniform(0.8, 1.2)  # noqa: S311
            self._again[name] = (tries, self._seconds() + max(wait, answer.after or 0.0))
        else:
            self._again.pop(name, None)
        if answer.outcome == "refused" or (answer.outcome == "later" and self._again[name][0] == 1):
            log.warning("a notice was not taken", receiver=name, notice=answered.notice, why=answer.why)

    def _write_all(self) -> None:
        for answered in self._answered:
            self._write(answered)

    def _write(self, answered: Answered) -> None:
        receiver, answer = self._receivers.get(answered.receiver), answered.answer
        if receiver is None or all(one.id != answered.notice for one in receiver.unsent):
            return
        about = {"notice": answered.notice, "receiver": receiver.name}
        if answer.outcome == "taken":
            self._log.write(NoticeSent(**about, status=answer.status, missed=answered.missed))
        elif answer.outcome == "refused" or receiver.silent is None:
            self._log.write(NoticeUnsent(**about, why=answer.why, for_good=answer.outcome == "refused"))

    def _send(self) -> None:
        if self._outbox is None:
            return
        now = self._seconds()
        for name, receiver in self._receivers.items():
            again = self._again.get(name, (0, 0.0))[1]
            if receiver.unsent and now >= again and not self._outbox.under_way(name):
                self._outbox.send(name, receiver.unsent[0], receiver.missed)
