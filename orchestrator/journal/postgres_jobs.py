"""The board in a PostgreSQL database, beside the journal's rows.

Each call is one statement, a function on the server: whoever freezes or dies holds no lock. The server's clock decides
what has lapsed. Results are told by NOTIFY; who waits looks by himself all the same, for a notification may be lost
with a connection.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any, LiteralString, TypeAlias
from uuid import UUID

import psycopg

from orchestrator.journal.errors import JournalUnusable, LeaseLost
from orchestrator.journal.jobs import LAPSED, LATE, NOT_HELD, PRESENT_FOR, SPOKEN, Back, Claim, Job, Present
from orchestrator.journal.postgres_schema import Granted, recognise, upgrade
from orchestrator.journal.postgres_server import Server, explained
from orchestrator.journal.protocol import Lease

_POST = "SELECT epoch, holder, done FROM dmsa.post_jobs(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_TAKE_BACK = """
    SELECT id, run, site, migration, step, kind, call, after_row, leaves_within, result FROM dmsa.take_back_jobs(%s)
"""
_CLAIM = """
    SELECT id, run, site, migration, step, kind, call, after_row, leaves_within, fence
    FROM dmsa.claim_jobs(%s, %s, %s, %s, %s, %s)
"""
_PRESENT = """
    SELECT site, runner, version, since, seen FROM dmsa.runners
    WHERE seen >= clock_timestamp() - make_interval(secs => %s) ORDER BY site, runner
