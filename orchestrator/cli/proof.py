"""Whether the states that were written into a journal are what its rows make: what ``journal verify`` folds for.

Every run is folded from its first row, and at each state that was written down the same text is made once more. What
differs was not made by those rows: somebody who can write the file put it there, and made the hashes after it anew; or
the program had a defect. The rows themselves are then still what a runner goes by, and a newer state is looked for by
whoever only looks.

A state that was made by other rules (another version of the program) cannot be made again by these, and is not used by
this program either; so it is counted, and not proved.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.journal import Journal, JournalCorrupt, Row
from orchestrator.journal.program import program
from orchestrator.model.claims import Claims
from orchestrator.model.event import Event
from orchestrator.model.folded import StateFolded
from orchestrator.model.replay import RowUnreadable, event_of, fold_in
from orchestrator.model.run import RunState
from orchestrator.model.sheet import Scribe, SheetUnreadable, unpacked
from orchestrator.model.switches import Switches

KIND: str = StateFolded.model_fields["kind"].default


@dataclass
class Proof:
    """Shown every row of a journal in order, it counts the states that are what the rows make.

    What is held in memory is where each run stands that has such a state, and no row.
    """

    runs: frozenset[str]
    """Those whose states are to be proved."""
    proved: int = 0
    unproved: int = 0
    """Made by other rules; or of a run of which this version cannot read a row, or that had none when this began."""
    _states: dict[str, RunState | None] = field(default_factory=dict)
    _shared: RunState = field(default_factory=lambda: RunState(""))
    _scribe: Scribe = field(default_factory=Scribe)
    _scribes: dict[str, Scribe] = field(default_factory=dict)

    @classmethod
    def of(cls, journal: Journal) -> Proof:
        """Return the proof of a journal's states."""
        everywhere = max(journal.head(), 1)
        return cls(frozenset(run for run in journal.runs() if journal.latest(KIND, run, everywhere)))

    def take_in(self, row: Row) -> None:
        """Fold a row in, or hold the state that it is against what was folded.

        Raises:
            JournalCorrupt: that state is not what the rows before it make.
        """
        if row.kind == KIND:
            self._judge(row)
        elif self.runs:
            self._fold(row)

    def _fold(self, row: Row) -> None:
        fold_in(self._shared, row)
        if row.run not in self.runs:
            return
        state = self._states.setdefault(row.run, RunState(row.run))
        if state is None:
            return
        try:
            fold_in(state, row)
        except RowUnreadable:
            self._states[row.run] = None
            return
        state.touched.clear()
        state.switches, state.claims = Switches(), Claims()  # what all runs share is folded once, for all of them

    def _judge(self, row: Row) -> None:
        state = self._states.setdefault(row.run, RunState(row.run))
        sheet = _sheet(row)
        if state is None or sheet is None or sheet.form != program() or row.run not in self.runs:
            self.unproved += 1
            return
        scribe = self._scribes.setdefault(row.run, Scribe())
        halves = (
            ("where the run stands", sheet.own, scribe.own(state)),
            ("hosts' switches and claims of accounts", sheet.shared, self._scribe.shared(self._shared)),
        )
        for what, package, text in halves:
            if not _is(package, text):
                raise JournalCorrupt(
                    row.seq,
                    f"the state of the run {row.run} that is written there ({what}) is not what the rows before it "
                    "make, though each of them fits the hash chain",
                )
        self.proved += 1


def _sheet(row: Row) -> StateFolded | None:
    try:
        event: Event = event_of(row)
    except RowUnreadable:
        return None
    return event if isinstance(event, StateFolded) else None


def _is(package: str, text: bytes) -> bool:
    try:
        return unpacked(package) == text
    except SheetUnreadable:
        return False
