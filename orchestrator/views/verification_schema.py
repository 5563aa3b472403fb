"""The shape of what ``verify --json`` prints: what a program that reads it may rely on."""

from __future__ import annotations

from typing import Any, get_args

from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.verification import IDS, Verdict
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, closed, list_of, one_of, or_null


def verification_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of ``verify``."""
    finding = closed(
        id=one_of(IDS),
        verdict=one_of(get_args(Verdict)),
        subject=TEXT,
        there=TEXT,
        should=TEXT,
        since=or_null(closed(at=TEXT, how=one_of(("right-until", "first-seen")))),
        next=TEXT,
    )
    migration = closed(
        account=TEXT,
        dmsa=TEXT,
        phase=one_of(Phase),
        intention=one_of(Intention),
        attempt=NUMBER,
        lost=list_of(TEXT),
        as_journaled={"type": "boolean"},
        findings=list_of(finding),
    )
    document = closed(
        plan=TEXT,
        digest=DIGEST,
        exit={"enum": [0, 4, 5, 7]},
        estate_time=or_null(TEXT),
        counts=closed(migrations=COUNT, as_journaled=COUNT, drift=COUNT, unknown=COUNT, under_way=COUNT),
        waves=list_of(closed(name=TEXT, migrations=list_of(migration))),
    )
    return {"$schema": DIALECT, "title": "dmsa verify", **document}
