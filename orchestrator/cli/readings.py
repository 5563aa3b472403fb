"""Reading all that is asked of many migrations: rounds of reads, those of a round side by side.

What several of them want to know of one endpoint is asked once.

A read that came to nothing because its session had died, or for a fault that may pass, is repeated once. What cannot be
read then is an answer too: nobody knows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
    """One read, for one migration or for several; ``tries``: how often it was sent."""

    ids: tuple[str, ...]
    read: Read
    tries: int = 0


class Readings:
    """Reads for many migrations at the same time; for one thread."""

    def __init__(self, transport: Transport, pool: Pool[int], stopped: Callable[[], bool] = lambda: False) -> None:
        self._transport, self._pool, self._stopped = transport, pool, stopped
        self._under_way: dict[int, _Wanted] = {}
        self._numbers = 0

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
            wanted = {id_: asks(id_, seen[id_]) for id_ in ids if id_ in left}
            left = {id_ for id_, reads in wanted.items() if reads}
            for for_, read, reply in self._round(_once(wanted)):
                for id_ in for_:
                    seen[id_] = seen[id_].plus([(read, reply)])
        return None if self._stopped() else seen

    def _round(self, wanted: Iterable[_Wanted]) -> Iterator[tuple[tuple[str, ...], Read, Reply]]:
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
                yield one.ids, one.read, result

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


def _once(wanted: Mapping[str, tuple[Read, ...]]) -> Iterator[_Wanted]:
    """Yield the reads of a round: a statement that the same migrations want of an endpoint travels with its like."""
    wanting: dict[tuple[str, str], tuple[Read, list[str]]] = {}
    for id_, reads in wanted.items():
        for read in reads:
            for one in read.statements:
                _, ids = wanting.setdefault((read.endpoint, repr(one)), (Read(read.endpoint, (one,)), []))
                ids.append(id_)
    together: dict[tuple[str, ...], list[Read]] = {}
    for read, ids in wanting.values():
        together.setdefault(tuple(ids), []).append(read)
    for for_, alike in together.items():
        yield from (_Wanted(for_, read) for read in merge(alike))


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
