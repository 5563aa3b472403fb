"""Why a journal says no. Facts are attributes; the text is complete as it stands, for the person who reads it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import ClassVar

from orchestrator.errors import Exit, OrchestratorError


class JournalConflict(OrchestratorError):
    """Somebody appended first; nothing was written. Read what is new, decide again, append again."""

    exit_code = Exit.JOURNAL_HELD

    def __init__(self, expected: int, found: int) -> None:
        self.expected, self.found = expected, found
        super().__init__(
            f"the journal stands at row {found}, not at row {expected} as expected: somebody else wrote to it. "
            "Nothing was written. Run the same command again; it reads the new rows first"
        )


class JournalHeld(OrchestratorError):
    """Another runner drives; nothing was written."""

    exit_code = Exit.JOURNAL_HELD

    def __init__(self, holder: str, since: datetime | None, until: datetime | None = None) -> None:
        """*until* is when the lease is over unless it is renewed, where leases have a time."""
        self.holder, self.since, self.until = holder, since, until
        when = "" if since is None else f" since {since:%Y-%m-%d %H:%M:%S} UTC"
        lapses = "" if until is None else f"; if it has died, the lease is over at {until:%H:%M:%S} UTC"
        super().__init__(
            f"the journal is held by {holder}{when}. Nothing was written. "
            f"Wait until that run ends, or end it there{lapses}; `dmsa status` can be read meanwhile"
        )


class LeaseLost(OrchestratorError):
    """The lease is not, or no longer, the current one; nothing was written, and nothing may be sent any more."""

    exit_code = Exit.JOURNAL_HELD

    def __init__(self, epoch: int, current: int, holder: str | None) -> None:
        self.epoch, self.current, self.holder = epoch, current, holder
        who = "nobody" if holder is None else holder
        super().__init__(
            f"this run held the journal in epoch {epoch}; it is in epoch {current} now, held by {who}. "
            "Nothing was written, and this run sends nothing more. `dmsa status` shows how things stand"
        )


class MirrorTaken(LeaseLost):
    """Somebody else has continued this run's mirror: he drives now, from a journal of his own. Nothing was written,
    and nothing may be sent any more.
    """

    def __init__(self, path: Path, epoch: int, current: int, rows: int) -> None:
        self.epoch, self.current, self.holder = epoch, current, None
        self.path, self.rows = path, rows
        written = f", written in epoch {current}," if current else ","
        OrchestratorError.__init__(
            self,
            f"the mirror {path} no longer ends where this run left it, but at row {rows}{written} "
            "with rows that this journal does not have: another runner has taken the run over from the mirror. Nothing "
            "was written, and this run sends nothing more. That runner's journal is the run's from now on; "
            "do not run from this one again",
        )


class JournalUnusable(OrchestratorError):
    """The place named cannot serve as a journal, or not now. It was left as it is."""

    exit_code = Exit.INVALID
    thing: ClassVar[str] = "journal"

    def __init__(self, place: Path | str, cause: str, remedy: str) -> None:
        self.place, self.cause, self.remedy = place, cause, remedy
        super().__init__(f"{self.thing} {place}: {cause}. {remedy}")


class MirrorUnusable(JournalUnusable):
    """The file named cannot be this journal's mirror, or not now."""

    thing = "mirror"


class ExportUnusable(JournalUnusable):
    """The file named cannot be written."""

    thing = "export"


class JournalCorrupt(OrchestratorError):
    """The journal is ours, but is not what was written to it. ``seq`` is the first row that is wrong, 0 if
    the fault lies with no row.

    The exit code is that of an input which cannot be used (3): a run that meets such a journal does nothing.
    ``dmsa journal verify``, whose very question is this one, answers with 5 instead.
    """

    exit_code = Exit.INVALID

    def __init__(self, seq: int, why: str) -> None:
        self.seq, self.why = seq, why
        where = f" at row {seq}" if seq else ""
        super().__init__(
            f"the journal is damaged or was altered{where}: {why}. Nothing was written. Keep the file as it "
            "is for whoever investigates, put the newest good copy in its place, "
            "and compare it with Active Directory before anything moves"
        )


class MirrorCorrupt(JournalCorrupt):
    """A mirror or an export is not what was written to it. ``seq`` is the row that belongs where it is wrong first,
    0 if the fault lies with no row.
    """

    def __init__(self, path: Path, seq: int, why: str) -> None:
        self.path, self.seq, self.why = path, seq, why
        where = f" at row {seq}, line {seq}" if seq else ""
        good = "The rows before it are as they were written. " if seq > 1 else ""
        OrchestratorError.__init__(
            self,
            f"the mirror {path} is damaged, was altered, or is no mirror{where}: {why}. Nothing was written. {good}"
            "Keep the file as it is for whoever investigates, and look for another copy: the journal itself, "
            "another mirror, an export",
        )
