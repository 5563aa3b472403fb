"""The shapes of what ``expect --json`` and ``reconcile --json`` print: what a program that reads them may rely on."""

from __future__ import annotations

from typing import Any

from orchestrator.expectation import IDS
from orchestrator.model.lifecycle import Trigger
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, closed, list_of, one_of, or_null

_YES_NO = {"type": "boolean"}


def expectation_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of ``expect``."""
    expected = closed(
        step=one_of(Trigger),
        done=_YES_NO,
        cmdlet=TEXT,
        computer=TEXT,
        by=TEXT,
        log=TEXT,
        events=list_of(NUMBER),
        object=TEXT,
        attribute=TEXT,
        old=TEXT,
        new=TEXT,
        sure=_YES_NO,
        basis=one_of(("journal", "window", "any-time")),
        times=list_of({**closed(**{"from": or_null(TEXT), "until": or_null(TEXT)})}),
        note=TEXT,
        source=TEXT,
    )
    migration = closed(wave=TEXT, dmsa=TEXT, account=TEXT, expected=list_of(expected))
    document = closed(
        plan=TEXT, digest=DIGEST, operator=or_null(TEXT), estate_time=or_null(TEXT), migrations=list_of(migration)
    )
    return {"$schema": DIALECT, "title": "dmsa expect", **document}


def reconciliation_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of ``reconcile``."""
    event = closed(line=NUMBER, event=NUMBER, at=or_null(TEXT), computer=TEXT)
    finding = closed(
        id=one_of(IDS),
        means=TEXT,
        migration=or_null(TEXT),
        object=TEXT,
        by=TEXT,
        says=TEXT,
        why=TEXT,
        next=TEXT,
        events=list_of(event),
    )
    counts = closed(
        events=COUNT,
        explained=COUNT,
        unexplained=COUNT,
        not_ours=COUNT,
        repeated=COUNT,
        changes_found=COUNT,
        changes_missing=COUNT,
        events_missing=COUNT,
    )
    document = closed(
        plan=TEXT,
        digest=DIGEST,
        exit={"enum": [0, 4]},
        basis=one_of(("journal", "windows")),
        operators=list_of(TEXT),
        migrations=list_of(TEXT),
        counts=counts,
        findings=list_of(finding),
        notes=list_of(TEXT),
    )
    return {"$schema": DIALECT, "title": "dmsa reconcile", **document}
