"""A whole small world in one process: estate, journal, processes that come and go; deterministic, and watched.

Only the shell is replaced (no wire, no threads, no disk): conductor, engine, steps, guards and estate are the
product's own. Every row and every command is shown to the invariants as it happens.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestrator.clock import EstateClock
from orchestrator.conductor import Assignment, Conductor
from orchestrator.conductor.noticing import Posts
from orchestrator.journal import Entry, JournalConflict, Lease
from orchestrator.journal.memory import MemoryJournal
from orchestrator.lab.command import Command, Request, Result
from orchestrator.lab.estate.directory import Directory as SimulatedDirectory
from orchestrator.lab.estate.estate import Estate as SimulatedEstate
from orchestrator.lab.estate.spec import EstateSpec
from orchestrator.lab.estate.weather_spec import WeatherSpec
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Call, Read, Ticket, Write, cmdlet
from orchestrator.model.event import VERSION, Event, from_body, to_body
from orchestrator.model.lifecycle import Phase
from orchestrator.model.notices import Notice
from orchestrator.model.observation import Unreadable
from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from orchestrator.rehearsal.far_side import EstateFarSide, arrivals
from orchestrator.rehearsal.invariants import Invariants, Told
from orchestrator.rehearsal.judgements import Violation
from orchestrator.rehearsal.pigeonholes import Pigeonholes
from orchestrator.rehearsal.process import Crash, Doing, Immortal, Life, MortalJournal, MortalTransport, Shells
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.remote.inline import InlinePool


class WitnessedEstate(SimulatedEstate):
    """An estate that shows each request as it arrives, and again before and after it takes effect."""

    def __init__(self, spec: EstateSpec, first_day: SimulatedDirectory | None = None) -> None:
        super().__init__(spec, first_day)
        self.record: list[Request] = []
        self.keeps_record = True
        self.begins: Callable[[Request], None] = lambda _request: None
        self.performed: Callable[[Request, Result], None] = lambda _request, _result: None
        self.waited: Callable[[timedelta], None] = lambda _passed: None
        self._last: Request | None = None

    def execute(self, request: Request) -> Result:
        """Run a pipeline; it has arrived."""
        if self.keeps_record:
            self.record.append(request)
        self._last = request
        return super().execute(request)

    def arrive(self, request: Request) -> None:
        """Let a request arrive; what passes then, whoever asks has waited for."""
        before = self.now
        super().arrive(request)
        self.waited(self.now - before)

    def again(self) -> None:
        """Let the last request arrive a second time: a read is answered again, a write's pipeline is known already."""
        if self._last is not None and not self.writes(self._last):
            super().perform(self._last)  # it arrives without anybody waiting, so that no time passes with it

    def perform(self, request: Request) -> Result:
        """Let a pipeline take effect, at once or late."""
        self.begins(request)
        result = super().perform(request)
        self.performed(request, result)
        return result


class _Watched:
    """A life that ends as soon as something is violated."""

    def __init__(self, life: Life, violations: Sequence[Violation], invariants: Invariants | None) -> None:
        self._life, self._violations, self._invariants = life, violations, invariants

    def moment(self, doing: Doing) -> None:
        """Let the moment pass, if nothing is violated."""
        if self._violations:
            raise Crash
        if self._invariants is not None:
            self._invariants.moment()
        self._life.moment(doing)


