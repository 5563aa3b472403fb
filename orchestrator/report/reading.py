"""What a run's rows tell a report: a fold of them, shown row by row.

It goes on from the fold that every verb goes by (:class:`orchestrator.model.run.RunState`), and keeps beside it what
that forgets and the report says of the run as a whole. Every step, answer and write is put aside
(:mod:`orchestrator.report.aside`): of ten thousand migrations they are far more than should be held at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.journal import Row
from orchestrator.model.before import Compared, HostSnapshotTaken, SnapshotRepeated, SnapshotTaken
from orchestrator.model.drilled import DrillBegan, DrillEnded
from orchestrator.model.driven import CallRefused, RunBegan, RunnerLeft, RunnerTook
from orchestrator.model.event import (
    AttemptFinished,
    AttemptSettled,
    AttemptStarted,
    Event,
    GuardsAsked,
    Held,
    LedgerRead,
    Moved,
    Released,
    SubjectDone,
    WayBackAsked,
)
from orchestrator.model.folded import StateFolded
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.words import (
    AdoptAsked,
    Amended,
    ApprovalWithdrawn,
    Approved,
    AssertedDone,
    HostReleased,
    WaiverApproved,
    WaiverWithdrawn,
)
from orchestrator.report.aside import Rows
from orchestrator.report.before_after import snapshots_of
from orchestrator.report.chapters import FOLLOWED
from orchestrator.report.evidence import Answers
from orchestrator.report.hosts_allowed import Curve
from orchestrator.report.restart_times import Measured, after, before
from orchestrator.report.shelf import InMemory, Shelf, Shelved
from orchestrator.views.certificate import Drill
from orchestrator.views.drill_legs import seconds_between
from orchestrator.views.moment import iso
from orchestrator.views.sentence import sentence

WRITES = (
    *(AttemptStarted, AttemptFinished, AttemptSettled, SubjectDone, Moved),
    *(SnapshotTaken, SnapshotRepeated, Compared),
)
"""What tells of writes and of what was read after them (:mod:`orchestrator.report.changes`)."""
_WORDS = (
    *(RunBegan, Amended, Approved, WaiverApproved, ApprovalWithdrawn, WaiverWithdrawn, HostReleased, AssertedDone),
    *(AdoptAsked, Released, WayBackAsked, DrillBegan),
)

_BACK = frozenset({Phase.ROLLED_BACK, Phase.UNLINKED, Phase.REOPENED})
"""Where a way back may end."""


@dataclass
class WayBack:
    """A way back that was asked for: from where, by whom, and when it was at its end."""

    migration: str
    way: str
    by: str
    source: Phase
    asked: datetime | None
    automatic: bool
    accepted_risk: bool
    ended: datetime | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON data; ``seconds`` is the time to restore."""
        return {
            "dmsa": self.migration,
            "way": self.way,
            "by": self.by,
            "automatic": self.automatic,
            "from": self.source.value,
            "asked": iso(self.asked),
            "ended": iso(self.ended),
            "seconds": seconds_between(self.asked, self.ended),
        }


