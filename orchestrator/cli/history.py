"""A run as its journal tells it, for verbs that read it or add a word; nothing that talks to hosts is loaded here."""

from __future__ import annotations

import contextlib
from pathlib import Path

from orchestrator.errors import InputInvalid
from orchestrator.journal import Journal, journal_file, open_journal
from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from orchestrator.planfile import Loaded


def open_existing(place: str, mirror: Path | None = None) -> Journal | None:
    """Open a journal that is there; None where no run has begun yet.

    Raises:
        MirrorUnusable: the mirror cannot be written, or is not this journal's.
        JournalUnusable: it cannot be opened; also where only what lies beside a journal is left of it.
    """
    file = journal_file(place)
    left = any(file.with_name(file.name + end).exists() for end in ("", ".head", "-wal"))
    return open_journal(place, create=False, mirror=mirror) if left else None


def driver_of(place: str) -> str | None:
    """Return who drives now; None if nobody does."""
    journal = open_existing(place)
    if journal is None:
        return None
    with contextlib.closing(journal):
        lease = journal.holder()
    return lease.holder if lease else None


def replay(journal: Journal | None, plan: str) -> tuple[RunState, int]:
    """Fold the journal's rows into a run; return its state and the number of the journal's last row that was read.

    Raises:
        RowUnreadable: a row of the run is of a newer version of dmsa.
    """
    state, head = RunState(plan), 0
    if journal is not None:
        for row in journal.read():
            head = row.seq
            fold_in(state, row)
    return state, head


def refuse_other_plan(state: RunState, loaded: Loaded) -> None:
    """Refuse to go on with a plan that is not the one the run began with.

    Raises:
        InputInvalid: the digests differ.
    """
    if state.digest is not None and state.digest != loaded.digest:
        raise InputInvalid(
            f"{loaded.path} is not the plan that the run {loaded.plan.name} goes by (digest {loaded.digest[:12]}, "
            f"the journal has {state.digest[:12]}). Nothing was done. `dmsa amend {loaded.path}` shows the difference "
            "and accepts it; or use the plan as it was, or another --journal."
        )
