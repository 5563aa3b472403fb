"""When the state is written into the journal, so that whoever looks need not fold the rows before it.

Whoever drives writes it, under the lease, behind rows that are on disk already. It is never what a runner begins with:
a runner folds every row itself, for what it does cannot be taken back. So a row that is wrong may show somebody a wrong
picture (``dmsa journal verify`` finds it), and sends nothing.
"""

from __future__ import annotations

from orchestrator.journal import Entry
from orchestrator.journal.program import program
from orchestrator.model.event import VERSION, to_body
from orchestrator.model.folded import StateFolded
from orchestrator.model.replay import Written
from orchestrator.model.run import RunState
from orchestrator.model.sheet import Scribe, packed

KIND = StateFolded.model_fields["kind"].default
EVERY = 2_000
"""After how many rows: so many at most are folded by whoever looks, about a fifth of a second."""


class Checkpoints:
    """Counts the rows that whoever looks has to fold, and writes the state down when they are too many."""

    def __init__(self, run: str, every: int = EVERY) -> None:
        self._run, self._every = run, every
        self._form = program()
        self._scribe = Scribe()
        self._own = self._all = 0

    def saw(self, row: Written) -> None:
        """Count a row of the journal."""
        self.count(row.run)
        if row.kind == KIND and row.body.get("form") == self._form:
            self.written(row.run)

    def count(self, run: str, rows: int = 1) -> None:
        """Count rows of a run that hold no state."""
        self._all += rows
        if run == self._run:
            self._own += rows

    def written(self, run: str) -> None:
        """Count anew: the state of a run was written, and what all runs share."""
        self._all = 0
        if run == self._run:
            self._own = 0

    @property
    def due(self) -> bool:
        """Whether whoever looks at this run, or at another of the journal, has too much to fold."""
        return self._form is not None and max(self._own, self._all) >= self._every

    def entry(self, state: RunState) -> Entry:
        """Return the state as it is written down."""
        own, shared = packed(self._scribe.own(state)), packed(self._scribe.shared(state))
        event = StateFolded(form=self._form or "", own=own, shared=shared)
        return Entry(self._run, None, KIND, VERSION, to_body(event))
