"""One migration's rows since a prediction: what was sent and how it ended, and what was read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.model.before import SnapshotRepeated, SnapshotTaken
from orchestrator.model.directory import PRINCIPALS
from orchestrator.model.event import (
    AttemptFinished,
    AttemptStarted,
    Event,
    LedgerRead,
    Moved,
    SubjectDone,
    WayBackAsked,
)
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.observation import Outcome


@dataclass(frozen=True)
class Done:
    """A write that was sent; ``outcome`` None where the journal does not tell yet."""

    started: AttemptStarted
    outcome: Outcome | None

    @property
    def succeeded(self) -> bool:
        """Whether it ended well."""
        return self.outcome is Outcome.SUCCEEDED

    @property
    def matters(self) -> bool:
        """Whether it may have changed anything: one that failed did not."""
        return self.outcome is not Outcome.FAILED


@dataclass
class History:
    """What the journal tells of one migration, from some row on."""

    phase: Phase = Phase.PLANNED
    taken: SnapshotTaken | None = None
    """How everything was before the first write, where that was since."""
    repeated: SnapshotRepeated | None = None
    """How everything was right before Complete."""
    events: list[Event] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    ended: dict[tuple[Trigger, str], SubjectDone] = field(default_factory=dict)
    principals: frozenset[str] = frozenset()
    principals_before: frozenset[str] = frozenset()
    left_open: bool = False
    """Whether the step that was under way had written something."""

    def take_in(self, event: Event) -> None:
        """Follow the next row."""
        self.events.append(event)
        match event:
            case AttemptStarted():
                self.done.append(Done(event, None))
                self.left_open = True
            case AttemptFinished():
                self._finish(event)
            case SubjectDone():
                self.ended[event.step, event.subject] = event
            case SnapshotTaken():
                self.taken = event
                self.know(event)
            case SnapshotRepeated():
                self.repeated = self.repeated or event
            case LedgerRead():
                self.principals = frozenset(event.principals)
            case Moved():
                self.phase, self.left_open = event.dest, False
            case _:
                self.know(event)

    def know(self, event: Event) -> None:
        """Take in what tells only how things were."""
        match event:
            case SnapshotTaken():
                self.principals_before |= {short(name) for name in (event.dmsa or {}).get(PRINCIPALS, ())}
            case LedgerRead():
                self.principals_before |= {short(name) for name in event.principals}
            case Moved():
                self.phase = event.dest
            case _:
                pass

    def _finish(self, event: AttemptFinished) -> None:
        for at in range(len(self.done) - 1, -1, -1):
            one = self.done[at]
            if one.started.subject == event.subject and one.outcome is None:
                self.done[at] = Done(one.started, event.outcome)
                return


def short(principal: str) -> str:
    """Return a principal's name without its domain: a host is told by its DNS name, or by the DN of its account."""
    name = principal.lower()
    return name.removeprefix("cn=").partition(",")[0] if "=" in name else name.partition(".")[0]


def split(id_: str, told: Sequence[tuple[int, Event]], head: int) -> tuple[History, History | None]:
    """Return a migration's history since a row: forward, and (None if it was not asked back) on the way back.

    Args:
        id_: the migration.
        told: every event of the run, with its row.
        head: the last row before what counts.
    """
    forward, back = History(), None
    for row, event in told:
        if getattr(event, "migration", None) != id_:
            continue
        if row <= head:
            forward.know(event)
        elif back is None and isinstance(event, WayBackAsked):
            back = History(phase=forward.phase, principals_before=forward.principals_before | _shorts(forward))
        else:
            (back or forward).take_in(event)
    return forward, back


def _shorts(history: History) -> frozenset[str]:
    return frozenset(map(short, history.principals))
