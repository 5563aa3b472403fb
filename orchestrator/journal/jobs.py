"""The board: calls that the runner that drives has posted for the runners of other sites, and what came of them.

Only in a cluster is it needed. Beside the rows, for nothing on it is history: intents and outcomes are rows, written by
the runner that drives, under its lease, before a job is posted and after it has come back. A job that is lost with the
board is an attempt whose outcome is unknown, and is settled by looking.

*Claim.* Whoever hears a ring claims what is posted for (site, migration, step); one of many gets it, for a time, under
a number (the fence) that grows with each claim. While he works he renews. *Leave.* Before a write leaves he asks
whether he still may: the claim is his, the lease under which it was posted is held, and nobody has spoken about the
migration since. *Commit.* What came back counts only if the claim is his. A read whose claim has lapsed comes back
as lapsed; so does a write, and neither is ever given to a second runner: the one who drives decides what follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from orchestrator.journal.protocol import Lease


@dataclass(frozen=True)
class Job:
    """A call for a runner of *site*. ``call`` is JSON text, which the board keeps and does not read.

    ``row``: the journal's last row when the call's intent was put on disk. ``leaves_within``: seconds from its posting
    after which a write may no longer leave.
    """

    id: UUID
    run: str
    site: str
    migration: str
    step: str
    kind: Literal["read", "write", "end"]
    call: str
    row: int
    leaves_within: float


@dataclass(frozen=True)
class Claim:
    """The right to do a job: *runner* has it under the number *fence*, until he is silent for the board's patience."""

    job: Job
    runner: str
    fence: int


@dataclass(frozen=True)
class Back:
    """A job that has come back. ``result``: JSON text; None where its claim lapsed, so that nothing is known."""

    job: Job
    result: str | None


@dataclass(frozen=True)
class Present:
    """A runner of a site, as it last showed itself (the store's clock)."""

    site: str
    runner: str
    version: str
    since: datetime
    seen: datetime


PATIENCE = 15.0
"""Seconds for which a claim counts unless it is renewed."""
PRESENT_FOR = 120.0
"""Seconds for which a runner counts as present after it showed itself."""
LAPSED, NOT_HELD = "the claim to it has lapsed", "the run that posted it no longer holds the journal"
SPOKEN, LATE = (
    "an operator has spoken since it was decided; it is decided anew",
    "too long has passed since it was decided; it is decided anew",
)
"""Why a write may not leave."""


class Jobs(Protocol):
    """The contract; ``tests/journal/test_jobs.py`` is its test. Every method may be called from any thread.

    Raises:
        JournalUnusable: from each of them, where the store cannot be used now.
    """

    @property
    def patience(self) -> float:
        """Seconds for which a claim counts unless it is renewed."""
        ...

    # For the runner that drives.

    def post(self, jobs: Sequence[Job], lease: Lease) -> None:
        """Post jobs under a lease.

        Raises:
            LeaseLost: it is no longer held; nothing was posted.
        """
        ...

    def take_back(self, lease: Lease) -> list[Back]:
        """Take down what is done or has lapsed, of this lease; drop what was posted under older ones."""
        ...

    def unheard(self, lease: Lease, older_than: float) -> list[tuple[str, str, str]]:
        """Return (site, migration, step) of jobs that nobody has claimed for so many seconds since they were posted or
        returned here last: they are to be rung again."""
        ...

    def withdraw(self, ids: Sequence[UUID], lease: Lease) -> set[UUID]:
        """Take down jobs that nobody has claimed; return which those were."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait until a job may have come back, so many seconds at most."""
        ...

    # For the runners of a site.

    def claim(self, run: str, site: str, migration: str, step: str, runner: str, most: int = 1) -> list[Claim]:
        """Claim what *run* has posted for these three and is not claimed, in the order in which it was posted, so much
        at most.

        What was posted under a lease that is no longer held is nobody's.
        """
        ...

    def renew(self, claims: Sequence[Claim]) -> list[Claim]:
        """Return those of them that still count, and let them count on."""
        ...

    def may_leave(self, claim: Claim) -> str | None:
        """Ask right before a write leaves: None, or why it may not (a clause that follows "for")."""
        ...

    def commit(self, claim: Claim, result: str) -> bool:
        """Hand in what came of a job; False where the claim no longer counts, and nothing was kept."""
        ...

    def show(self, site: str, runner: str, version: str) -> None:
        """Say that a runner of a site is there."""
        ...

    # For whoever looks.

    def present(self) -> list[Present]:
        """Return the runners that showed themselves within the last minutes."""
        ...

    def oldest(self) -> dict[str, datetime]:
        """Return, for each site with jobs that nobody has claimed, when the oldest was posted."""
        ...
