"""The deck: what was decided goes to disk before it flies, and what has landed is taken in with what follows from it.

All events of one turn are one transaction. If somebody else's rows reached the journal first, nothing that was boarded
flies, the state is replayed, what was read is forgotten, and what has landed is taken in once more.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime

from orchestrator.clock import EstateClock
from orchestrator.conductor.agenda import Agenda
from orchestrator.conductor.fence import Fence, Intended
from orchestrator.conductor.flights import Flight, Flights, Key, Landed
from orchestrator.conductor.runlog import Overtaken, RunLog
from orchestrator.conductor.shells import Shells
from orchestrator.engine.decide import after_end_shell
from orchestrator.engine.waves import step_of
from orchestrator.journal import JournalUnusable, LeaseLost
from orchestrator.model.call import Read, Ticket
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import AttemptFinished, FaultSeen
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.observation import Reply
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.remote.faults import said_wrong
from orchestrator.remote.pool import Pool
from orchestrator.remote.transport import Transport


class FlightDeck:
    """What is pending, in the air and seen, for one thread."""

    def __init__(
        self,
        plan: Plan,
        log: RunLog,
        agenda: Agenda,
        clock: EstateClock,
        transport: Transport,
        pool: Pool[int],
        fence: Fence,
    ) -> None:
        self._plan, self._log, self._agenda, self._clock, self._fence = plan, log, agenda, clock, fence
        self.shells = Shells(log, transport)
        self.flights = Flights(transport, pool, fence, self.shells.announce)
        self._seen: dict[str, dict[str, Seen]] = {}
        self._landed, self._taken_in = list[Landed](), list[Landed]()  # the latter folded in, and not on disk yet
        self.overtaken = False
        """Whether somebody else's rows came first since this was last set back."""

    @property
    def state(self) -> RunState:
        """Where everything stands now."""
        return self._log.state

    def seen(self, key: Key) -> Seen | None:
        """Return what was read about a subject since its last write or wait."""
        return self._seen.get(key[0], {}).get(key[1])

    def unsee(self, key: Key) -> None:
        """Forget what was read about a subject."""
        self._seen.get(key[0], {}).pop(key[1], None)

    def is_full(self, id_: str) -> bool:
        """Whether a migration had better not begin anything: too many calls wait, and none of them is its own."""
        under_way = self.flights.under_way(id_) or self._seen.get(id_) or self.state[id_].performed
        return self.flights.crowded and not under_way

    def forget(self, id_: str | None = None) -> None:
        """Forget what was read of a migration (None: of any), and what it waited for."""
        self._agenda.forget(id_)
        if id_ is None:
            self._seen.clear()
            self._landed = [one for one in self._landed if one.result is not None]
        else:
            self._seen.pop(id_, None)

    # The journal.

    def announce(self, ticket: Ticket) -> None:
        """Put the shell of a call on disk that is made at once. Never in the middle of a turn."""
        self.surely(lambda: self.shells.announce(ticket))

    def surely(self, write: Callable[[], object]) -> None:
        """Write down what has happened and cannot be decided anew, however often somebody else is faster."""
        while True:
            write()
            with contextlib.suppress(Overtaken):
                self.commit()
                return

    def commit(self) -> None:
        """Put what is pending on disk, then let the calls go whose intents it holds; without it none goes."""
        self.flights.board_again()
        if self._log.pending:
            self.shells.write_gone()
        since = self._fence.now()
        try:
            self._log.commit()
        except (Overtaken, LeaseLost, JournalUnusable) as lost:
            self.flights.abandon()
            if isinstance(lost, Overtaken):
                self._landed = [*self._taken_in, *self._landed]
                self.overtaken = True
            self.forget()
            raise
        finally:
            self._taken_in = []
        self.flights.take_off(Intended(since, self._log.head))

    # Calls in the air.

    def stage(self, key: Key) -> tuple[Phase, Intention]:
        """Return where the migration of a flight stands."""
        state = self.state[key[0]]
        return state.phase, state.intention

    def flight(
        self,
        key: Key,
        at: datetime | None = None,
        todo: Iterable[Read] = (),
        *,
        more: bool = False,
        guarded: bool = False,
        disruptive: bool = False,
    ) -> Flight:
        """Return a flight for a subject, from where its migration stands now; it is yet to be boarded."""
        step = step_of(self.state[key[0]], self._plan)
        for_what = step.value if step else ""
        return Flight(key, self.stage(key), at, more, guarded, disruptive, for_what, list(todo))

    def collect(self, timeout: float) -> bool:
        """Gather what has ended; wait a moment for the first. Say whether calls were, or are, in the air."""
        if not self.flights.any:
            return False
        self._landed += self.flights.landed(timeout)
        return True

    def take_in(self) -> None:
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
            before = seen.get(subject)
            if not flight.more:
                before = before.anew(flight.at) if before else Seen(id_)
            if before is not None and self.stage(flight.key) == flight.stage:  # None: what it adds to was forgotten
                seen[subject] = before.plus(flight.replies, flight.guarded, flight.at, self._clock.reckoned())
        elif subject not in self.state[id_].open:
            return  # another runner took over and has settled it
        elif isinstance(result, Reply):
            wrong = said_wrong(result, self.state[id_].open[subject].started.endpoint)
            fault = FaultSeen.of(wrong) if wrong else None
            self._log.write(AttemptFinished(migration=id_, subject=subject, outcome=result.outcome, fault=fault))
        elif not result and self._clock.reckoned() is None:
            self._agenda.wait(flight.key, None)  # no retry can be due; it is asked again once the time is known
        else:
            case = Case.of(self.state, self._plan, id_, self._clock.reckoned(), silent=self._clock.silent)
            self._log.write(*after_end_shell(case, subject, result).events)
