"""Reading all that is asked of many migrations: rounds of reads, those of a round side by side.

What several of them want to know of one endpoint is asked once, and what each wants for himself goes in the same
pipeline as far as the answers can be told apart. What cannot be read is an answer too: nobody knows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from orchestrator.cli.trips import Trip, Wanted, settled, trips
from orchestrator.model.call import Read, Ticket
from orchestrator.model.case import Case, Seen
from orchestrator.model.observation import Reply
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.remote.pool import Pool
from orchestrator.remote.traffic import HOSTS_AT_ONCE
from orchestrator.remote.transport import Transport
from orchestrator.verification import Finding, Verified, asks, findings, in_motion, stand

LOOKS = 3
"""How often a migration is read that a runner moves meanwhile."""
KEPT = 64
"""Endpoints whose session stays open for the next round; of more, those that were asked last."""
ASK_AGAIN_FOR_A_SESSION = 0.1
"""Seconds after which an endpoint whose sessions are all lent is asked for one again."""
PATIENCE = 5.0
"""Seconds for which endpoints are waited for that are hung up on."""


class Readings:
    """Reads for many migrations at the same time; for one thread."""

    def __init__(
        self,
        transport: Transport,
        pool: Pool[int],
        stopped: Callable[[], bool] = lambda: False,
        at_once: int = HOSTS_AT_ONCE,
        tell: Callable[[int, int], object] = lambda _answered, _asked: None,
    ) -> None:
        """Read at most *at_once* endpoints at the same time; *tell* hears how many pipelines of how many have ended.

        A trip that waited for a thread would hold its session, and its endpoint would get another.
        """
        self._transport, self._pool, self._stopped, self._at_once = transport, pool, stopped, at_once
        self._under_way: dict[int, Trip | None] = {}
        self._shells: dict[str, UUID] = {}
        self._resting: dict[str, float] = {}
        self._numbers = self._asked = self._answered = 0
        self._tell = tell

    def all_of(
        self, ids: Sequence[str], asks: Callable[[str, Seen], tuple[Read, ...]], since: datetime | None = None
    ) -> dict[str, Seen] | None:
        """Return what was read of each migration; None once it was stopped.

        Args:
            ids: the migrations.
            asks: returns what must still be read of one; nothing once that is all.
            since: estate time as the reading begins.

        Raises:
            Refused: a call was outside the catalogue; it was not sent.
        """
        seen = {id_: Seen(id_, since=since) for id_ in ids}
        left = set(ids)
        while left and not self._stopped():
            asked = {id_: asks(id_, seen[id_]) for id_ in ids if id_ in left}
            left = {id_ for id_, reads in asked.items() if reads}
            came: dict[str, list[tuple[Read, Reply]]] = {id_: [] for id_ in left}
            for one, reply in self._round(trips(asked)):
                for id_ in one.ids:
                    came[id_].append((one.read, reply))
            seen |= {id_: seen[id_].plus(replies) for id_, replies in came.items()}
        return None if self._stopped() else seen

    def close(self) -> None:
        """Hang up on everybody who was asked; once it was stopped nobody is waited for."""
        deadline = time.monotonic() + PATIENCE
        for endpoint in [] if self._stopped() else list(self._shells):
            self._hang_up(endpoint)
        while self._under_way and not self._stopped() and time.monotonic() < deadline:
            if (finished := self._pool.next_finished(ASK_AGAIN_FOR_A_SESSION)) is not None:
                self._under_way.pop(finished[0])
                deadline = time.monotonic() + PATIENCE

    def _round(self, asked: Iterable[Trip]) -> Iterator[tuple[Wanted, Reply]]:
        waiting = deque(asked)
        self._asked += len(waiting)
        while (waiting or any(self._under_way.values())) and not self._stopped():
            self._begin(waiting)
            if not self._under_way:
                time.sleep(ASK_AGAIN_FOR_A_SESSION)  # whoever is left rests
            finished = self._pool.next_finished(ASK_AGAIN_FOR_A_SESSION)
            if finished is None:
                continue
            token, result = finished
            trip = self._under_way.pop(token)
            if isinstance(result, Exception):
                raise result
            if trip is not None:
                assert isinstance(result, Reply)
                answers, again = settled(trip, result)
                waiting.extend(again)
                self._rest(again)
                self._answered += 1
                self._asked += len(again)
                self._tell(self._answered, self._asked)
                yield from answers
                self._keep_few()

    def _begin(self, waiting: deque[Trip]) -> None:
        """Send what an endpoint has a session for; the rest goes on waiting."""
        for _ in range(len(waiting)):
            if len(self._under_way) >= self._at_once:
                return
            trip = waiting.popleft()
            rests = self._resting.get(trip.endpoint, 0.0) > time.monotonic()
            ticket: Ticket | None = None if rests else self._transport.ticket(trip.endpoint)
            if ticket is None:
                waiting.append(trip)
                continue
            trip.tries += 1
            self._shells.pop(trip.endpoint, None)
            self._shells[trip.endpoint] = ticket.shell
            self._numbers += 1
            self._under_way[self._numbers] = trip
            self._pool.start(self._numbers, trip.read, ticket)

    def _rest(self, again: Iterable[Trip]) -> None:
        """Leave endpoints alone that had no room for a trip."""
        for trip in again:
            if trip.rests:
                self._resting[trip.endpoint] = time.monotonic() + trip.rests

    def _keep_few(self) -> None:
        """Hang up on whom nobody has asked for longest, so that hundreds of hosts cost few sessions at a time."""
        if len(self._shells) > KEPT:
            busy = {trip.endpoint for trip in self._under_way.values() if trip is not None}
            for endpoint in [one for one in self._shells if one not in busy][: len(self._shells) - KEPT]:
                self._hang_up(endpoint)

    def _hang_up(self, endpoint: str) -> None:
        self._numbers += 1
        self._under_way[self._numbers] = None
        self._pool.end_shell(self._numbers, endpoint, self._shells.pop(endpoint))


def looked_at(
    plan: Plan, chosen: Sequence[str], at: datetime | None, readings: Readings, journaled: Callable[[], RunState]
) -> Verified | None:
    """Read and judge migrations; None once it was stopped.

    What a runner moves while it is read is read again: it must stand still from before the first read to after the
    last, by the journal.

    Args:
        plan: the plan, its estate resolved.
        chosen: ids of migrations.
        at: estate time.
        readings: what carries the reads.
        journaled: reads the journal anew.

    Raises:
        Refused: a call was outside the catalogue; it was not sent.
    """
    run = journaled()
    found: dict[str, tuple[Finding, ...]] = {}
    for _ in range(LOOKS):
        cases = {id_: Case.of(run, plan, id_, at) for id_ in chosen if id_ not in found}
        if not cases:
            break
        seen = readings.all_of(tuple(cases), _asking(cases))
        if seen is None:
            return None
        before, run = run, journaled()
        still = [id_ for id_, case in cases.items() if _stands_still(case, before, run)]
        found |= {id_: findings(cases[id_], seen[id_]) for id_ in still}
    found |= {id_: (in_motion(id_),) for id_ in chosen if id_ not in found}
    return Verified(run, at, {id_: found[id_] for id_ in chosen})


def _asking(cases: Mapping[str, Case]) -> Callable[[str, Seen], tuple[Read, ...]]:
    return lambda id_, seen: asks(cases[id_], seen)


def _stands_still(case: Case, before: RunState, after: RunState) -> bool:
    id_ = case.migration.id
    return stand(before, id_, case.hosts_back) == stand(after, id_, case.hosts_back)
