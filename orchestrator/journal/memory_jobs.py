"""The board in memory, with the contract of the one in PostgreSQL: for simulation and tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from threading import Condition
from uuid import UUID

from orchestrator.journal.errors import LeaseLost
from orchestrator.journal.jobs import LAPSED, LATE, NOT_HELD, PATIENCE, PRESENT_FOR, SPOKEN, Back, Claim, Job, Present
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.protocol import Lease
from orchestrator.model.decided_anew import ABOUT_ALL, ABOUT_ONE


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class _Posted:
    """A job on the board. ``fence``: 0 while nobody has claimed it."""

    job: Job
    lease: Lease
    at: datetime
    rung: datetime
    fence: int = 0
    runner: str = ""
    until: datetime | None = None
    result: str | None = None


def _words(job: Job) -> tuple[str, ...]:
    return job.run, job.site, job.migration, job.step


class MemoryJobs:
    """A :class:`~orchestrator.journal.jobs.Jobs` beside a journal in memory, shared by all who use it.

    *now* is the store's clock.
    """

    def __init__(
        self, journal: MemoryJournal, patience: float = PATIENCE, now: Callable[[], datetime] = _wall_clock
    ) -> None:
        self._journal, self._patience, self._now = journal, patience, now
        self._posted: dict[UUID, _Posted] = {}
        self._present: dict[tuple[str, str], Present] = {}
        self._fences = 0
        self._turn = Condition()

    @property
    def patience(self) -> float:
        """Seconds for which a claim counts unless it is renewed."""
        return self._patience

    def post(self, jobs: Sequence[Job], lease: Lease) -> None:
        """See :meth:`Jobs.post <orchestrator.journal.jobs.Jobs.post>`."""
        with self._turn:
            holder, now = self._journal.holder(), self._now()
            if holder != lease:
                raise LeaseLost(lease.epoch, holder.epoch if holder else lease.epoch, holder.holder if holder else None)
            self._posted |= {job.id: _Posted(job, lease, now, now) for job in jobs}

    def take_back(self, lease: Lease) -> list[Back]:
        """See :meth:`Jobs.take_back <orchestrator.journal.jobs.Jobs.take_back>`."""
        with self._turn:
            self._posted = {id_: one for id_, one in self._posted.items() if one.lease.epoch >= lease.epoch}
            ours = [one for one in self._posted.values() if one.lease == lease and one.fence]
            done = [one for one in ours if one.result is not None or self._lapsed(one)]
            for one in done:
                del self._posted[one.job.id]
            return [Back(one.job, one.result) for one in done]

    def unheard(self, lease: Lease, older_than: float) -> list[tuple[str, str, str]]:
        """See :meth:`Jobs.unheard <orchestrator.journal.jobs.Jobs.unheard>`."""
        with self._turn:
            now = self._now()
            found = [one for one in self._unclaimed() if one.lease == lease]
            due = [one for one in found if now - one.rung >= timedelta(seconds=older_than)]
            for one in due:
                one.rung = now
            return list(dict.fromkeys((one.job.site, one.job.migration, one.job.step) for one in due))

    def withdraw(self, ids: Sequence[UUID], lease: Lease) -> set[UUID]:
        """See :meth:`Jobs.withdraw <orchestrator.journal.jobs.Jobs.withdraw>`."""
        with self._turn:
            found = {one.job.id for one in self._unclaimed() if one.lease == lease} & set(ids)
            for id_ in found:
                del self._posted[id_]
            return found

    def wait(self, seconds: float) -> None:
        """See :meth:`Jobs.wait <orchestrator.journal.jobs.Jobs.wait>`."""
        with self._turn:
            self._turn.wait_for(lambda: any(one.result is not None for one in self._posted.values()), seconds)

    def claim(self, run: str, site: str, migration: str, step: str, runner: str, most: int = 1) -> list[Claim]:
        """See :meth:`Jobs.claim <orchestrator.journal.jobs.Jobs.claim>`."""
        with self._turn:
            holder = self._journal.holder()
            asked = (run, site, migration, step)
            free = (one for one in self._unclaimed() if _words(one.job) == asked)
            found = list(islice((one for one in free if one.lease == holder), most))
            for one in found:
                self._fences += 1
                one.fence, one.runner, one.until = self._fences, runner, self._later()
            return [Claim(one.job, runner, one.fence) for one in found]

    def renew(self, claims: Sequence[Claim]) -> list[Claim]:
        """See :meth:`Jobs.renew <orchestrator.journal.jobs.Jobs.renew>`."""
        with self._turn:
            counting = [claim for claim in claims if self._counts(claim)]
            for claim in counting:
                self._posted[claim.job.id].until = self._later()
            return counting

    def may_leave(self, claim: Claim) -> str | None:
        """See :meth:`Jobs.may_leave <orchestrator.journal.jobs.Jobs.may_leave>`."""
        with self._turn:
            if not self._counts(claim):
                return LAPSED
            posted = self._posted[claim.job.id]
            if self._journal.holder() != posted.lease:
                return NOT_HELD
            if self._spoken(posted.job):
                return SPOKEN
            late = self._now() - posted.at > timedelta(seconds=posted.job.leaves_within)
            return LATE if late else None

    def commit(self, claim: Claim, result: str) -> bool:
        """See :meth:`Jobs.commit <orchestrator.journal.jobs.Jobs.commit>`."""
        with self._turn:
            counts = self._counts(claim)
            if counts:
                self._posted[claim.job.id].result = result
                self._turn.notify_all()
            return counts

    def show(self, site: str, runner: str, version: str) -> None:
        """See :meth:`Jobs.show <orchestrator.journal.jobs.Jobs.show>`."""
        with self._turn:
            now = self._now()
            known = self._present.get((site, runner), Present(site, runner, version, now, now))
            self._present[site, runner] = replace(known, version=version, seen=now)

    def present(self) -> list[Present]:
        """See :meth:`Jobs.present <orchestrator.journal.jobs.Jobs.present>`."""
        with self._turn:
            since = self._now() - timedelta(seconds=PRESENT_FOR)
            return sorted(
                (one for one in self._present.values() if one.seen >= since), key=lambda one: (one.site, one.runner)
            )

    def oldest(self) -> dict[str, datetime]:
        """See :meth:`Jobs.oldest <orchestrator.journal.jobs.Jobs.oldest>`."""
        with self._turn:
            found: dict[str, datetime] = {}
            for one in self._unclaimed():
                found.setdefault(one.job.site, one.at)
            return found

    def _unclaimed(self) -> Iterable[_Posted]:
        return [one for one in self._posted.values() if not one.fence]

    def _later(self) -> datetime:
        return self._now() + timedelta(seconds=self._patience)

    def _lapsed(self, one: _Posted) -> bool:
        return one.until is not None and one.until <= self._now()

    def _counts(self, claim: Claim) -> bool:
        one = self._posted.get(claim.job.id)
        return one is not None and one.fence == claim.fence and one.result is None and not self._lapsed(one)

    def _spoken(self, job: Job) -> bool:
        said = (row for row in self._journal.read(after=job.row, run=job.run) if row.epoch is None)
        return any(
            row.kind in ABOUT_ALL or (row.kind in ABOUT_ONE and row.body.get("migration") == job.migration)
            for row in said
        )
