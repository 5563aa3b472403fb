"""When the state is written into the journal, so that whoever looks need not fold the rows before it.

Whoever drives writes it, under the lease, behind rows that are on disk already. It is never what a runner begins with:
a runner folds every row itself, for what it does cannot be taken back. So a row that is wrong may show somebody a wrong
picture (``dmsa journal verify`` finds it), and sends nothing.

A state is as large as its run, and as what all runs share. Were a large one written after as few rows as a small one,
writing would take longer than what is driven, and states would fill the journal: both would grow with the square of the
run. So the rows between two grow with the state: writing costs at most so much for each row, and whoever looks folds at
most about as long as it takes to read the state (``runbooks/figures.md``, "Growth").
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
"""After how many rows, at least: so many are folded by whoever looks in about a fifth of a second."""
LARGE = 340_000
"""How many bytes a state has in the journal that is written after so many rows; a larger one is written after more, in
proportion. (About 1,200 migrations on three hosts each; or 500, with 20 such runs in one journal.)

To read a state of that size takes 0.2 s, and to fold 2,000 rows 0.15 s, or twice that where what all runs share is
asked for. To write it takes 0.1 s, where a tenth of it has changed: 50 us and 170 bytes for each of these rows, which
take a runner about 100 us each to fold, and the journal 1,000 bytes."""


class Checkpoints:
    """Counts the rows that whoever looks has to fold, and writes the state down when they are too many.

    How many that are depends on how large the last state was, of this program or another; until one is known, it counts
    as small.
    """

    def __init__(self, run: str, every: int = EVERY) -> None:
        self._run, self._every = run, every
        self._form = program()
        self._scribe = Scribe()
        self._own = self._all = 0
        self._own_size = self._shared_size = 0

    def saw(self, row: Written) -> None:
        """Count a row of the journal."""
        self.count(row.run)
        if row.kind != KIND:
            return
        self._has_size(row.run, row.body.get("own"), row.body.get("shared"))
        if row.body.get("form") == self._form:
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
        return self._form is not None and max(self._own, self._all) >= self.limit

    @property
    def limit(self) -> int:
        """After how many rows the state is written down."""
        return max(self._every, self._every * (self._own_size + self._shared_size) // LARGE)

    def entry(self, state: RunState) -> Entry:
        """Return the state as it is written down."""
        own, shared = packed(self._scribe.own(state)), packed(self._scribe.shared(state))
        self._has_size(self._run, own, shared)
        event = StateFolded(form=self._form or "", own=own, shared=shared)
        return Entry(self._run, None, KIND, VERSION, to_body(event))

    def _has_size(self, run: str, own: object, shared: object) -> None:
        """Take note of how large a state is; one that another version wrote may have neither half."""
        if isinstance(own, str) and run == self._run:
            self._own_size = len(own)
        if isinstance(shared, str):
            self._shared_size = len(shared)
