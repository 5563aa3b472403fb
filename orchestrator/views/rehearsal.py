"""``rehearse --json``: the document, and its schema."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.plan import Migration
from orchestrator.model.state import MigrationState
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, closed, list_of, one_of, or_null
from orchestrator.views.status import iso


def seed_document(
    *,
    seed: int,
    states: Sequence[tuple[Migration, MigrationState]],
    violations: Sequence[tuple[str, str, str]],
    faults: Sequence[tuple[int, str, str, bool | None]],
    span: tuple[datetime, datetime],
    counts: tuple[int, int],
    again: str,
) -> dict[str, Any]:
    """Return what is printed of one seed.

    Args:
        seed: its number.
        states: each migration that was rehearsed, and where it stands in the end.
        violations: rule, subject and sentence of what must never be and was.
        faults: number, kind and sentence of what was to go wrong, and whether it did (None: nobody counts).
        span: when it began and ended, in estate time.
        counts: how many processes there were, and rows of the journal.
        again: the command that plays the same again.
    """
    return {
        "seed": seed,
        "violations": [{"rule": rule, "about": about, "sentence": said} for rule, about, said in violations],
        "faults": [
            {"number": number, "kind": kind, "sentence": said, "happened": happened}
            for number, kind, said, happened in faults
        ],
        "migrations": [_migration(migration, state) for migration, state in states],
        "began": iso(span[0]),
        "ended": iso(span[1]),
        "processes": counts[0],
        "rows": counts[1],
        "again": again,
    }


def _migration(migration: Migration, state: MigrationState) -> dict[str, Any]:
    held = state.held
    return {
        "account": migration.account,
        "dmsa": migration.id,
        "phase": str(state.phase),
        "intention": str(state.intention),
        "attempt": state.attempt,
        "held": {"reason": held.reason, "detail": held.detail, "release": held.release} if held else None,
    }


def rehearsal_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document that ``rehearse --json`` prints."""
    moment = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"}
    held = closed(reason=TEXT, detail=TEXT, release=TEXT)
    migration = closed(
        account=TEXT,
        dmsa=TEXT,
        phase=one_of(Phase),
        intention=one_of(Intention),
        attempt=NUMBER,
        held=or_null(held),
    )
    one = closed(
        seed=COUNT,
        violations=list_of(closed(rule=TEXT, about=TEXT, sentence=TEXT)),
        faults=list_of(closed(number=NUMBER, kind=TEXT, sentence=TEXT, happened=or_null({"type": "boolean"}))),
        migrations=list_of(migration),
        began=moment,
        ended=moment,
        processes=NUMBER,
        rows=NUMBER,
        again=TEXT,
    )
    document = closed(plan=TEXT, digest=DIGEST, faults=TEXT, exit={"enum": [0, 1, 4, 7, 8]}, seeds=list_of(one))
    return {"$schema": DIALECT, "title": "dmsa rehearse", **document}
