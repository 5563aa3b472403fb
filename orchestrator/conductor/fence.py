"""The fence before the wire: a write leaves only while it is ours to send, and soon after its intent.

A runner may stand still at any moment and for any time (SIGSTOP, a lid that closes, a virtual machine that is moved),
and another may take over meanwhile. These are the orders in which each of them does things:

- the runner: (1) the intent is on disk and names a shell, (2) the shell is open on the host, (3) the fence is asked,
  (4) the write leaves, in that shell and in no other;
- its successor: (a) takes the lease, (b) deletes the shell and has that acknowledged, (c) waits out ``policy.settle``,
  (d) looks, and only then repeats anything.

If (a) came before (3), the lease is no longer ours and nothing leaves. If (3) came before (a), the shell was open
before (b), so (b) ended it: a write that leaves later finds no shell and is refused by the host; one that left earlier
has had the settling time, and (d) sees what it did. So no write lands after its successor has looked, wherever the
runner was frozen.

Where the lease has a time (a journal in a database), (a) is possible without the runner's doing: its time is over. The
order of things is the same, for (a), (3) and every renewal go through one row of the store, one after the other, and
only the store's clock is asked. *Frozen*: whoever wakes after (a) finds another lease at (3); who wakes before it, but
after the time was over, finds none, sends nothing, and may renew it. *Cut off from the store*: (3) cannot be asked, and
nothing leaves; an answer that comes late is a runner that freezes between (3) and (4). *A clock of the store that
jumps*, by itself or because another server took over, ends a lease too early or too late: the first is a runner that is
replaced while it lives, which (b) to (d) are for, and the second delays the successor. How long a lease counts decides
when somebody takes over, never what may be sent.

The lease proves that only as long as both look at the same journal. Where the successor works on a copy (a journal that
was restored elsewhere), the age of the intent stands in: the copy holds (1), so (d) is later than (1) by ``settle`` at
least, which is longer than :data:`LEAVES_WITHIN`; a write that leaves in time lands before the look. What stays open is
a runner that freezes between (3) and (4), in a shell opened after (b), beside a successor on a copy. A plan may set
``settle`` lower than that age on a lab or for a drill alone.

An operator may speak between (1) and (3) as well: then too the write is decided anew (:mod:`.spoken`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.clock import lasting
from orchestrator.conductor.spoken import Spoken
from orchestrator.errors import OrchestratorError
from orchestrator.journal import Journal, Lease
from orchestrator.model.observation import Fault
from orchestrator.remote.pool import About
from orchestrator.remote.transport import Leave, not_sent

LEAVES_WITHIN = 10.0
"""Seconds within which a write must leave, counted from before its intent was put on disk."""


@dataclass(frozen=True)
class Intended:
    """When intents went to disk: after that second, up to that row of the journal."""

    since: float
    row: int


class Fence:
    """Gives writes their leave, on the threads that carry them."""

    def __init__(self, run: str, journal: Journal, lease: Lease, seconds: Callable[[], float] = lasting) -> None:
        self._journal, self._lease, self._seconds = journal, lease, seconds
        self._spoken = Spoken(run, journal)

    def now(self) -> float:
        """Return the seconds that :meth:`leave` counts from."""
        return self._seconds()

    def about(self, migration: str, step: str, intended: Intended) -> About:
        """Return what a call is for, with what gives it its leave where another process carries it."""
        return About(migration, step, intended.row, LEAVES_WITHIN - (self._seconds() - intended.since))

    def leave(self, endpoint: str, migration: str, intended: Intended) -> Leave:
        """Return what is asked right before a write of a migration to *endpoint* leaves."""
        return lambda: self._against(endpoint, migration, intended)

    def _against(self, endpoint: str, migration: str, intended: Intended) -> Fault | None:
        try:
            holder = self._journal.holder()
            spoken = self._spoken.after(intended.row, migration)
        except OrchestratorError as error:
            return not_sent(endpoint, f"it cannot be seen whether this run still holds the journal ({error})")
        if holder != self._lease:
            return not_sent(endpoint, "this run no longer holds the journal")
        if spoken:
            return not_sent(endpoint, "an operator has spoken since it was decided; it is decided anew")
        late = self._seconds() - intended.since
        if late > LEAVES_WITHIN:
            return not_sent(endpoint, f"{late:.0f} s have passed since it was decided; it is decided anew")
        return None
