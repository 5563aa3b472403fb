"""A world of several sites in one process: the lab, a board in memory, hands that die or stand still, an engine that
loses, delays, triples and reorders what it is told. One seed decides everything.

A hand's work runs on a thread of its own, for it must be able to stand still in the middle of it; never do two of them
run at the same time, so that nothing is left to chance.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from orchestrator.cluster.abroad import Abroad
from orchestrator.cluster.claims import Claims
from orchestrator.cluster.hand import Hand
from orchestrator.cluster.posting import Board, PostingPool
from orchestrator.journal import Lease
from orchestrator.journal.jobs import Claim
from orchestrator.journal.memory_jobs import MemoryJobs
from orchestrator.lab.command import Request, Result
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Call, Read, Ticket, Write
from orchestrator.model.estate import Site
from orchestrator.model.observation import Fault, FaultKind, Reply
from orchestrator.model.plan import Plan
from orchestrator.model.sites import DIRECTORY, Sites
from orchestrator.rehearsal.process import MortalTransport
from orchestrator.remote.inline import InlinePool
from orchestrator.remote.transport import Leave
from tests.conductor.test_takeover import Shelled
from tests.conductor.test_weather import SHORT, WAIVER
from tests.patience import PATIENCE
from tests.world import Crash

SITES = (Site(name="emea", match=("app01*", "app02*")), Site(name="amer", match=("*",)))
MOST_STEPS = 60_000


class Strand:
    """Work on a thread that runs only while somebody waits for it to end, or to stand still."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work, self._goes, self._rests = work, threading.Event(), threading.Event()
        self.ended, self.defect = False, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def advance(self) -> bool:
        """Let it run until it stands still or ends; say whether it has ended."""
        self._rests.clear()
        self._goes.set()
        assert self._rests.wait(PATIENCE)
        if self.defect is not None:
            raise self.defect
        return self.ended

    def stand_still(self) -> None:
        """Stand still, on the strand's own thread, until it is advanced."""
        self._goes.clear()
        self._rests.set()
        assert self._goes.wait(PATIENCE)

    def _run(self) -> None:
        assert self._goes.wait(PATIENCE)
        try:
            self._work()
        except Crash:
            pass  # the process is gone
        except BaseException as defect:  # noqa: BLE001 - raised where the strand is advanced
            self.defect = defect
        finally:
            self.ended = True
            self._rests.set()


class FrailTransport:
    """Carries a hand's calls; before and after each thing the hand may die or stand still. Judges what arrives."""

    def __init__(self, hand: FrailHand, inner: MemoryTransport) -> None:
        self._hand, self._inner = hand, inner

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        world = self._hand.world
        assert world.sites.of(call.endpoint) == self._hand.site, "a call at a wrong site"
        self._hand.moment()
        gone = ("gone", "", ticket.shell)
        world.log[:] = [one for one in world.log if one != gone]  # it is opened, be it anew

        def leaves() -> Fault | None:
            assert leave is not None
            refused = leave()
            self._hand.moment()
            if refused is None and gone in world.log:
                return Fault(FaultKind.TRANSIENT, "shell-gone", "the host does not know it")
            if refused is None:
                world.judge_write(ticket)
            return refused

        reply = self._inner.run(call, ticket, leaves if isinstance(call, Write) else None)
        self._hand.moment()
        return reply

    def discard(self, endpoint: str, shell: UUID) -> bool:
        assert self._hand.world.sites.of(endpoint) == self._hand.site, "the end of a shell at a wrong site"
        self._hand.moment()
        return self._inner.discard(endpoint, shell)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class FrailJobs:
    """The board as a hand has it, which may die or stand still before and after each question."""

    def __init__(self, hand: FrailHand, inner: MemoryJobs) -> None:
        self._hand, self._inner = hand, inner

    def claim(self, *words: str) -> list[Claim]:
        claims = self._inner.claim(*words)
        if claims:
            self._hand.moment()
        return claims

    def commit(self, claim: Claim, result: str) -> bool:
        self._hand.moment()
        return self._inner.commit(claim, result)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class FrailHand:
    """The process of a hand: one is started anew when it has died."""

    def __init__(self, world: SitesWorld, site: str, number: int) -> None:
        self.world, self.site, self.number = world, site, number
        self.strand: Strand | None = None
        self.still_until = 0.0
        self._begin()

    def _begin(self) -> None:
        world = self.world
        inner = MemoryTransport(world.estate, world.principal, ids=world._id, registered=world.rehearsed.registered)
        jobs: Any = FrailJobs(self, world.jobs)
        claims = Claims(jobs, lambda: world.store_seconds)
        transport: Any = FrailTransport(self, inner)
        runner = f"{self.site}-{self.number}"
        self.hand = Hand(
            world.plan.name, self.site, world.sites, jobs, transport, runner, claims, pause=lambda _seconds: None
        )

    def hears(self, ring: tuple[str, str, str]) -> None:
        """Hear a ring, and carry what there is until it is done, or the process dies or stands still."""
        self.strand = Strand(lambda: self.hand.handle(*ring))
        self._advance()

    def goes_on(self) -> None:
        """Go on where it stood still."""
        self._advance()

    def _advance(self) -> None:
        assert self.strand is not None
        ended = True
        try:
            ended = self.strand.advance()
        finally:
            if ended:
                self.strand = None

    def moment(self) -> None:
        """Let a moment pass, at which the process may die, or stand still for a while."""
        world, chance = self.world, self.world.random.random()
        if chance < world.dies:
            self._begin()
            raise Crash
        if chance < world.dies + world.freezes:
            self.still_until = world.store_seconds + world.random.uniform(1, 60)
            self._stand_still()
        elif world.others:
            self.still_until = 0.0
            self._stand_still()  # others have their turn

    def _stand_still(self) -> None:
        assert self.strand is not None
        self.strand.stand_still()