class World:
    """One estate and one journal, on which processes come and go.

    ``watch`` False leaves the invariants out, for whoever looks only at what comes of it.
    """

    def __init__(self, rehearsed: Rehearsed, journal: Any = None, *, watch: bool = True) -> None:
        self.rehearsed, self.plan = rehearsed, rehearsed.resolved
        self.estate = WitnessedEstate(rehearsed.spec, next(iter(rehearsed.first_day), None))
        if not rehearsed.first_day:
            rehearsed.first_day.append(self.estate.directory.copy())
        self.journal = journal or MemoryJournal(lambda: self.estate.now)
        self.ids = [migration.id for migration in self.plan.migrations()]
        self.principal = f"{rehearsed.spec.domain.netbios}\\{rehearsed.spec.operator.name}"
        self.violations: list[Violation] = []
        self.arrived_notices: list[tuple[str, Notice]] = []
        """Which notices reached which receivers; one may have come twice."""
        self.processes = 0
        self.stays = False
        """Whether a process stays until everything is at its end (``run --watch``)."""
        self.drift = 0.0
        """By how much a runner's own clock is too fast (0.01: a hundredth)."""
        self.duty: Callable[[Conductor], object] | None = None
        """What a process does instead of driving forward."""
        self.astray: Callable[[], timedelta | None] = lambda: None
        """By how much later the next write that a dead process had under way still arrives; None: never."""
        self._handles: list[Any] = []
        self._numbers = itertools.count(1)
        self._shells = Shells(self._shell_gone)
        self._began = self.estate.now
        self._waited = timedelta(0)
        """What the process that runs now has waited for by reading the time."""
        self.estate.waited = self._wait
        self.far_side = EstateFarSide(self.estate, self.plan, follows=watch)
        self.invariants = Invariants(self.plan, self.far_side) if watch else None
        if self.invariants is not None:
            self.estate.performed = self._performed

    @property
    def record(self) -> list[Request]:
        """Every request that arrived."""
        return self.estate.record

    def run(
        self,
        chosen: Sequence[str] | None = None,
        until: Phase | None = None,
        life: Life | None = None,
        choose: Callable[[int], int] = lambda _waiting: 0,
        together: int | None = 1,
    ) -> RunState:
        """Run a process to its end; for *choose*, *together* see InlinePool.

        Raises:
            Crash: it died; or an invariant was violated, which ends everything.
            JournalHeld: another process holds the lease.
            LeaseLost: another process took it meanwhile.
        """
        life = _Watched(life or Immortal(), self.violations, self.invariants)
        handle = self.journal.another() if isinstance(self.journal, MemoryJournal) else self.journal
        self._handles.append(handle)
        frozen, self._waited = self._waited, timedelta(0)
        try:
            lease = handle.acquire(f"runner {self.processes + 1}")
            self.processes += 1
            if self.invariants is not None:
                self.invariants.leased(lease.epoch)
            conductor, transport, pool = self._conductor(handle, lease, life, chosen, until, choose, together)
            try:
                return conductor.run(self.duty)
            except Crash:
                self._let_astray(transport, pool)
                raise
        finally:
            self._waited = frozen
            self._handles.pop()
            if handle is not self.journal:
                handle.close()

    def lose_lease(self) -> None:
        """Let the process that runs now lose its lease without noticing, as one that was frozen for long."""
        self._handles[-1].close()

    def _conductor(
        self,
        handle: Any,
        lease: Lease,
        life: Life,
        chosen: Sequence[str] | None,
        until: Phase | None,
        choose: Callable[[int], int],
        together: int | None,
    ) -> tuple[Conductor, MortalTransport, InlinePool[int]]:
        inner = MemoryTransport(self.estate, self.principal, ids=self._id, registered=self.rehearsed.registered)
        transport = self.transport_for(inner, life)
        job = Assignment(
            plan=self.plan,
            digest=self.rehearsed.digest,
            canonical=self.rehearsed.canonical,
            by="rehearsal",
            chosen=chosen or self.ids,
            until=until,
            stays=self.stays,
            host="rehearsal",
            pid=self.processes,
        )
        driving: list[Conductor] = []
        journal = self.handle_for(handle, life, lambda entries, by: self._appended(entries, by, driving))
        calls, pool = self.pool_for(transport, lease, choose, together)

        def announce(ticket: Ticket) -> None:
            driving[0].announce(ticket)

        clock = self.clock_for(transport, announce)
        seconds, outbox = self.seconds_passed, self.outbox_for(life)
        driving.append(Conductor(job, journal, lease, calls, clock, pool=pool, seconds=seconds, outbox=outbox))
        return driving[0], transport, pool

    def _let_astray(self, transport: MortalTransport, pool: InlinePool[int]) -> None:
        """Let writes that a process had under way when it died arrive later, or never."""
        for call, ticket in pool.waiting:
            late = self.astray() if isinstance(call, Write) else None
            if late is not None:
                self.estate.clock.after(late, _carrying(transport, call, ticket))

    def transport_for(self, inner: MemoryTransport, life: Life) -> MortalTransport:
        """Return what carries a process's calls."""
        return MortalTransport(inner, life, self._shells)

    def pool_for(self, transport: MortalTransport, _lease: Lease, choose: Any, together: int | None) -> tuple[Any, Any]:
        """Return what a process asks for tickets, and what runs its calls under a lease."""
        return transport, InlinePool(transport, choose, together)

    def handle_for(self, handle: Any, life: Life, appended: Callable[[Sequence[Entry], Lease | None], None]) -> Any:
        """Return the handle on the journal that a process uses."""
        return MortalJournal(handle, life, appended)

    def outbox_for(self, life: Life) -> Posts | None:
        """Return what takes a process's notices."""
        return Pigeonholes(life, self.arrived_notices)

    def seconds_passed(self) -> float:
        """Return the seconds that have passed by a process's own clock: it runs with the estate's time."""
        return (self.estate.now - self._began).total_seconds() * (1 + self.drift)

    def clock_for(self, transport: Any, announce: Callable[[Ticket], None]) -> EstateClock:
        """Return a process's clock: it is its own between readings, and waiting is the estate's."""
        read = self.clock_reader(transport, announce)
        jump = self.estate.clock.jump
        return EstateClock(read, is_lab=True, monotonic=self._seconds_reckoned, pause=lambda _seconds: jump())

    def _seconds_reckoned(self) -> float:
        """Return the seconds that passed without being waited for: on a lab, a reading that waits takes no time."""
        return self.seconds_passed() - self._waited.total_seconds()

    def _wait(self, passed: timedelta) -> None:
        self._waited += passed

    def clock_reader(self, transport: Any, announce: Callable[[Ticket], None]) -> Callable[[], datetime]:
        """Return what asks the pinned domain controller for the time; *announce* hears under which ids."""
        server = self.plan.estate.directory.server if self.plan.estate.directory else ""
        endpoint = self.plan.estate.directory.endpoint if self.plan.estate.directory else ""
        call = Read(endpoint, (cmdlet("Get-ADRootDSE", Properties=("currentTime",), Server=server),))

        told = Request(
            host=endpoint,
            shell=UUID(int=0),
            pipeline=UUID(int=0),
            principal=self.principal,
            statements=((Command("Get-ADRootDSE", {"Properties": ["currentTime"], "Server": server}),),),
        )
        fair = not any(_meets_clock(rule) for rule in self.estate.spec.weather)

        def read() -> datetime:
            waited = self._waited
            time = transport.read_clock(self.estate, told) if fair and self.invariants is not None else by_call()
            if isinstance(time, datetime):
                return time
            self._waited = waited  # in vain: nothing has told the process how much time has passed
            raise Unreadable(f"{endpoint} did not say")

        def by_call() -> object:
            ticket = transport.ticket(endpoint)
            if ticket is None:
                return None
            announce(ticket)
            roots = list(transport.run(call, ticket).of("ADRootDSE"))
            return roots[0].get("currentTime") if roots else None

        return read

    # Words, and looking back.

    def say(self, *events: Event) -> None:
        """Let an operator's words reach the journal."""
        while True:
            head = self.journal.head()
            state = self.state()
            for event in events:
                state.apply(event, state.last_at)
            entries = [Entry(self.plan.name, state.last_at, e.kind, VERSION, to_body(e)) for e in events]
            try:
                self.journal.append(entries, expected=head, lease=None)
            except JournalConflict:
                continue
            self._appended(entries, None, [])
            return

    def state(self) -> RunState:
        """Return where everything stands by the journal."""
        if self.invariants is not None:
            return self.invariants.replayed.copied()
        state = RunState(self.plan.name)
        for row in self.journal.read():
            fold_in(state, row)
        return state

    def told(self) -> list[tuple[Event, datetime | None]]:
        """Return everything that was written down, with the estate's time."""
        return [(from_body(row.kind, row.body), row.at) for row in self.journal.read(run=self.plan.name)]

    def events(self) -> list[Event]:
        """Return everything that was written down."""
        return [from_body(row.kind, row.body) for row in self.journal.read(run=self.plan.name)]

    def phases(self) -> dict[str, Phase]:
        """Return where each migration stands."""
        state = self.state()
        return {id_: state[id_].phase for id_ in self.ids}

    def arrived(self, cmdlet_name: str) -> list[dict[str, object]]:
        """Return the parameters of every arrival of one cmdlet at the far side: the witness."""
        return [
            dict(command.parameters)
            for request in self.record
            for statement in request.statements
            for command in statement
            if command.name == cmdlet_name
        ]

    # What the invariants are shown.

    def judge(self, found: Iterable[Violation]) -> None:
        """Keep what is violated, and end everything if something is.

        Raises:
            Crash: something is.
        """
        before = len(self.violations)
        self.violations.extend(found)
        if len(self.violations) > before:
            raise Crash

    def judge_end(self, state: RunState) -> None:
        """Judge where a process has left everything that ended by itself.

        Raises:
            Crash: something is violated.
        """
        endpoint = self.plan.estate.directory.endpoint if self.plan.estate.directory else ""
        at = self.estate.now if self.estate.listens(endpoint) else None
        self.judge(Invariants.ended(state, self.plan, at))
        if self.invariants is not None:
            self.judge(self.invariants.telling.left_out((state[id_] for id_ in self.ids), at))

    def excuse(self, *subjects: str) -> None:
        """Let what others change be no fault of ours: hosts, accounts, ids of migrations."""
        if self.invariants is not None:
            self.invariants.excuse(*subjects)

    def _appended(self, entries: Sequence[Entry], lease: Lease | None, driving: Sequence[Conductor]) -> None:
        if self.invariants is None:
            return
        epoch = lease.epoch if lease else None
        for entry in entries:
            self.judge(self.invariants.told(Told(from_body(entry.kind, entry.body), entry.at, epoch)))
        if driving:
            ids = {entry.body.get("migration") for entry in entries}
            self.judge(self.invariants.live(driving[0].state, ids))

    def _performed(self, request: Request, result: Result) -> None:
        if self.invariants is None:
            return
        for arrival in arrivals(request, result, self.estate.now, self.principal):
            self.judge(self.invariants.arrived(arrival))
        self.judge(self.invariants.look())

    def _shell_gone(self, shell: UUID) -> None:
        if self.invariants is not None:
            self.invariants.shell_gone(shell)

    def _id(self) -> UUID:
        return UUID(int=next(self._numbers))


def _meets_clock(rule: WeatherSpec) -> bool:
    """Whether weather may befall a reading of the clock, or is set off by one."""
    return rule.when is not None and (rule.when.cmdlet or "Get-ADRootDSE") == "Get-ADRootDSE"


def _carrying(transport: MortalTransport, call: Call, ticket: Ticket) -> Callable[[], None]:
    def carry() -> None:
        transport.carry(call, ticket)

    return carry
