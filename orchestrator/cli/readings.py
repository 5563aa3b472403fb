"""Reading all that a verification asks for: rounds of reads, those of a round side by side.

A read that came to nothing because its session had died, or for a fault that may pass, is repeated once. What cannot be
read then is an answer too: nobody knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestrator.engine.merge import merge
from orchestrator.model.call import Read, Ticket
from orchestrator.model.case import Case, Seen
from orchestrator.model.observation import FaultKind, Outcome, Reply
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.remote.pool import Pool
from orchestrator.remote.transport import Transport
from orchestrator.verification import Finding, Verified, asks, findings, in_motion, stand

LOOKS = 3
"""How often a migration is read that a runner moves meanwhile."""
TRIES = 2
"""How often a read is sent that may work the next time."""
ASK_AGAIN_FOR_A_SESSION = 0.1
"""Seconds after which an endpoint whose sessions are all lent is asked for one again."""


@dataclass
class _Wanted:
    """One read for one migration; ``tries``: how often it was sent."""

    id: str
    read: Read
    tries: int = 0


class Readings:
    """Reads for many migrations at the same time; for one thread."""

    def __init__(self, transport: Transport, pool: Pool[int], stopped: Callable[[], bool] = lambda: False) -> None:
        self._transport, self._pool, self._stopped = transport, pool, stopped
        self._under_way: dict[int, _Wanted] = {}
        self._numbers = 0

    def all_of(self, cases: Mapping[str, Case]) -> dict[str, Seen] | None:
        """Return what was read of each migration; None once it was stopped.

        Raises:
            Refused: a call was outside the catalogue; it was not sent.
        """
        seen = {id_: Seen(id_) for id_ in cases}
        left = set(cases)
        while left and not self._stopped():
            wanted = {id_: merge(asks(cases[id_], seen[id_])) for id_ in cases if id_ in left}
            left = {id_ for id_, reads in wanted.items() if reads}
            every = iter([_Wanted(id_, read) for id_, reads in wanted.items() for read in reads])
            for of, read, reply in self._round(every):
                seen[of] = seen[of].plus([(read, reply)])
        return None if self._stopped() else seen

    def _round(self, wanted: Iterator[_Wanted]) -> Iterator[tuple[str, Read, Reply]]:
        waiting = deque(wanted)
        while (waiting or self._under_way) and not self._stopped():
            self._begin(waiting)
            finished = self._pool.next_finished(ASK_AGAIN_FOR_A_SESSION)
            if finished is None:
                continue
            token, result = finished
            one = self._under_way.pop(token)
            if isinstance(result, Exception):
                raise result
            assert isinstance(result, Reply)
            if one.tries < TRIES and _worth_repeating(result):
                waiting.append(one)
            else:
                yield one.id, one.read, result

    def _begin(self, waiting: deque[_Wanted]) -> None:
        """Send what an endpoint has a session for; the rest goes on waiting."""
        for _ in range(len(waiting)):
            one = waiting.popleft()
            ticket: Ticket | None = self._transport.ticket(one.read.endpoint)
            if ticket is None:
                waiting.append(one)
                continue
            one.tries += 1
            self._numbers += 1
            self._under_way[self._numbers] = one
            self._pool.start(self._numbers, one.read, ticket)


def _worth_repeating(reply: Reply) -> bool:
    if reply.again or reply.outcome is Outcome.UNKNOWN:
        return True
    return reply.fault is not None and not reply.errors and reply.fault.kind is FaultKind.TRANSIENT


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
        seen = readings.all_of(cases)
        if seen is None:
            return None
        before, run = run, journaled()
        still = [id_ for id_, case in cases.items() if _stands_still(case, before, run)]
        found |= {id_: findings(cases[id_], seen[id_]) for id_ in still}
    found |= {id_: (in_motion(id_),) for id_ in chosen if id_ not in found}
    return Verified(run, at, {id_: found[id_] for id_ in chosen})


def _stands_still(case: Case, before: RunState, after: RunState) -> bool:
    id_ = case.migration.id
    return stand(before, id_, case.hosts_back) == stand(after, id_, case.hosts_back)