class LossyEngine:
    """Rings that are lost, tripled, and delivered late and in any order."""

    def __init__(self, world: SitesWorld) -> None:
        self._world = world
        self.rings: list[tuple[str, str, str]] = []

    def ring(self, site: str, migration: str, step: str) -> None:
        chance = self._world.random.random()
        times = 0 if chance < self._world.loses else 3 if chance < 0.5 else 1
        self.rings += [(site, migration, step)] * times

    def take(self) -> tuple[str, str, str]:
        return self.rings.pop(self._world.random.randrange(len(self.rings)))


class SitesPool(PostingPool):
    """Lets the world go on while the conductor waits."""

    world: SitesWorld
    inline: InlinePool[int]

    def next_finished(self, timeout: float | None) -> Any:
        if timeout == 0.0:
            return super().next_finished(0.0)
        self._post()
        self.world.step()
        self.look()
        return super().next_finished(timeout)

    @property
    def waiting(self) -> tuple[tuple[Call, Ticket], ...]:
        return self.inline.waiting


class SitesWorld(Shelled):
    """Two sites beside the directory, with two hands each."""

    def __init__(
        self,
        seed: int,
        ids: tuple[str, ...],
        *,
        dies: float = 0.0,
        freezes: float = 0.0,
        loses: float = 0.0,
        unserved: tuple[str, ...] = (),
        **policy: Any,
    ) -> None:
        self.random = Random(seed)
        self.dies, self.freezes, self.loses = dies, freezes, loses
        self.others = True
        self.store_seconds = 0.0
        self.steps = 0

        def plan(data: dict[str, Any]) -> None:
            migrations = [one for wave in data["waves"] for one in wave["migrations"] if one["dmsa"]["name"] in ids]
            for migration in migrations:
                migration["waivers"] = [*migration.get("waivers", []), WAIVER]
            data["waves"] = [{"name": "only", "at_once": 4, "migrations": migrations}]
            data["policy"].update(SHORT, **policy)

        super().__init__(change_plan=plan)
        self.sites = Sites(self.plan)
        self.jobs = MemoryJobs(self.journal, now=self._store_now)
        self.engine = LossyEngine(self)
        names = [name for name in self.sites.names for _ in range(2) if name not in unserved]
        self.hands = [FrailHand(self, name, number) for number, name in enumerate(names)]
        self.carried: Counter[str] = Counter()

    def _pinned(self) -> Plan:
        plan = super()._pinned()
        return plan.model_copy(update={"estate": plan.estate.model_copy(update={"sites": SITES})})

    def _store_now(self) -> datetime:
        return datetime(2026, 11, 29, tzinfo=UTC) + timedelta(seconds=self.store_seconds)

    def pool_for(self, transport: MortalTransport, lease: Lease, choose: Any, together: int | None) -> tuple[Any, Any]:
        watched: Any = _AtHome(self, transport)
        abroad = Abroad(watched, self.sites, clock=lambda: self.store_seconds, ids=self._id)
        inline: InlinePool[int] = InlinePool(watched, choose, together)
        board = Board(self.plan.name, self.jobs, lease, self.engine)  # type: ignore[arg-type]
        pool = SitesPool(inline, abroad, board, lambda: self.store_seconds, self._id)
        pool.world, pool.inline = self, inline
        return abroad, pool

    def step(self) -> None:
        """Let something happen at a site, or time pass."""
        self.steps += 1
        assert self.steps < MOST_STEPS, "it does not come to an end"
        self.store_seconds += self.random.choice((0.0, 0.1, 0.5, 2.0))
        awake = [hand for hand in self.hands if hand.strand is None or hand.still_until <= self.store_seconds]
        for hand in awake:
            hand.hand.claims.renew()
        able = [hand for hand in awake if hand.strand is not None]
        if able and self.random.random() < 0.7:
            self.random.choice(able).goes_on()
        elif self.engine.rings:
            self._deliver([hand for hand in awake if hand.strand is None])

    def _deliver(self, free: list[FrailHand]) -> None:
        ring = self.engine.take()
        listening = [hand for hand in free if hand.site == ring[0] or self.random.random() < 0.05]  # a wrong one, too
        if listening:
            self.random.choice(listening).hears(ring)

    def wake_all(self) -> None:
        """Let everything that stands still come to its end."""
        self.dies = self.freezes = 0.0
        self.others = False
        for hand in self.hands:
            if hand.strand is not None:
                hand.goes_on()

    def judge_write(self, ticket: Ticket) -> None:
        """A write leaves only while nobody has settled it: its attempt is open, and its shell not ended."""
        self.carried[ticket.endpoint] += 1
        state = self.state()
        attempts = [one for each in state.migrations.values() for one in each.open.values()]
        open_ = {one.started.shell for one in attempts if not one.shell_ended}
        assert ticket.shell in open_, "a write left after its successor had looked"


class _AtHome:
    """The driver's own transport, which calls nothing but the directory."""

    def __init__(self, world: SitesWorld, inner: MortalTransport) -> None:
        self._world, self._inner = world, inner

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        assert self._world.sites.of(call.endpoint) == DIRECTORY, "a call at a wrong site"
        return self._inner.run(call, ticket, leave)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


__all__ = ["Crash", "Read", "Request", "Result", "SitesWorld"]
