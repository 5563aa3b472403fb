"""A driver over several sites put together: what carries its calls where a broker rings the runners of other sites."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.cli.ringing import engine_at
from orchestrator.cli.selection import this_runner
from orchestrator.clock import lasting
from orchestrator.errors import InputInvalid
from orchestrator.journal import Lease, in_database, open_jobs
from orchestrator.model.plan import Plan
from orchestrator.model.sites import Sites
from orchestrator.remote.pool import CallPool, Pool
from orchestrator.remote.traffic import Manners
from orchestrator.remote.transport import Transport


@dataclass(frozen=True)
class Carrying:
    """What a conductor asks for tickets, and what runs its calls."""

    transport: Transport
    pool: Pool[int]


@contextlib.contextmanager
def carrying(
    plan: Plan, place: str, broker: str | None, lease: Lease, home: Transport, manners: Manners
) -> Iterator[Carrying]:
    """Return what carries a run's calls: *home* alone without a *broker*, else home for the directory only.

    Raises:
        InputInvalid: the broker's URL cannot be used, or the journal is none that several machines share.
        JournalUnusable: the board cannot be used.
    """
    here: CallPool[int] = CallPool(home, manners.threads)
    if broker is None:
        yield Carrying(home, here)
        return
    refuse_a_file(place)
    from orchestrator.cluster.abroad import Abroad
    from orchestrator.cluster.posting import Board, PostingPool
    from orchestrator.cluster.pump import pumped

    with (
        contextlib.closing(engine_at(broker, this_runner())) as engine,
        contextlib.closing(open_jobs(place)) as jobs,
    ):
        abroad = Abroad(home, Sites(plan), manners, clock=lasting)
        pool = PostingPool(here, abroad, Board(plan.name, jobs, lease, engine), seconds=lasting)
        with pumped(pool, jobs):
            yield Carrying(abroad, pool)


def refuse_a_file(place: str) -> None:
    """Refuse a journal that runners on several machines cannot share.

    Raises:
        InputInvalid: it is one.
    """
    if not in_database(place):
        raise InputInvalid(
            f"the journal {place} is a file, which the runners of one machine share. Nothing was done. Several sites "
            "share a database: --journal postgresql://user@host/database."
        )
