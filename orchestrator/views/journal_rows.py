"""A row of the journal, for people in a sentence and for programs as a document."""

from __future__ import annotations

from typing import Any

from orchestrator.journal import Row
from orchestrator.journal.chain import stamp
from orchestrator.model.replay import RowUnreadable, event_of
from orchestrator.views.sentence import sentence


def said_of(row: Row) -> str:
    """Return what happened in words; a row of a vocabulary that this version does not know is shown as it is."""
    try:
        return sentence(event_of(row))
    except RowUnreadable:
        return " ".join(f"{key}={value}" for key, value in row.body.items() if key != "migration")


def row_document(row: Row) -> dict[str, Any]:
    """Return a row as ``journal show --json`` prints it."""
    return {
        "seq": row.seq,
        "run": row.run,
        "at": stamp(row.at),
        "kind": row.kind,
        "version": row.version,
        "body": row.body,
        "epoch": row.epoch,
        "hash": row.hash,
    }
