"""One migration's history, step by step: what was asked, sent, answered, read back, waited for, and said by people.

A chapter is everything between two moves. Its entries are the journal's rows in their order, in the journal's own words
(:func:`orchestrator.views.sentence.sentence`); a write and its end are one entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from orchestrator.model.before import Compared, HostSnapshotTaken, SnapshotRepeated, SnapshotTaken
from orchestrator.model.drilled import SteadyStateSeen
from orchestrator.model.driven import CallRefused
from orchestrator.model.event import (
    Admitted,
    AttemptFinished,
    AttemptSettled,
    AttemptStarted,
    BaselineRead,
    Event,
    GuardsAsked,
    Held,
    Moved,
    Recovered,
    Released,
    RetryDue,
    ShellEnded,
    SubjectDone,
    WaitBegan,
    WayBackAsked,
)
from orchestrator.model.words import AdoptAsked, AssertedDone, HostReleased, WaiverApproved, WaiverWithdrawn
from orchestrator.views.drill_legs import seconds_between
from orchestrator.views.moment import iso
from orchestrator.views.sentence import sentence

Entry: TypeAlias = dict[str, Any]

KINDS: Mapping[type, str] = {
    GuardsAsked: "guards",
    SnapshotTaken: "snapshot",
    SnapshotRepeated: "snapshot",
    HostSnapshotTaken: "snapshot",
    Compared: "compared",
    Admitted: "admitted",
    AttemptStarted: "write",
    BaselineRead: "clock",
    SubjectDone: "read-back",
    Moved: "moved",
    WaitBegan: "wait",
    RetryDue: "retry",
    Recovered: "recovered",
    Held: "held",
    Released: "word",
    WayBackAsked: "word",
    HostReleased: "word",
    AssertedDone: "word",
    AdoptAsked: "word",
    WaiverApproved: "word",
    WaiverWithdrawn: "word",
    CallRefused: "refused",
    SteadyStateSeen: "drill",
}
"""What each event is called in a report. Readings of the ledger are drawn as a curve and are no entries."""
FOLLOWED = frozenset({*KINDS, AttemptFinished, ShellEnded, AttemptSettled})
"""What makes an entry, or says more of one."""
OUTCOMES = ("succeeded", "failed", "unknown", "open")
"""How a write ended; ``open``: by the journal it has not ended yet."""


@dataclass
class Chapter:
    """Everything of one migration from one move to the next; ``move`` is None while the next has not come."""

    attempt: int
    began: datetime | None = None
    ended: datetime | None = None
    move: Moved | None = None
    entries: list[Entry] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return it as JSON data."""
        move = self.move
        return {
            "attempt": self.attempt,
            "step": move.trigger.value if move else None,
            "from": move.source.value if move else None,
            "to": move.dest.value if move else None,
            "pair": move.pair.value if move and move.pair else None,
            "began": iso(self.began),
            "ended": iso(self.ended),
            "seconds": seconds_between(self.began, self.ended),
            "entries": self.entries,
        }


class Chapters:
    """The history of one migration. Changed by :meth:`take_in` alone."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Entry, datetime | None]] = {}
        self._waits: dict[tuple[str, str], Entry] = {}
        self.told: list[Chapter] = []

    def take_in(self, event: Event, seq: int, at: datetime | None, attempt: int, answers: Sequence[int] = ()) -> None:
        """Follow one event.

        Args:
            event: what happened; of a kind that is not in :data:`FOLLOWED` it changes nothing.
            seq: the number of its row.
            at: estate time.
            attempt: the migration's number with it.
            answers: the numbers of what guards said with it.
        """
        match event:
            case AttemptFinished():
                self._ended(event, at)
            case ShellEnded():
                self._noted(event.subject, "shell_ended", at)
            case AttemptSettled():
                self._noted(event.subject, "settled", at)
                self._open.pop(event.subject, None)
            case _ if type(event) in KINDS:
                self._entered(event, seq, at, attempt, answers)

    def _entered(self, event: Event, seq: int, at: datetime | None, attempt: int, answers: Sequence[int]) -> None:
        if isinstance(event, WaitBegan) and self._waits_on(event, at):
            return
        chapter = self._chapter(attempt, at)
        entry = _entry(event, seq, at) | {"answers": list(answers)}
        chapter.entries.append(entry)
        match event:
            case AttemptStarted():
                self._open[event.subject] = (entry, at)
            case WaitBegan():
                self._waits[event.subject, event.waiting_for] = entry
            case Moved():
                chapter.move, chapter.ended = event, at
                self._waits.clear()

    def _chapter(self, attempt: int, at: datetime | None) -> Chapter:
        if not self.told or self.told[-1].move is not None:
            self.told.append(Chapter(attempt, at))
        return self.told[-1]

    def _waits_on(self, event: WaitBegan, at: datetime | None) -> bool:
        """Whether it still waits for what it waited for before: that is one entry, with what was last said."""
        known = self._waits.get((event.subject, event.waiting_for))
        if known is None:
            return False
        known["said"], known["ended"], known["times"] = sentence(event), iso(at), known["times"] + 1
        return True

    def _ended(self, event: AttemptFinished, at: datetime | None) -> None:
        found = self._open.get(event.subject)
        if found is None:
            return
        entry, began = found
        entry["outcome"], entry["ended"] = event.outcome.value, iso(at)
        entry["seconds"] = seconds_between(began, at)
        if event.fault is not None:
            entry["fault"] = {"code": event.fault.code, "message": event.fault.message, "remedy": event.fault.remedy}
        if entry["outcome"] != "unknown":
            del self._open[event.subject]

    def _noted(self, subject: str, name: str, at: datetime | None) -> None:
        if subject in self._open:
            self._open[subject][0][name] = iso(at) or "time not read"


def _entry(event: Any, seq: int, at: datetime | None) -> Entry:
    kind = KINDS[type(event)]
    subject = getattr(event, "subject", None) or getattr(event, "host", None)
    return {
        "row": seq,
        "at": iso(at),
        "kind": kind,
        "where": subject,
        "said": sentence(event),
        "times": 1,
        "outcome": "open" if kind == "write" else None,
        "ended": None,
        "seconds": None,
        "fault": _fault(event) if isinstance(event, RetryDue) else None,
        "shell_ended": None,
        "settled": None,
        "read": _read(event),
        "answers": [],
    }


def _fault(event: RetryDue) -> dict[str, str]:
    return {"code": event.fault.code, "message": event.fault.message, "remedy": event.fault.remedy}


def _read(event: Any) -> str | None:
    """Return what a read-back showed, beyond its sentence: what each copy said, and a second reader."""
    if not isinstance(event, SubjectDone):
        return None
    said: list[str] = []
    for name in ("read", "witness"):
        found = event.evidence.get(name) or []
        said += map(str, found if isinstance(found, list) else [found])
    return "; ".join(said) or None
