"""The sessions with one endpoint: how many there may be, and who gets which.

How many. A shell is a process on the host, and it counts against quotas that the account shares with every other tool
that uses it there. By default an account may have 30 shells on a host (Microsoft Learn, "Quota Management for Remote
Shells"), and 5 where WinRM 2.0 is still configured as it came (MS-WSMV 2.2.4.23, MaxShellsPerUser; PowerShell Team,
"Configuring WSMAN Limits"). :data:`SESSIONS` stays below both, with one to spare for a person. Ten users may have
shells on a host, and all of ours are one of them. A shell carries one pipeline at a time, which is one process of
MaxProcessesPerShell and one operation of MaxConcurrentOperationsPerUser, of 25 and 1,500; of pipelines that have ended
it keeps fewer than MaxConcurrentCommandsPerShell (see :mod:`~orchestrator.remote.session`).

Fewer, where that is too much. An endpoint that says that a quota is spent gets half as many sessions, and one more for
each :data:`GROWS_AFTER` seconds in which it did not say so again. What is idle beyond that is deleted: others need it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from orchestrator.model.call import Ticket
from orchestrator.remote.session import Session

SESSIONS = 4
"""The most that the runner keeps open with one endpoint."""
CROWDED_FOR = 2.0
"""Seconds for which calls must have found every session of an endpoint lent before it gets one more."""
ASKS_AGAIN = 0.5
"""Seconds within which a call that found none asks again; where none does, the crowd has gone."""
GROWS_AFTER = 60.0
"""Seconds after which an endpoint that had no room may get one session more."""


@dataclass
class Lent:
    """A session that was announced to a caller, and carries his call."""

    session: Session
    ticket: Ticket
    running: bool = False


@dataclass
class Endpoint:
    """The sessions with one endpoint; ``most`` of them at the best of times."""

    most: int = SESSIONS
    idle: list[Session] = field(default_factory=list)
    lent: dict[UUID, Lent] = field(default_factory=dict)
    crowded: tuple[float, float] | None = None
    """Since when, and when last, a call found no session."""
    fewer: tuple[int, float] | None = None
    """How many there may be since it had no room, and when that number last changed."""

    def session(self, at: float, crowded_for: float, make: Callable[[], Session]) -> Session | None:
        """Return a session for a call, one with a connection if there is one; None while there is none for it."""
        warm = next((session for session in reversed(self.idle) if session.warm), None)
        if warm is not None:
            self.idle.remove(warm)
            return warm
        if not self._may_open(at, crowded_for):
            return None
        return self.idle.pop() if self.idle else make()

    def allowed(self, at: float) -> int:
        """Return how many sessions it may have."""
        if self.fewer is None:
            return self.most
        number, since = self.fewer
        grown = int((at - since) // GROWS_AFTER)
        if grown:
            number += grown
            self.fewer = None if number >= self.most else (number, since + grown * GROWS_AFTER)
        return min(number, self.most)

    def has_no_room(self, at: float) -> None:
        """Take in that it said so."""
        self.fewer = (max(1, self.allowed(at) // 2), at)

    def surplus(self, at: float) -> list[Session]:
        """Return idle sessions that are more than it may have; who gets them closes them."""
        found = []
        for session in [each for each in self.idle if each.opened]:
            if sum(each.opened for each in self.idle) + len(self.lent) > self.allowed(at):
                self.idle.remove(session)
                found.append(session)
        return found

    def _may_open(self, at: float, crowded_for: float) -> bool:
        """Whether another session may be opened now, for a call that found none idle."""
        if not self.lent:
            return True
        since, last = self.crowded or (at, at)
        since = since if at - last <= ASKS_AGAIN else at
        opens = len(self.lent) < self.allowed(at) and at - since >= crowded_for
        self.crowded = None if opens else (since, at)
        return opens
