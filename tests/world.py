"""A whole small world in one process: estate, journal, conductor; deterministic, and able to crash anywhere.

Only the shell is replaced (no wire, no threads, no disk): conductor, engine, steps, guards and estate are the
product's own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from orchestrator.clock import EstateClock
from orchestrator.conductor import Assignment, Conductor
from orchestrator.engine.amendment import Amendment, amendment
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.protocol import Entry, Lease
from orchestrator.lab.command import Request, Result
from orchestrator.lab.estate.estate import Estate as SimulatedEstate
from orchestrator.lab.estate.spec import load_spec
from orchestrator.lab.jea import Registered
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Call, Read, Ticket, Write, cmdlet
from orchestrator.model.event import VERSION, Event, RunBegan, WayBackAsked, from_body, to_body
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.observation import Reply
from orchestrator.model.plan import Directory, Estate, Plan
from orchestrator.model.run import RunState
from orchestrator.model.words import AdoptAsked
from orchestrator.planfile import canonical, digest, load_plan
from orchestrator.remote.inline import InlinePool
from orchestrator.remote.transport import Leave

ROOT = Path(__file__).parent.parent
DC = "dc01.corp.example"


class Crash(BaseException):
    """The process is gone: nothing after it runs, except what Python cannot help."""


@dataclass
class Doom:
    """Counts the moments at which a process may die, and dies at one of them (0: never)."""

    at: int = 0
    passed: int = 0
    dead: bool = False

    def moment(self) -> None:
        if self.dead:
            raise Crash
        self.passed += 1
        if self.passed == self.at:
            self.dead = True
            raise Crash


class MortalJournal:
    """A handle on the journal in a process that may die before or after each append."""

    def __init__(self, inner: MemoryJournal, doom: Doom) -> None:
        self._inner, self._doom = inner, doom

    def append(self, entries: Sequence[Entry], *, expected: int, lease: Lease | None) -> int:
        self._doom.moment()
        head = self._inner.append(entries, expected=expected, lease=lease)
        self._doom.moment()
        return head

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class MortalTransport:
    """A transport in a process that may die before or after each write."""

    def __init__(self, inner: MemoryTransport, doom: Doom) -> None:
        self._inner, self._doom = inner, doom

    def run(self, call: Call, ticket: Ticket, leave: Leave | None = None) -> Reply:
        if self._doom.dead:
            raise Crash
        if isinstance(call, Read):
            return self._inner.run(call, ticket)
        self._doom.moment()
        reply = self._inner.run(call, ticket, leave)
        self._doom.moment()
        return reply

    def discard(self, endpoint: str, shell: UUID) -> bool:
        if self._doom.dead:
            raise Crash
        return self._inner.discard(endpoint, shell)

    def close(self) -> None:
        if self._doom.dead:
            raise Crash
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class World:
    """One estate and one journal, on which processes come and go."""

    def __init__(
        self,
        plan: str = "plans/quickstart.yaml",
        estate: str = "plans/estates/quickstart.yaml",
        change_plan: Callable[[dict[str, Any]], None] | None = None,
        change_estate: Callable[[dict[str, Any]], None] | None = None,
        journal: Any = None,
        registered: Registered | None = None,
        witness: Literal["none", "ldap"] = "none",
    ) -> None:
        spec = load_spec(_changed(ROOT / estate, change_estate))
        self.estate = SimulatedEstate(spec)
        self.record: list[Request] = []
        self._watch()
        self._file, self._changes = ROOT / plan, [change_plan] if change_plan else []
        original = Plan.model_validate(_read(ROOT / plan, change_plan)) if change_plan else load_plan(ROOT / plan).plan
        self.digest, self.canonical = digest(original), canonical(original)
        directory = Directory(endpoint=DC, server=DC, witness=witness)
        where = Estate(lab=estate, domain=spec.domain.dns, directory=directory)
        self.plan = original.model_copy(update={"estate": where})
        self.journal = journal or MemoryJournal()
        self.registered = registered
        self.ids = [migration.id for migration in self.plan.migrations()]
        self.principal = f"{spec.domain.netbios}\\operator"
        self.seconds = 0.0
        """What the runner's own clock shows; it stands still unless a test moves it."""
        self._numbers = itertools.count(1)

    def run(
        self,
        chosen: Sequence[str] | None = None,
        until: Phase | None = None,
        doom: Doom | None = None,
        choose: Callable[[int], int] = lambda _waiting: 0,
        together: int | None = 1,
    ) -> RunState:
        """Run a process to its end, or to its death (:class:`Crash`); for *choose*, *together* see InlinePool."""
        doom = doom or Doom()
        handle = self.journal.another() if isinstance(self.journal, MemoryJournal) else self.journal
        journal = MortalJournal(handle, doom)
        transport = MortalTransport(
            MemoryTransport(self.estate, self.principal, ids=self._ids, registered=self.registered), doom
        )

        def announce(ticket: Ticket) -> None:
            conductor.announce(ticket)

        clock = EstateClock(self._clock_reader(transport, announce), is_lab=True, monotonic=lambda: 0.0)
        job = Assignment(
            plan=self.plan,
            digest=self.digest,
            canonical=self.canonical,
            by="tester",
            chosen=chosen or self.ids,
            until=until,
        )
        try:
            lease = handle.acquire("tester")
            pool: InlinePool[int] = InlinePool(transport, choose, together)
            conductor = Conductor(job, journal, lease, transport, clock, pool=pool, seconds=lambda: self.seconds)
            return conductor.run()
        finally:
            if handle is not self.journal:
                handle.close()

    def amend(self, change: Callable[[dict[str, Any]], None]) -> Amendment:
        """Change the plan and let an operator accept it; nothing happens where it is refused."""
        self._changes.append(change)
        original = Plan.model_validate(_read(self._file, self._change))
        state, after = self.state(), canonical(original)
        found = amendment(state, state.plan or {}, after)
        if found.refusals:
            self._changes.pop()
            return found
        self.say(*found.events(digest(original), after, "operator", "because"))
        self.digest, self.canonical = digest(original), after
        self.plan = original.model_copy(update={"estate": self.plan.estate})
        self.ids = [migration.id for migration in self.plan.migrations()]
        return found

    def _change(self, data: dict[str, Any]) -> None:
        for change in self._changes:
            change(data)

    def ask_back(self, way: Way, ids: Sequence[str] | None = None) -> None:
        """Let an operator ask for the way back."""
        self.say(*(WayBackAsked(migration=id_, way=way, by="operator") for id_ in ids or self.ids))

    def say(self, *events: Event) -> None:
        """Let an operator's words reach the journal."""
        state = self.state()
        for event in events:
            state.apply(event, state.last_at)
        entries = [Entry(self.plan.name, state.last_at, e.kind, VERSION, to_body(e)) for e in events]
        self.journal.append(entries, expected=self.journal.head(), lease=None)

    def lose_journal(self) -> None:
        """Go on with an empty journal; the estate is as it is."""
        self.journal = MemoryJournal()

    def adopt(self, *ids: str) -> None:
        """Let an operator ask for adoption, on an empty journal if need be."""
        words: list[Event] = [AdoptAsked(migration=id_, by="operator", reason="lost disk") for id_ in ids or self.ids]
        if self.state().digest is None:
            words.insert(0, RunBegan(digest=self.digest, plan=self.canonical, by="operator", tool="test"))
        self.say(*words)

    def state(self) -> RunState:
        """Replay the journal."""
        state = RunState(self.plan.name)
        for row in self.journal.read(run=self.plan.name):
            state.apply(from_body(row.kind, row.body), row.at)
        return state

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

    def _ids(self) -> UUID:
        return UUID(int=next(self._numbers))

    def _watch(self) -> None:
        execute = self.estate.execute

        def witnessed(request: Request) -> Result:
            self.record.append(request)
            return execute(request)

        self.estate.execute = witnessed  # type: ignore[method-assign]

    @staticmethod
    def _clock_reader(
        transport: Any, announce: Callable[[Ticket], None] = lambda _ticket: None
    ) -> Callable[[], datetime | None]:
        call = Read(DC, (cmdlet("Get-ADRootDSE", Properties=("currentTime",), Server=DC),))

        def read() -> datetime | None:
            ticket = transport.ticket(DC)
            announce(ticket)
            roots = list(transport.run(call, ticket).of("ADRootDSE"))
            time = roots[0].get("currentTime") if roots else None
            return time if isinstance(time, datetime) else None

        return read


def _read(path: Path, change: Callable[[dict[str, Any]], None] | None) -> dict[str, Any]:
    import yaml

    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if change:
        change(data)
    return data


def _changed(path: Path, change: Callable[[dict[str, Any]], None] | None) -> str:
    import yaml

    if change is None:
        return path.read_text(encoding="utf-8")
    return yaml.safe_dump(_read(path, change))


__all__ = ["Crash", "Doom", "World", "Write"]
