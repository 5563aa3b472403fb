"""The journal: the append-only, hash-chained history of runs, and the lease that says who may drive.

The only room that touches storage. :func:`open_journal` opens the one on disk, :class:`MemoryJournal` is its twin
for simulation; both keep the contract of :class:`Journal`.
"""

from orchestrator.journal.errors import JournalConflict, JournalCorrupt, JournalHeld, JournalUnusable, LeaseLost
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.opening import journal_file, open_journal
from orchestrator.journal.protocol import Entry, Journal, Lease, Row, Verdict

__all__ = [
    "Entry",
    "Journal",
    "JournalConflict",
    "JournalCorrupt",
    "JournalHeld",
    "JournalUnusable",
    "Lease",
    "LeaseLost",
    "MemoryJournal",
    "Row",
    "Verdict",
    "journal_file",
    "open_journal",
]