"""
_WHY: Mapping[str, str] = {"lapsed": LAPSED, "not-held": NOT_HELD, "spoken": SPOKEN, "late": LATE}

Rows: TypeAlias = list[tuple[Any, ...]]


class PostgresJobs:
    """A :class:`~orchestrator.journal.jobs.Jobs` in a database that has a journal.

    Raises:
        JournalUnusable: it cannot be reached, or has no journal of this version.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._turn, self._hearing = Lock(), Lock()
        self._ear: psycopg.Connection[Any] | None = None
        self._database = server.connect()
        try:
            recognise(server, self._database)
            ((self._patience,),) = self._ask("SELECT extract(epoch FROM dmsa.job_patience())::float8")
        except BaseException:
            self._database.close()
            raise

    @property
    def patience(self) -> float:
        """Seconds for which a claim counts unless it is renewed."""
        return float(self._patience)

    def post(self, jobs: Sequence[Job], lease: Lease) -> None:
        """See :meth:`Jobs.post <orchestrator.journal.jobs.Jobs.post>`."""
        columns = zip(*((j.id, j.run, j.site, j.migration, j.step, j.kind, j.call, j.row) for j in jobs), strict=True)
        given = [list(column) for column in columns] or [[]] * 8
        within = [float(job.leaves_within) for job in jobs]
        ((epoch, holder, done),) = self._ask(_POST, lease.epoch, *given, within)
        if not done:
            raise LeaseLost(lease.epoch, epoch, holder)

    def take_back(self, lease: Lease) -> list[Back]:
        """See :meth:`Jobs.take_back <orchestrator.journal.jobs.Jobs.take_back>`."""
        found = self._ask(_TAKE_BACK, lease.epoch)
        return [Back(Job(*columns), result) for *columns, result in found]

    def unheard(self, lease: Lease, older_than: float) -> list[tuple[str, str, str]]:
        """See :meth:`Jobs.unheard <orchestrator.journal.jobs.Jobs.unheard>`."""
        query: LiteralString = "SELECT site, migration, step FROM dmsa.unheard_jobs(%s, %s) ORDER BY number"
        found = self._ask(query, lease.epoch, float(older_than))
        return list(dict.fromkeys((site, migration, step) for site, migration, step in found))

    def withdraw(self, ids: Sequence[UUID], lease: Lease) -> set[UUID]:
        """See :meth:`Jobs.withdraw <orchestrator.journal.jobs.Jobs.withdraw>`."""
        return {id_ for (id_,) in self._ask("SELECT dmsa.withdraw_jobs(%s, %s)", lease.epoch, list(ids))}

    def wait(self, seconds: float) -> None:
        """See :meth:`Jobs.wait <orchestrator.journal.jobs.Jobs.wait>`."""
        until = time.monotonic() + seconds
        with self._hearing:
            try:
                if self._ear is None:
                    self._ear = self.server.connect(read_only=True)
                    self._ear.execute("LISTEN dmsa_jobs")
                    return  # what was handed in before that nobody has heard
                for _ in self._ear.notifies(timeout=seconds, stop_after=1):
                    return
            except (psycopg.Error, JournalUnusable):
                self._deaf()
                time.sleep(max(0.0, until - time.monotonic()))

    def claim(self, run: str, site: str, migration: str, step: str, runner: str, most: int = 1) -> list[Claim]:
        """See :meth:`Jobs.claim <orchestrator.journal.jobs.Jobs.claim>`."""
        found = self._ask(_CLAIM, run, site, migration, step, runner, most)
        return [Claim(Job(*columns), runner, fence) for *columns, fence in found]

    def renew(self, claims: Sequence[Claim]) -> list[Claim]:
        """See :meth:`Jobs.renew <orchestrator.journal.jobs.Jobs.renew>`."""
        ids, fences = [claim.job.id for claim in claims], [claim.fence for claim in claims]
        counting = set(self._ask("SELECT id, fence FROM dmsa.renew_claims(%s, %s::bigint[])", ids, fences))
        return [claim for claim in claims if (claim.job.id, claim.fence) in counting]

    def may_leave(self, claim: Claim) -> str | None:
        """See :meth:`Jobs.may_leave <orchestrator.journal.jobs.Jobs.may_leave>`."""
        ((why,),) = self._ask("SELECT dmsa.may_leave(%s, %s)", claim.job.id, claim.fence)
        return None if why is None else _WHY[why]

    def commit(self, claim: Claim, result: str) -> bool:
        """See :meth:`Jobs.commit <orchestrator.journal.jobs.Jobs.commit>`."""
        ((kept,),) = self._ask("SELECT dmsa.hand_in(%s, %s, %s)", claim.job.id, claim.fence, result)
        return bool(kept)

    def show(self, site: str, runner: str, version: str) -> None:
        """See :meth:`Jobs.show <orchestrator.journal.jobs.Jobs.show>`."""
        self._ask("SELECT dmsa.show_runner(%s, %s, %s)", site, runner, version)

    def present(self) -> list[Present]:
        """See :meth:`Jobs.present <orchestrator.journal.jobs.Jobs.present>`."""
        return [Present(*columns) for columns in self._ask(_PRESENT, PRESENT_FOR)]

    def oldest(self) -> dict[str, datetime]:
        """See :meth:`Jobs.oldest <orchestrator.journal.jobs.Jobs.oldest>`."""
        return dict(self._ask("SELECT site, min(posted) FROM dmsa.jobs WHERE fence IS NULL GROUP BY site"))

    def close(self) -> None:
        """Let go of the connections; what was claimed lapses."""
        with self._turn:
            self._database.close()
        with self._hearing:
            self._deaf()

    def _ask(self, query: LiteralString, *values: object) -> Rows:
        with self._talking() as database:
            return database.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _talking(self) -> Iterator[psycopg.Connection[Any]]:
        """One thread at a time; a connection that was lost is made anew before the next statement, never in one."""
        with self._turn, explained(self.server.url):
            if self._database.closed:
                self._database = self.server.connect()
            yield self._database

    def _deaf(self) -> None:
        if self._ear is not None:
            with contextlib.suppress(psycopg.Error):
                self._ear.close()
        self._ear = None


def let_serve(server: Server, roles: Iterable[tuple[str, str]]) -> None:
    """Let roles serve sites, and nothing else: *roles* are sites with the name of their role, made where missing.

    Raises:
        JournalUnusable: there is no journal, or this role may not say so.
    """
    roles = list(roles)
    upgrade(server, [Granted("site", role) for _, role in roles])
    with server.connect() as connection, explained(server.url):
        for site, role in roles:
            connection.execute("INSERT INTO dmsa.site_role VALUES (%s, %s) ON CONFLICT DO NOTHING", (role, site))
