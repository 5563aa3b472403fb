"""A runner that stood still and wakes up: it sends nothing, writes nothing, and nothing was done twice meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

import tests.world
from orchestrator.conductor.fence import LEAVES_WITHIN, Fence, Intended
from orchestrator.journal import Entry, Journal, JournalUnusable, Lease, LeaseLost
from orchestrator.journal.memory import MemoryJournal
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Call, Read, Ticket
from orchestrator.model.event import VERSION, AttemptFinished, AttemptStarted, Event, Held, Released, to_body
from orchestrator.model.lifecycle import Phase
from orchestrator.model.observation import Fault, FaultKind, Outcome, Reply
from orchestrator.model.words import Amended
from orchestrator.rehearsal.process import Doing
from orchestrator.remote.transport import NOT_SENT, Leave
from tests.conductor.test_takeover import Shelled, small
from tests.conductor.test_weather import BATCH
from tests.world import Doom

WRITES = {
    "New-ADServiceAccount": 1,
    "Set-ADObject": 1,
    "Start-ADServiceAccountMigration": 1,
    "New-ItemProperty": 1,
    "Restart-Service": 2,
    "Complete-ADServiceAccountMigration": 1,
}
"""How often each arrives when nothing goes wrong."""
EVERY = 7
UNKNOWN_THERE = Reply(Outcome.FAILED, fault=Fault(FaultKind.TRANSIENT, "shell-gone", "the host does not know it"))
"""What a host says to a call in a shell that was deleted."""


class Frost(Doom):
    """Counts the moments at which a process may stand still; at one of them it does, for as long as *still* takes."""

    def __init__(self, at: int = 0, still: Any = lambda: None) -> None:
        super().__init__(at)
        self._still = still

    def moment(self, doing: Doing = "append") -> None:
        del doing
        self.passed += 1
        if self.passed == self.at:
            self._still()


class FreezingJournal:
    """A handle in a process that may stand still before or after each append."""

    def __init__(self, inner: MemoryJournal, frost: Frost) -> None:
        self._inner, self._frost = inner, frost

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        self._frost.moment("write")
        head = self._inner.append(entries, expected=expected, lease=lease)
        self._frost.moment("write")
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class FreezingTransport:
    """A transport in a process that may stand still before each write, after the fence let it pass, and after it."""

    world: Shelled

    def __init__(self, inner: MemoryTransport, frost: Frost, _shells: object) -> None:
        self._inner, self._frost = inner, frost

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        if isinstance(call, Read):
            return self._sent(call, ticket)
        self._frost.moment("write")
        assert leave is not None, "a write travels under the fence"
        refused = leave()
        self._frost.moment("write")
        reply = self._sent(call, ticket) if refused is None else self._inner.run(call, ticket, lambda: refused)
        self._frost.moment("write")
        return reply

    def _sent(self, call: Call, ticket: Ticket) -> Reply:
        return UNKNOWN_THERE if ("gone", "", ticket.shell) in self.world.log else self._inner.run(call, ticket)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.fixture
def freezing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a world whose processes may stand still."""

    def make() -> Shelled:
        world = small()
        monkeypatch.setattr(FreezingTransport, "world", world, raising=False)
        return world

    monkeypatch.setattr(tests.world, "MortalJournal", FreezingJournal)
    monkeypatch.setattr(tests.world, "MortalTransport", FreezingTransport)
    return make


def count(world: Shelled) -> dict[str, int]:
    return {name: len(world.arrived(name)) for name in WRITES}


def moments_of(world: Shelled) -> int:
    frost = Frost()
    world.run(doom=frost)
    assert count(world) == WRITES
    return frost.passed


def freeze_and_be_replaced(world: Shelled, at: int) -> BaseException | None:
    """Let a runner stand still at a moment, another take over and finish, and the first wake up; how did it end?"""
    stands, goes_on = threading.Event(), threading.Event()
    ended: list[BaseException | None] = []

    def still() -> None:
        stands.set()
        assert goes_on.wait(120)

    def first() -> None:
        try:
            world.run(doom=Frost(at, still))
            ended.append(None)
        except BaseException as lost:  # noqa: BLE001 - judged by the caller
            ended.append(lost)
        finally:
            stands.set()

    thread = threading.Thread(target=first)
    thread.start()
    try:
        assert stands.wait(120)
        world.journal._store.alive = None  # as if its process had ended
        world.run(doom=Frost())
    finally:
        goes_on.set()
        thread.join(120)
    return ended[0]


