"""The pool of a runner that drives several sites: the directory is called here, all else is posted and rung for.

Its methods are for one thread, the conductor's, but for :meth:`PostingPool.look`, which whoever looks after the board
calls now and then (:mod:`.pump`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID, uuid4

from orchestrator.cluster.abroad import Abroad
from orchestrator.cluster.came import came, ended, unserved
from orchestrator.journal import JournalUnusable, Lease
from orchestrator.journal.jobs import Back, Job, Jobs
from orchestrator.model.call import Call, Read, Ticket
from orchestrator.model.observation import Reply
from orchestrator.model.parcel import Carry, End, packed
from orchestrator.model.sites import DIRECTORY
from orchestrator.remote.engine import Engine
from orchestrator.remote.pool import NOTHING, About, Meeting
from orchestrator.remote.transport import Leave

TAKEN_WITHIN = 10.0
"""Seconds after which a call that no runner has taken is withdrawn; for a write, never later than it may leave."""
GIVEN_UP_AFTER = 1800.0
"""Seconds after which a call counts as lost although nobody says so: its job may have gone with the board. Twice what
the longest call may take; a write that has not left by then never will."""
RINGS_AGAIN = 1.0
"""Seconds after which a ring that nobody has heard is rung again."""


@dataclass(frozen=True)
class Board:
    """What calls of *run* are posted on, under which lease, and what rings for them."""

    run: str
    jobs: Jobs
    lease: Lease
    engine: Engine


@dataclass(frozen=True)
class _Posted:
    """A job that is under way. ``token`` None: nobody waits for it. ``what``: a call with its ticket, or a shell."""

    job: Job
    token: int | None
    what: Carry | End
    since: float


class PostingPool:
    """A :class:`~orchestrator.remote.pool.Pool` over several sites.

    Args:
        home: carries what is the directory's; all results come out of it.
        abroad: the transport that issued the tickets.
        board: where jobs are posted.
        seconds: seconds from anywhere.
        ids: makes the ids of jobs.
    """

    def __init__(
        self,
        home: Meeting[int],
        abroad: Abroad,
        board: Board,
        seconds: Callable[[], float] = time.monotonic,
        ids: Callable[[], UUID] = uuid4,
    ) -> None:
        self._home, self._abroad, self._board = home, abroad, board
        self._seconds, self._ids = seconds, ids
        self._lock = threading.Lock()
        self._under_way: dict[UUID, _Posted] = {}
        self._outgoing: list[Job] = []
        self._quiet: list[Job] = []
        """Ends of shells that nobody waits for."""
        self._broken: Exception | None = None
        self._closed = False

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out."""
        return self._home.in_flight

    @property
    def backlog(self) -> int:
        """How many calls wait here, where the directory's are carried; sites have no room in common."""
        return self._home.backlog

    def start(self, token: int, call: Call, ticket: Ticket, leave: Leave | None = None, about: About = NOTHING) -> None:
        """Run a call, here or by a runner of its site, which asks the board itself whether a write may leave.

        Raises:
            RuntimeError: the pool is closed.
        """
        if self._abroad.sites.of(call.endpoint) == DIRECTORY:
            self._home.start(token, call, ticket, leave, about)
        else:
            self._expect("read" if isinstance(call, Read) else "write", token, Carry(call, ticket), about)

    def end_shell(self, token: int, endpoint: str, shell: UUID, about: About = NOTHING) -> None:
        """Delete a shell on the far side, here or by a runner of its site.

        Raises:
            RuntimeError: the pool is closed.
        """
        if self._abroad.sites.of(endpoint) == DIRECTORY:
            self._home.end_shell(token, endpoint, shell, about)
        else:
            self._expect("end", token, End(endpoint, shell), about)

    def _expect(self, kind: Literal["read", "write", "end"], token: int, what: Carry | End, about: About) -> None:
        if self._closed:
            raise RuntimeError("the pool is closed")
        self._home.expect()
        with self._lock:
            self._outgoing.append(self._begin(kind, token, what, about))

    def _begin(self, kind: Literal["read", "write", "end"], token: int | None, what: Carry | End, about: About) -> Job:
        endpoint = what.call.endpoint if isinstance(what, Carry) else what.endpoint
        job = Job(
            id=self._ids(),
            run=self._board.run,
            site=self._abroad.sites.of(endpoint),
            migration=about.migration,
            step=about.step,
            kind=kind,
            call=packed(what),
            row=about.row,
            leaves_within=about.leaves_within,
        )
        self._under_way[job.id] = _Posted(job, token, what, self._seconds())
        return job

    def next_finished(self, timeout: float | None) -> tuple[int, Reply | bool | Exception] | None:
        """Post what was started, all at once, and wait so many seconds for the next call to finish.

        Raises:
            LeaseLost: the lease is no longer held; nothing was posted.
            JournalUnusable: the board cannot be used now.
        """
        if self._broken is not None:
            raise self._broken
        self._post()
        return self._home.next_finished(timeout)

    def _post(self) -> None:
        with self._lock:
            outgoing, self._outgoing = self._outgoing, []
        if outgoing:
            self._board.jobs.post(outgoing, self._board.lease)
            for job in outgoing:
                self._board.engine.ring(job.site, job.migration, job.step)

    # For whoever looks after the board, on any thread.

    def look(self) -> None:
        """Hand out what has come back, withdraw what nobody has taken in time, and ring again for the rest.

        Raises:
            JournalUnusable: the board cannot be used now.
        """
        jobs, lease = self._board.jobs, self._board.lease
        for back in jobs.take_back(lease):
            self._take_in(back)
        self._clear()
        self._post_quiet()
        for site, migration, step in jobs.unheard(lease, RINGS_AGAIN):
            self._board.engine.ring(site, migration, step)

    def broke(self, error: Exception) -> None:
        """Let the conductor end with what ended the looking after."""
        self._broken = error

    def _take_in(self, back: Back) -> None:
        with self._lock:
            posted = self._under_way.pop(back.job.id, None)
        if posted is None:
            return
        if isinstance(posted.what, End):
            gone = ended(back.result)
            if gone:
                self._abroad.is_gone(posted.what.endpoint, posted.what.shell)
            self._hand_in(posted, gone)
            return
        call, ticket = posted.what.call, posted.what.ticket
        found = came(call, back.job.site, back.result)
        reply = found.result
        self._abroad.landed(ticket, reply if not isinstance(reply, Exception) else None, gone=found.gone)
        if not found.gone and isinstance(call, Read):
            self._end_quietly(ticket, back.job)
        self._hand_in(posted, reply)

    def _end_quietly(self, ticket: Ticket, job: Job) -> None:
        """Have a read's shell deleted that may still be open; in vain is good enough."""
        about = About(job.migration, job.step, job.row)
        with self._lock:
            self._quiet.append(self._begin("end", None, End(ticket.endpoint, ticket.shell), about))

    def _post_quiet(self) -> None:
        with self._lock:
            quiet, self._quiet = self._quiet, []
        if quiet:
            self._board.jobs.post(quiet, self._board.lease)
            for job in quiet:
                self._board.engine.ring(job.site, job.migration, job.step)

    def _clear(self) -> None:
        """Withdraw what nobody has taken in time, and give up what nobody will ever hand in."""
        at = self._seconds()
        with self._lock:
            overdue = {id_: one for id_, one in self._under_way.items() if at - one.since >= _patience(one.job)}
        withdrawn = self._board.jobs.withdraw(list(overdue), self._board.lease) if overdue else set()
        for id_, one in overdue.items():
            if id_ not in withdrawn and at - one.since >= GIVEN_UP_AFTER:
                self._take_in(Back(one.job, None))
        for id_ in withdrawn:
            with self._lock:
                posted = self._under_way.pop(id_)
            if isinstance(posted.what, End):
                self._hand_in(posted, False)
            else:
                call, ticket = posted.what.call, posted.what.ticket
                self._abroad.landed(ticket, None, gone=True)
                self._hand_in(posted, unserved(call, posted.job.site, _patience(posted.job)))

    def _hand_in(self, posted: _Posted, result: Reply | bool | Exception) -> None:
        if posted.token is not None:
            self._home.hand_in(posted.token, result)

    def close(self, timeout: float) -> bool:
        """Take no more calls, and withdraw those that nobody has taken; False if some are still under way."""
        self._closed = True
        with self._lock:
            left = list(self._under_way)
        if left:
            with contextlib.suppress(JournalUnusable):
                self._board.jobs.withdraw(left, self._board.lease)
        return self._home.close(timeout) and not left


def _patience(job: Job) -> float:
    return min(TAKEN_WITHIN, job.leaves_within) if job.kind == "write" else TAKEN_WITHIN
