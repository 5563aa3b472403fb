"""Calls that run at the same time: the only place where there are threads, but for :mod:`~orchestrator.remote.errands`.

A thread here waits for one host. It never decides anything: what came back, or what was raised, is handed to
whoever asks :meth:`CallPool.next_finished`, in the order in which it finished.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar
from uuid import UUID

from orchestrator.model.call import Call, Ticket
from orchestrator.model.observation import Reply
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


@dataclass(frozen=True)
class _Job(Generic[Token]):
    token: Token
    work: Callable[[], Reply | bool]


class Pool(Protocol[Token]):
    """What the conductor needs of whatever carries its calls at the same time."""

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out."""

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


class _Lane(Generic[Token]):
    """Threads for jobs of one sort, as many as there are jobs, but no more than *most*."""

    def __init__(self, name: str, most: int, finished: _Finished[Token]) -> None:
        self._name, self._most, self._finished = name, most, finished
        self.threads: list[threading.Thread] = []
        self._jobs: queue.SimpleQueue[_Job[Token] | None] = queue.SimpleQueue()
        self._open, self._lock = 0, threading.Lock()

    def put(self, job: _Job[Token]) -> None:
        """Let a job be done as soon as a thread is free."""
        with self._lock:
            self._open += 1
            needed = len(self.threads) < min(self._most, self._open)
        if needed:
            name = f"{self._name}-{len(self.threads)}"
            self.threads.append(threading.Thread(target=self._work, name=name, daemon=True))
            self.threads[-1].start()
        self._jobs.put(job)

    def close(self) -> None:
        """Let each thread end after what it does now."""
        for _ in self.threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                result: Reply | bool | Exception = job.work()
            except Exception as error:  # noqa: BLE001 - handed to whoever can act on it
                result = error
            with self._lock:
                self._open -= 1
            self._finished.put((job.token, result))


class CallPool(Generic[Token]):
    """Runs calls on daemon threads, so that a host that hangs cannot keep the program from ending.

    How many calls there are at a time is for their transport to say, which gives the tickets; *workers* is what there
    are threads for. Ends of shells have threads of their own, *endings* of them: no ticket bounds those, and hosts that
    do not answer must not keep the threads that calls need. Its methods are for one thread, the conductor's.
    """

    def __init__(self, transport: Transport, workers: int = WORKERS, endings: int = ENDINGS) -> None:
        self._transport = transport
        self._finished: _Finished[Token] = queue.SimpleQueue()
        self._calls = _Lane("call", workers, self._finished)
        self._ends = _Lane("end", endings, self._finished)
        self._in_flight = 0
        self._closed = False

    @property
    def in_flight(self) -> int:
        """How many calls were started and not yet handed out by :meth:`next_finished`."""
        return self._in_flight

    def start(
        self, token: Token, call: Call, ticket: Ticket, leave: Leave | None = None, _about: About = NOTHING
    ) -> None:
        """Run a call; *token* comes back with its reply. *leave* is asked on the call's thread.

        Raises:
            RuntimeError: the pool is closed.
        """
        self._put(self._calls, token, partial(self._transport.run, call, ticket, leave))

    def end_shell(self, token: Token, endpoint: str, shell: UUID, _about: About = NOTHING) -> None:
        """Delete a shell on the far side; *token* comes back with whether that is certain.

        Raises:
            RuntimeError: the pool is closed.
        """
        self._put(self._ends, token, partial(self._transport.discard, endpoint, shell))

    def _put(self, lane: _Lane[Token], token: Token, work: Callable[[], Reply | bool]) -> None:
        if self._closed:
            raise RuntimeError("the pool is closed")
        self._in_flight += 1
        lane.put(_Job(token, work))

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
        self._calls.close()
        self._ends.close()
        threads = [*self._calls.threads, *self._ends.threads]
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)
