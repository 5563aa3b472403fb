"""The world of rehearsals, made of files of this project that a test may change; and able to crash at its writes.

Its runner's clock moves only when it waits, and nothing is judged: a test says itself what must have come of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from orchestrator.clock import EstateClock
from orchestrator.engine.amendment import Amendment, amendment
from orchestrator.journal import Entry, Lease, MemoryJournal
from orchestrator.lab.estate.spec import load_spec
from orchestrator.lab.jea import Registered
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.call import Ticket, Write
from orchestrator.model.driven import RunBegan
from orchestrator.model.event import Event, Released, WayBackAsked
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.model.plan import Directory, Plan
from orchestrator.model.run import RunState
from orchestrator.model.words import AdoptAsked
from orchestrator.planfile import canonical, digest
from orchestrator.rehearsal.far_side import EstateFarSide
from orchestrator.rehearsal.process import Crash, Doing, Life, MortalJournal, MortalTransport
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.world import World as RehearsedWorld

ROOT = Path(__file__).parent.parent
DC = "dc01.corp.example"


@dataclass
class Doom:
    """Counts the moments before and after appends and writes, and lets the process die at one of them (0: never)."""

    at: int = 0
    passed: int = 0
    dead: bool = False

    def moment(self, doing: Doing = "append") -> None:
        if self.dead:
            raise Crash
        if doing not in {"append", "write"}:
            return
        self.passed += 1
        if self.passed == self.at:
            self.dead = True
            raise Crash


class World(RehearsedWorld):
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
        beside: World | None = None,
        sooner: bool = True,
    ) -> None:
        """Make a world; *beside* another one it has the same estate and journal, and a plan of its own.

        Weeks pass *sooner* where the files say nothing: in jumps of six hours, with a look at the ledger once a day.
        """
        self._sooner = sooner
        spec = load_spec(yaml.dump(self._read(ROOT / estate, change_estate), Dumper=yaml.CSafeDumper))
        original = Plan.model_validate(self._read(ROOT / plan, change_plan))
        self.digest, self.canonical = digest(original), canonical(original)
        rehearsed = Rehearsed(original, self.digest, self.canonical, spec, registered, witness)
        super().__init__(rehearsed, beside.journal if beside else journal, watch=False)
        if beside is not None:
            self.estate, self._shells, self._numbers = beside.estate, beside._shells, beside._numbers
            self.far_side = EstateFarSide(self.estate, self.plan)
        self.plan = self._pinned()
        self._file, self._changes = ROOT / plan, [change_plan] if change_plan else []
        self.seconds = 0.0
        """What the runner's own clock shows; it stands still unless a test moves it."""
        self._watch()

    def run(
        self,
        chosen: Sequence[str] | None = None,
        until: Phase | None = None,
        doom: Life | None = None,
        choose: Callable[[int], int] = lambda _waiting: 0,
        together: int | None = 1,
    ) -> RunState:
        """Run a process to its end, or to its death (:class:`Crash`); for *choose*, *together* see InlinePool."""
        return super().run(chosen, until, doom, choose, together)

    def handle_for(self, handle: Any, life: Life, appended: Callable[[Sequence[Entry], Lease | None], None]) -> Any:
        del appended  # nothing is judged
        return MortalJournal(handle, life)

    def transport_for(self, inner: MemoryTransport, life: Life) -> MortalTransport:
        return MortalTransport(inner, life, self._shells)

    def seconds_passed(self) -> float:
        return self.seconds

    def clock_for(self, transport: Any, announce: Callable[[Ticket], None]) -> EstateClock:
        read = self.clock_reader(transport, announce)
        return EstateClock(read, is_lab=True, monotonic=lambda: 0.0, here=lambda: self.estate.now)

    def amend(self, change: Callable[[dict[str, Any]], None]) -> Amendment:
        """Change the plan and let an operator accept it; nothing happens where it is refused."""
        self._changes.append(change)
        original = Plan.model_validate(self._read(self._file, self._change))
        state, after = self.state(), canonical(original)
        found = amendment(state, state.plan or {}, after)
        if found.refusals:
            self._changes.pop()
            return found
        self.say(*found.events(digest(original), after, "operator", "because"))
        self.digest, self.canonical = digest(original), after
        self.rehearsed = replace(self.rehearsed, plan=original, digest=self.digest, canonical=after)
        self.plan = self._pinned()
        self.ids = [migration.id for migration in self.plan.migrations()]
        return found

    def _pinned(self) -> Plan:
        """Return the plan, pinned to the same domain controller whatever the estate makes of that one."""
        estate = self.rehearsed.resolved.estate
        witness = estate.directory.witness if estate.directory else "none"
        directory = Directory(endpoint=DC, server=DC, witness=witness)
        return self.rehearsed.resolved.model_copy(update={"estate": estate.model_copy(update={"directory": directory})})

    def _change(self, data: dict[str, Any]) -> None:
        for change in self._changes:
            change(data)

    def lose_journal(self) -> None:
        """Go on with an empty journal; the estate is as it is."""
        self.journal = MemoryJournal()

    def adopt(self, *ids: str) -> None:
        """Let an operator ask for adoption, on an empty journal if need be."""
        words: list[Event] = [AdoptAsked(migration=id_, by="operator", reason="lost disk") for id_ in ids or self.ids]
        if self.state().digest is None:
            words.insert(0, RunBegan(digest=self.digest, plan=self.canonical, by="operator", tool="test"))
        self.say(*words)

    def ask_back(self, way: Way, ids: Sequence[str] | None = None) -> None:
        """Let an operator ask for the way back."""
        self.say(*(WayBackAsked(migration=id_, way=way, by="operator") for id_ in ids or self.ids))

    def release(self, *ids: str, forward: bool = False) -> None:
        """Let an operator release migrations; *forward* turns a way back around."""
        about = ids or self.ids
        self.say(*(Released(migration=id_, by="operator", reason="because", forward=forward) for id_ in about))

    def _watch(self) -> None:
        """Put a witness of one's own in front of the estate."""

    def _read(self, path: Path, change: Callable[[dict[str, Any]], None] | None) -> dict[str, Any]:
        data: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        if self._sooner and "waves" in data:
            data.setdefault("policy", {}).setdefault("ledger_every", "1d")
        elif self._sooner:
            data["clock"].setdefault("jump", "6h")
        if change:
            change(data)
        return data


__all__ = ["Crash", "Doom", "World", "Write"]