def test_a_runner_that_was_frozen_sends_nothing_more_once_it_was_replaced(freezing):
    moments = moments_of(freezing())
    for at in range(1, moments + 1, EVERY):
        world = freezing()
        ended = freeze_and_be_replaced(world, at)
        assert world.phases() == {BATCH: Phase.COMPLETED}, f"moment {at}"
        assert count(world) == WRITES, f"moment {at}"
        # At the last moments everything was written down already, and there was nothing to lose.
        assert isinstance(ended, LeaseLost) or at > moments - 4, f"moment {at}"


def test_a_write_that_could_not_leave_in_time_is_not_sent_and_decided_anew(freezing):
    """The lease is still its own: a laptop slept, and nobody took over."""
    moments, not_sent = moments_of(freezing()), 0
    for at in range(1, moments + 1, EVERY):
        world = freezing()

        def sleeps(world: Shelled = world) -> None:
            world.seconds += 8 * 3600

        world.run(doom=Frost(at, sleeps))
        assert world.phases() == {BATCH: Phase.COMPLETED}, f"moment {at}"
        assert count(world) == WRITES, f"moment {at}"
        late = [one for one in world.events() if isinstance(one, AttemptFinished) and one.fault]
        assert all((one.outcome, one.fault.code) == (Outcome.FAILED, NOT_SENT) for one in late if one.fault)
        intents = sum(isinstance(event, AttemptStarted) for event in world.events())
        assert intents == sum(WRITES.values()) + 2 + len(late)  # and New-Item, for two levels of the key
        not_sent += len(late)
    assert not_sent > 0


class TestFence:
    """What is asked, right before a write leaves."""

    @staticmethod
    def fence(journal: Journal, lease: Lease) -> tuple[Fence, list[float]]:
        seconds = [100.0]
        return Fence("r", journal, lease, lambda: seconds[0]), seconds

    def test_a_write_leaves_while_it_is_ours_and_fresh(self):
        journal = MemoryJournal()
        fence, seconds = self.fence(journal, journal.acquire("ann"))
        leave = fence.leave("dc01", "a", Intended(fence.now(), journal.head()))
        seconds[0] += LEAVES_WITHIN
        assert leave() is None
        seconds[0] += 1
        fault = leave()
        assert fault is not None
        assert (fault.kind, fault.code) == (FaultKind.TRANSIENT, NOT_SENT)
        said = "dc01: the write was not sent, for 11 s have passed since it was decided; it is decided anew"
        assert fault.message == said

    def test_it_does_not_once_somebody_else_drives_or_nobody(self):
        journal = MemoryJournal()
        lease = journal.acquire("ann")
        fence, _ = self.fence(journal, lease)
        leave = fence.leave("dc01", "a", Intended(fence.now(), journal.head()))
        journal.release(lease)
        assert leave() is not None
        other = journal.another()
        other.acquire("ann")
        assert leave() is not None

    def test_it_does_not_where_that_cannot_be_seen(self, monkeypatch):
        journal = MemoryJournal()
        fence, _ = self.fence(journal, journal.acquire("ann"))

        def broken() -> Lease | None:
            raise JournalUnusable("j.db", "the disk failed", "mend it")

        monkeypatch.setattr(journal, "holder", broken)
        fault = fence.leave("dc01", "a", Intended(fence.now(), journal.head()))()
        assert fault is not None
        assert "cannot be seen whether this run still holds the journal" in fault.message

    def test_it_does_not_once_somebody_has_spoken_about_its_migration(self):
        journal = MemoryJournal()
        lease = journal.acquire("ann")
        fence, _ = self.fence(journal, lease)

        def said(word: Event, run: str = "r", by: Lease | None = None) -> None:
            entry = Entry(run, None, word.kind, VERSION, to_body(word))
            journal.append([entry], expected=journal.head(), lease=by)

        words = {"reason": "operator", "detail": "wait", "release": "`dmsa release`"}
        intended = Intended(fence.now(), journal.head())
        leave = fence.leave("dc01", "a", intended)
        said(Held(migration="b", **words))
        said(Held(migration="a", **words), run="another plan")
        said(Held(migration="a", **words), by=lease)  # the runner's own, and heard by itself
        said(Released(migration="a", by="ann", reason="over"))
        assert leave() is None
        said(Held(migration="a", **words))
        fault = leave()
        assert fault is not None
        assert "an operator has spoken since it was decided" in fault.message
        assert fence.leave("dc01", "a", Intended(fence.now(), journal.head()))() is None
        said(Amended(digest="0" * 64, plan={}, by="ann", reason="more hosts"))
        assert fence.leave("dc01", "c", intended)() is not None
