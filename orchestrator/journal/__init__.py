"""The journal: the append-only, hash-chained history of runs, and the lease that says who may drive.

The only room that touches storage. :func:`open_journal` opens the one on disk, :class:`MemoryJournal` is its twin
for simulation; both keep the contract of :class:`Journal`. With a mirror every row is on a second disk too, from which
:func:`restore` rebuilds a journal that was lost.
"""

from orchestrator.journal.errors import (
    ExportUnusable,
    JournalConflict,
    JournalCorrupt,
    JournalHeld,
    JournalUnusable,
    LeaseLost,
    MirrorCorrupt,
    MirrorTaken,
    MirrorUnusable,
)
from orchestrator.journal.export import write_export
from orchestrator.journal.line import line_of
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.opening import beside_journal, in_database, is_there, journal_file, open_jobs, open_journal
from orchestrator.journal.protocol import Entry, Journal, Lease, Row, Verdict
from orchestrator.journal.restoring import Reflection, Restored, hold_against, restore

__all__ = [
    "Entry",
    "ExportUnusable",
    "Journal",
    "JournalConflict",
    "JournalCorrupt",
    "JournalHeld",
    "JournalUnusable",
    "Lease",
    "LeaseLost",
    "MemoryJournal",
    "MirrorCorrupt",
    "MirrorTaken",
    "MirrorUnusable",
    "Reflection",
    "Restored",
    "Row",
    "Verdict",
    "beside_journal",
    "hold_against",
    "in_database",
    "is_there",
    "journal_file",
    "line_of",
    "open_jobs",
    "open_journal",
    "restore",
    "write_export",
]
