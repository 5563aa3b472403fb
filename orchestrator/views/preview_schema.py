"""The shapes of what ``preview --json`` prints: the prediction, and how it agrees with what was done."""

from __future__ import annotations

from typing import Any

from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.preview.against import Verdict
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, TEXT, closed, list_of, one_of, or_null

_ANY: dict[str, Any] = {}
_YES_OR_NO = {"type": "boolean"}


def preview_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of ``preview``."""
    kind = one_of(("service", "app-pool", "task", "computer"))
    again = {"host": TEXT, "kind": kind, "name": TEXT, "with": list_of(TEXT)}
    sent = closed(
        step=one_of(Trigger),
        subject=TEXT,
        cmdlet=or_null(TEXT),
        parameters={"type": "object"},
        changes=list_of(closed(**{"object": TEXT, "name": TEXT, "from": _ANY, "to": _ANY})),
        restarts=list_of(closed(**again)),
    )
    migration = closed(
        account=TEXT,
        dmsa=TEXT,
        phase=one_of(Phase),
        ends=one_of(Phase),
        held=or_null(closed(reason=TEXT, detail=TEXT, unknown=_YES_OR_NO)),
        waiting=or_null(closed(**{"for": TEXT, "detail": TEXT})),
        waits=list_of(TEXT),
        lasts=or_null(COUNT),
        sends=list_of(sent),
        ways_back=list_of(closed(phase=one_of(Phase), ends=one_of(Phase), why=TEXT, sends=list_of(sent))),
    )
    radius = closed(
        accounts=COUNT,
        hosts=list_of(TEXT),
        restarts=list_of(closed(**again, times=COUNT)),
        each_at_most=or_null(TEXT),
    )
    document = closed(
        plan=TEXT,
        digest=DIGEST,
        exit={"enum": [0, 4, 7]},
        estate_time=or_null(TEXT),
        journal_rows=COUNT,
        given=list_of(TEXT),
        waves=list_of(closed(name=TEXT, radius=radius, migrations=list_of(migration))),
    )
    return {"$schema": DIALECT, "title": "dmsa preview", **document}


def foretold_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of ``preview --against``."""
    row = closed(dmsa=TEXT, step=or_null(one_of(Trigger)), what=TEXT, verdict=one_of(Verdict), why=TEXT)
    document = closed(
        plan=TEXT,
        digest=DIGEST,
        exit={"enum": [0, 5]},
        predicted_at=or_null(TEXT),
        journal_rows=closed(**{"from": COUNT, "to": COUNT}),
        counts=closed(**{verdict.value: COUNT for verdict in Verdict}),
        share=or_null({"type": "number", "minimum": 0, "maximum": 1}),
        found=list_of(row),
    )
    return {"$schema": DIALECT, "title": "dmsa preview --against", **document}