@dataclass
class Reading:
    """The rows of one run, as far as they were shown. Changed by :meth:`take_in` alone."""

    run: str
    shelf: Shelf = field(default_factory=InMemory)
    """Where is put aside what is told of one migration alone."""
    state: RunState = field(init=False)
    own_rows: Rows = field(init=False)
    """The rows that tell of one migration."""
    answers: Answers = field(init=False)
    rows: int = 0
    """How many rows of this run there were."""
    timeless: int = 0
    """How many of them have no time, because nobody could read it."""
    first_at: datetime | None = None
    server: str = ""
    """The domain controller that the first write to the directory named."""
    curves: dict[str, Curve] = field(default_factory=dict)
    restarts: list[Measured] = field(default_factory=list)
    runners: list[dict[str, Any]] = field(default_factory=list)
    words: list[dict[str, Any]] = field(default_factory=list)
    """What people said, in order; a hold by a person too."""
    earlier: dict[str, Shelved] = field(default_factory=dict)
    """The snapshots of each migration's earlier attempts, which those of the next one replaced."""
    joined: dict[str, list[str]] = field(default_factory=dict)
    """Hosts whose snapshot was taken later than the migration's."""
    ways_back: list[WayBack] = field(default_factory=list)
    drills: list[Drill] = field(default_factory=list)
    admitted: dict[str, dict[str, datetime | None]] = field(default_factory=dict)
    """By migration: when it was started, and when Complete was reached, in its last attempt."""

    def __post_init__(self) -> None:
        self.state = RunState(self.run)
        self.own_rows = Rows(self.shelf)
        self.answers = Answers(self.shelf)
        self._drill: Drill | None = None
        self._wrote_at: datetime | None = None
        self._going_back: dict[str, WayBack] = {}
        self._refused: dict[str, list[str]] = {}

    def take_in(self, row: Row) -> None:
        """Take in a row; those of other runs count for what they say of shared hosts and accounts.

        Raises:
            RowUnreadable: a row of the run is of a newer version of dmsa.
        """
        event = None
        if row.run == self.run:
            event = self._own(row)
        else:
            fold_in(self.state, row)
        self.state.touched.clear()
        if event is not None:
            self._follow_drill(event, row)

    def _own(self, row: Row) -> Event | None:
        id_ = row.body.get("migration", "")
        known = self.state.migrations.get(id_)
        was = before(self.state.restarts, id_, row.body.get("subject", "")) if row.kind in _MAY_MEASURE else None
        event = fold_in(self.state, row)
        if event is None or isinstance(event, StateFolded):
            return None
        self.rows += 1
        self.timeless += row.at is None
        self.first_at = self.first_at or row.at
        found = after(self.state.restarts, event, was) if was else None
        if found is not None:
            self.restarts.append(found)
        self._follow(event, row, known)
        return event

    def _follow(self, event: Event, row: Row, known: MigrationState | None) -> None:
        self._heard(event, row)
        match event:
            case LedgerRead():
                self.curves.setdefault(event.migration, Curve()).take_in(event, row.at)
            case HostSnapshotTaken():
                self.joined.setdefault(event.migration, []).append(event.host)
            case WayBackAsked():
                self._goes_back(event, row.at, known)
            case Released() if event.forward and known is not None:
                self._goes_forward(known)
            case Moved():
                self._moved(event, row.at)
            case CallRefused():
                self._refused.setdefault(event.migration, []).append(sentence(event))
            case AttemptStarted():
                self.server = self.server or str(event.parameters.get("Server") or "")
        self._put_aside(event, row, known)

    def _put_aside(self, event: Event, row: Row, known: MigrationState | None) -> None:
        id_ = getattr(event, "migration", None)
        if id_ is None:
            return
        self.own_rows.heard_of(id_)
        if type(event) not in FOLLOWED:
            return
        if isinstance(event, WRITES):
            self._wrote_at = row.at or self._wrote_at
        answers = self.answers.taken(event) if isinstance(event, GuardsAsked) else ()
        self.own_rows.put(id_, row, known_at=self._wrote_at, attempt=self._attempt(event, known), answers=answers)

    def _heard(self, event: Event, row: Row) -> None:
        """Note words, and who drives."""
        if isinstance(event, _WORDS) or (isinstance(event, Held) and event.by is not None):
            self.words.append(_word(event, row))
        elif isinstance(event, RunnerTook):
            self.runners.append(_runner(event, row))
        elif isinstance(event, RunnerLeft) and self.runners:
            self.runners[-1] |= {"left": iso(row.at), "why": event.reason}

    def _attempt(self, event: Any, known: MigrationState | None) -> int:
        """Return to which attempt an event belongs; the move that begins the next one belongs to that."""
        now = self.state[event.migration].attempt
        return now if known is None or isinstance(event, Moved | Released) else known.attempt

    def _goes_back(self, event: WayBackAsked, at: datetime | None, known: MigrationState | None) -> None:
        phase = known.phase if known else Phase.PLANNED
        said = (event.migration, event.way.value, event.by, phase, at)
        one = WayBack(*said, event.automatic, event.accept_password_risk)
        self.ways_back.append(one)
        self._going_back[event.migration] = one  # in the place of another, which then has no end

    def _goes_forward(self, known: MigrationState) -> None:
        self._going_back.pop(known.id, None)
        if self.state[known.id].attempt != known.attempt:
            earlier = self.earlier.setdefault(known.id, Shelved(self.shelf))
            snapshots = snapshots_of(known)
            if snapshots is not None:
                earlier.append(snapshots)

    def _moved(self, event: Moved, at: datetime | None) -> None:
        moments = self.admitted.setdefault(event.migration, {})
        if event.trigger is Trigger.START:
            moments["start"] = at
        elif event.trigger is Trigger.COMPLETE:
            moments["complete"] = at
        one = self._going_back.get(event.migration)
        ends = frozenset({Phase.ROLLED_BACK}) if one and one.way == "rollback" else _BACK
        if one is not None and event.dest in ends:
            one.ended = at
            del self._going_back[event.migration]

    def _follow_drill(self, event: Event, row: Row) -> None:
        if isinstance(event, DrillBegan):
            self._drill = Drill(self.state, event, row.at)
            self.drills.append(self._drill)
        if self._drill is None:
            return
        self._drill.legs.take_in(event, row.at, self.state)
        if isinstance(event, DrillEnded):
            self._drill.end(event, row)
            self._drill = None

    @property
    def refused_calls(self) -> list[str]:
        """What the gate refused, in this run."""
        return [said for id_ in self.own_rows for said in self._refused.get(id_, ())]


_MAY_MEASURE = frozenset({"attempt-started", "subject-done"})


def _runner(event: RunnerTook, row: Row) -> dict[str, Any]:
    said = {"by": event.by, "host": event.host, "tool": event.tool, "took": iso(row.at), "row": row.seq}
    return said | {"left": None, "why": None}


def _word(event: Any, row: Row) -> dict[str, Any]:
    given = getattr(event, "given", None)
    return {
        "row": row.seq,
        "kind": row.kind,
        "at": iso(row.at or given),
        "by": event.by,
        "about": getattr(event, "migration", None) or getattr(event, "wave", None),
        "said": sentence(event),
        "signed": getattr(event, "signature", None) is not None,
        "principal": getattr(event, "principal", None),
    }
