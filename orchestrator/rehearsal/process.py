"""One runner process in a rehearsal: it lives until a moment at which it dies, and everything it does has such moments.

Moments are before and after each append and each remote call. Somebody is told of each, and may let the process die,
or do something else meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias
from uuid import UUID

from orchestrator.journal import Entry, Lease
from orchestrator.journal.memory import MemoryJournal
from orchestrator.lab.command import Request
from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.memory import CALL_TAKES, MemoryTransport
from orchestrator.model.call import Call, Read, Ticket
from orchestrator.model.observation import Fault, FaultKind, Outcome, Reply
from orchestrator.remote.transport import Leave

Doing: TypeAlias = Literal["append", "read", "write", "end-shell"]


class Crash(BaseException):
    """The process is gone: nothing after it runs, except what Python cannot help."""


class Life(Protocol):
    """What may befall a process: told of each moment, it raises :class:`Crash` where the process dies."""

    def moment(self, doing: Doing) -> None:
        """Let a moment pass before or after something is done."""


class Immortal:
    """A life in which nothing happens."""

    def moment(self, doing: Doing) -> None:
        """Let the moment pass."""


class Shells:
    """The shells that were deleted on the far side; ``told`` hears of each."""

    def __init__(self, told: Callable[[UUID], None]) -> None:
        self.gone: set[UUID] = set()
        self._told = told

    def end(self, shell: UUID) -> None:
        """Delete one."""
        self.gone.add(shell)
        self._told(shell)


class MortalJournal:
    """A handle on the journal in a process that may die before or after each append.

    ``appended`` is told what reached the disk, and under which lease, before anything else happens.
    """

    def __init__(
        self,
        inner: MemoryJournal,
        life: Life,
        appended: Callable[[Sequence[Entry], Lease | None], None] = lambda _entries, _lease: None,
    ) -> None:
        self._inner, self._life, self._appended = inner, life, appended

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        """Append, if the process lives that long."""
        self._life.moment("append")
        head = self._inner.append(entries, expected=expected, lease=lease)
        self._appended(entries, lease)
        self._life.moment("append")
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class MortalTransport:
    """A transport in a process that may die before or after each call.

    ``shells`` knows those that were deleted on the far side, by whichever process: they carry nothing any more.
    """

    def __init__(self, inner: MemoryTransport, life: Life, shells: Shells) -> None:
        self._inner, self._life, self._shells = inner, life, shells

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Carry a call out, if the process lives that long and the far side still knows the shell."""
        doing: Doing = "read" if isinstance(call, Read) else "write"
        self._life.moment(doing)
        reply = self.carry(call, ticket, leave)
        self._life.moment(doing)
        return reply

    def carry(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        """Let a call reach the far side, whatever became of the process that sent it."""
        if ticket.shell in self._shells.gone:
            self._inner.discard(ticket.endpoint, ticket.shell)
            return Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "shell-gone", "the shell was deleted"))
        return self._inner.run(call, ticket, leave)

    def read_clock(self, estate: Estate, request: Request) -> datetime | None:
        """Read the estate's time as a call would, without carrying one: most of what a rehearsal reads is the time."""
        self._life.moment("read")
        estate.advance(CALL_TAKES)
        read = None
        if estate.listens(request.host):
            estate.arrive(request)
            read = estate.now
        self._life.moment("read")
        return read

    def discard(self, endpoint: str, shell: UUID) -> bool:
        """Delete a shell; what a ticket that was never used stood for is only forgotten."""
        self._life.moment("end-shell")
        ended = self._inner.discard(endpoint, shell)
        if ended:
            self._shells.end(shell)
        self._life.moment("end-shell")
        return ended

    def close(self) -> None:
        """Delete the shells that nothing runs in, if the process lives that long."""
        self._life.moment("end-shell")
        self._inner.close()
        self._life.moment("end-shell")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
