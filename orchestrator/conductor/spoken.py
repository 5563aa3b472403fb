"""What operators have said since, for the threads that carry writes: the loop may not have heard it yet.

A word reaches the journal and is acknowledged; the runner's loop takes it in at its next turn. A write whose intent
went to disk just before may still wait for a session then. It is decided anew once somebody has spoken about its
migration: so no write begins after a hold was acknowledged, however many calls are under way.
"""

from __future__ import annotations

from threading import Lock

from orchestrator.journal import Journal, Row
from orchestrator.model.decided_anew import ABOUT_ALL, ABOUT_ONE


class Spoken:
    """What was said last about each migration of a run, and in which row; for any number of threads."""

    def __init__(self, run: str, journal: Journal) -> None:
        """Listen from the journal's end on."""
        self._run, self._journal = run, journal
        self._read = journal.head()
        self._all = 0
        self._last: dict[str, int] = {}
        self._lock = Lock()

    def after(self, row: int, migration: str) -> bool:
        """Whether somebody has spoken about a migration, or about the whole run, after a row.

        Raises:
            JournalUnusable: the journal cannot be read now.
        """
        with self._lock:
            if self._journal.head() != self._read:
                for one in self._journal.read(after=self._read):
                    self._take_in(one)
            return max(self._all, self._last.get(migration, 0)) > row

    def _take_in(self, row: Row) -> None:
        self._read = row.seq
        if row.epoch is not None or row.run != self._run:
            return
        if row.kind in ABOUT_ALL:
            self._all = row.seq
        elif row.kind in ABOUT_ONE:
            self._last[str(row.body.get("migration"))] = row.seq
