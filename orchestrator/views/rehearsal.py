"""``rehearse --json``: the document, and its schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.plan import Migration
from orchestrator.model.state import MigrationState, Waiting
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, closed, list_of, one_of, or_null
from orchestrator.views.status import iso

_EXITS = {"enum": [0, 1, 4, 7, 8]}


@dataclass(frozen=True)
class End:
    """Where a migration stands in the end, what it waits for, and by whose word (and why) it went back, if it did."""

    migration: Migration
    state: MigrationState
    waiting: Waiting | None
    back: tuple[str, str] | None

    @property
    def sentence(self) -> str:
        """Return it for a person: completed, or the reason why not."""
        state = self.state
        back = f"; back by {self.back[0]}: {self.back[1]}" if self.back else ""
        if state.held is not None:
            return f"{state.phase}  HELD {state.held.reason}: {state.held.detail}{back}"
        waiting = f"  waits for {self.waiting.waiting_for}: {self.waiting.detail}" if self.waiting else ""
        return f"{state.phase}{waiting}{back}"


@dataclass(frozen=True)
class WaveEnd:
    """One wave in the end: how many of it came how far, and what became of its failure budget.

    ``failed`` and ``refused`` are those of its migrations that are so now; ``most_failed`` had failed at most at one
    time, and ``allowed`` is the budget as a count.
    """

    name: str
    migrations: int
    completed: int
    rolled_back: int
    failed: int
    refused: int
    allowed: int
    most_failed: int

    @property
    def sentence(self) -> str:
        """Return it for a person."""
        return (
            f"{self.completed} of {self.migrations} completed, {self.rolled_back} rolled back; "
            f"{self.failed} failed (at most {self.most_failed} at one time, {self.allowed} allowed), "
            f"{self.refused} refused before anything was written"
        )


def seed_document(
    *,
    seed: int,
    ends: Sequence[End],
    waves: Sequence[WaveEnd],
    violations: Sequence[tuple[str, str, str]],
    faults: Sequence[tuple[int, str, str, bool | None]],
    bad_hosts: Sequence[tuple[str, str, str]],
    span: tuple[datetime, datetime],
    counts: tuple[int, int],
    again: str,
) -> dict[str, Any]:
    """Return what is printed of one seed.

    Args:
        seed: its number.
        ends: each migration that was rehearsed, and where it stands in the end.
        waves: each wave in sum.
        violations: rule, subject and sentence of what must never be and was.
        faults: number, kind and sentence of what was to go wrong, and whether it did (None: nobody counts).
        bad_hosts: host, kind and sentence of each.
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
        "bad_hosts": [{"host": host, "kind": kind, "sentence": said} for host, kind, said in bad_hosts],
        "waves": [asdict(wave) for wave in waves],
        "migrations": [_migration(end) for end in ends],
        "began": iso(span[0]),
        "ended": iso(span[1]),
        "processes": counts[0],
        "rows": counts[1],
        "again": again,
    }


def _migration(end: End) -> dict[str, Any]:
    state, held, waiting = end.state, end.state.held, end.waiting
    until = iso(waiting.until) if waiting and waiting.until else None
    return {
        "account": end.migration.account,
        "dmsa": end.migration.id,
        "phase": str(state.phase),
        "intention": str(state.intention),
        "attempt": state.attempt,
        "held": {"reason": held.reason, "detail": held.detail, "release": held.release} if held else None,
        "waiting": {"for": waiting.waiting_for, "until": until, "detail": waiting.detail} if waiting else None,
        "back": {"by": end.back[0], "reason": end.back[1]} if end.back else None,
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
        waiting=or_null(closed(detail=TEXT, until=or_null(moment), **{"for": TEXT})),
        back=or_null(closed(by=TEXT, reason=TEXT)),
    )
    wave = closed(
        name=TEXT,
        **dict.fromkeys(("migrations", "completed", "rolled_back", "failed", "refused"), COUNT),
        **dict.fromkeys(("allowed", "most_failed"), COUNT),
    )
    one = closed(
        seed=COUNT,
        violations=list_of(closed(rule=TEXT, about=TEXT, sentence=TEXT)),
        faults=list_of(closed(number=NUMBER, kind=TEXT, sentence=TEXT, happened=or_null({"type": "boolean"}))),
        bad_hosts=list_of(closed(host=TEXT, kind=TEXT, sentence=TEXT)),
        waves=list_of(wave),
        migrations=list_of(migration),
        began=moment,
        ended=moment,
        processes=NUMBER,
        rows=NUMBER,
        again=TEXT,
    )
    asked = closed(plan=TEXT, digest=DIGEST, faults=TEXT, bad_hosts=or_null(TEXT), exit=_EXITS, seeds=list_of(one))
    return {"$schema": DIALECT, "title": "dmsa rehearse", **asked}
