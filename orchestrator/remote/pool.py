"""Calls that run at the same time, on threads of the engine in this process (:mod:`~orchestrator.remote.in_process`).

A thread waits for one host. It never decides anything: what came back, or what was raised, is handed to
whoever asks :meth:`CallPool.next_finished`, in the order in which it finished.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

from orchestrator.model.call import Call, Ticket
from orchestrator.model.observation import Reply
from orchestrator.remote.in_process import InProcessEngine
from orchestrator.remote.traffic import Manners
from orchestrator.remote.transport import Leave, Transport

Token = TypeVar("Token", bound=Hashable)
_Finished: TypeAlias = "queue.SimpleQueue[tuple[Token, Reply | bool | Exception]]"


@dataclass(frozen=True)
class About:
    """What a call is for, so that somebody else than this process can carry it and give a write its leave.

    ``row``: the journal's last row when its intent was put on disk. ``leaves_within``: seconds from now after which a
    write may no longer leave.
    """

    migration: str = ""
    step: str = ""
    row: int = 0
    leaves_within: float = 0.0


NOTHING = About()

WORKERS = Manners().threads
ENDINGS = 32
CALLS, ENDS = "call", "end"
"""The two sites of a process: what hangs at its end must not keep the threads that calls need."""


@dataclass(frozen=True)
class _Job(Generic[Token]):
    token: Token
    work: Callable[[], Reply | bool]


class Pool(Protocol[Token]):
    """What the conductor needs of whatever carries its calls at the same time."""

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out."""

    @property
    def backlog(self) -> int:
        """How many calls were started that nothing in this process has taken up yet."""

    def start(
        self, token: Token, call: Call, ticket: Ticket, leave: Leave | None = None, about: About = NOTHING
    ) -> None:
        """Run a call; *token* comes back with its reply. *leave* is asked right before a write leaves."""

    def end_shell(self, token: Token, endpoint: str, shell: UUID, about: About = NOTHING) -> None:
        """Delete a shell on the far side; *token* comes back with whether that is certain."""

    def next_finished(self, timeout: float | None) -> tuple[Token, Reply | bool | Exception] | None:
        """Wait so many seconds for the next call to finish."""

    def close(self, timeout: float) -> bool:
        """Take no more calls."""


class Meeting(Pool[Token], Protocol[Token]):
    """A pool in which calls that somebody else carries are handed out beside its own."""

    def expect(self) -> None:
        """Count a call that somebody else carries, and hands in."""

    def hand_in(self, token: Token, result: Reply | bool | Exception) -> None:
        """Let what came of a call that was expected be handed out. From any thread."""


class _Board(Generic[Token]):
    """Calls that were started and that no thread has taken yet, under the words that are rung for them."""

    def __init__(self) -> None:
        self._posted: dict[tuple[str, str, str], deque[_Job[Token]]] = {}
        self._lock = threading.Lock()
        self.waiting = 0
        """How many of them there are."""

    def post(self, words: tuple[str, str, str], job: _Job[Token]) -> None:
        with self._lock:
            self._posted.setdefault(words, deque()).append(job)
            self.waiting += 1

    def claim(self, words: tuple[str, str, str]) -> _Job[Token] | None:
        with self._lock:
            posted = self._posted.get(words)
            if not posted:
                return None
            job = posted.popleft()
            self.waiting -= 1
            if not posted:
                del self._posted[words]
            return job


class CallPool(Generic[Token]):
    """Runs calls in this process: each is posted on a board, rung for, claimed by a thread and carried.

    How many calls there are at a time is for their transport to say, which gives the tickets; *workers* is what there
    are threads for. Ends of shells have threads of their own, *endings* of them: no ticket bounds those, and hosts that
    do not answer must not keep the threads that calls need. Its methods are for one thread, the conductor's.
    """

    def __init__(self, transport: Transport, workers: int = WORKERS, endings: int = ENDINGS) -> None:
        self._transport = transport
        self._finished: _Finished[Token] = queue.SimpleQueue()
        self._board: _Board[Token] = _Board()
        self._engine = InProcessEngine()
        self._engine.serve(CALLS, workers, self._carry)
        self._engine.serve(ENDS, endings, self._carry)
        self._in_flight = 0
        self._closed = False

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out by :meth:`next_finished`."""
        return self._in_flight

    @property
    def backlog(self) -> int:
        """How many calls, and ends of shells, no thread has taken up yet."""
        return self._board.waiting

    def start(
        self, token: Token, call: Call, ticket: Ticket, leave: Leave | None = None, about: About = NOTHING
    ) -> None:
        """Run a call; *token* comes back with its reply. *leave* is asked on the call's thread.

        Raises:
            RuntimeError: the pool is closed.
        """
        self._put(CALLS, about, _Job(token, partial(self._transport.run, call, ticket, leave)))

    def end_shell(self, token: Token, endpoint: str, shell: UUID, about: About = NOTHING) -> None:
        """Delete a shell on the far side; *token* comes back with whether that is certain.

        Raises:
            RuntimeError: the pool is closed.
        """
        self._put(ENDS, about, _Job(token, partial(self._transport.discard, endpoint, shell)))

    def _put(self, site: str, about: About, job: _Job[Token]) -> None:
        if self._closed:
            raise RuntimeError("the pool is closed")
        self._in_flight += 1
        self._board.post((site, about.migration, about.step), job)
        self._engine.ring(site, about.migration, about.step)

    def _carry(self, site: str, migration: str, step: str) -> None:
        """Hear a ring, on a thread of the engine's: claim one call, and hand in what came of it."""
        job = self._board.claim((site, migration, step))
        if job is None:
            return
        try:
            result: Reply | bool | Exception = job.work()
        except Exception as error:  # noqa: BLE001 - handed to whoever can act on it
            result = error
        self._finished.put((job.token, result))

    def expect(self) -> None:
        """Count a call that somebody else carries, and hands in."""
        self._in_flight += 1

    def hand_in(self, token: Token, result: Reply | bool | Exception) -> None:
        """Let what came of a call that was expected be handed out as if it had been carried here. From any thread."""
        self._finished.put((token, result))

    def next_finished(self, timeout: float | None) -> tuple[Token, Reply | bool | Exception] | None:
        """Wait for the next call to finish; None if none did in *timeout* seconds, or none is in flight.

        An exception in place of the reply is a refusal of the gate, or a defect; remote trouble is in replies.
        """
        if not self._in_flight:
            return None
        try:
            finished = self._finished.get(timeout=timeout)
        except queue.Empty:
            return None
        self._in_flight -= 1
        return finished

    def close(self, timeout: float) -> bool:
        """Take no more calls and wait for the threads; False if some still wait for their hosts."""
        self._closed = True
        return self._engine.leave(timeout)
