"""The shape of what ``preflight --json`` prints: what a program that reads it may rely on."""

from __future__ import annotations

from typing import Any

from orchestrator.model.guard_ids import GUARDS
from orchestrator.model.lifecycle import Phase
from orchestrator.views.approvals import approvals_shape
from orchestrator.views.preflight import GATES
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, TEXT, closed, list_of, one_of, or_null


def preflight_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of ``preflight``."""
    yes_or_no = {"type": "boolean"}
    guard = closed(
        guard=one_of(GUARDS),
        subject=TEXT,
        verdict=one_of(("pass", "refuse", "unknown")),
        waived=yes_or_no,
        waiting=yes_or_no,
        evidence=TEXT,
        remedy=TEXT,
    )
    migration = closed(
        account=TEXT,
        dmsa=TEXT,
        phase=one_of(Phase),
        gate=or_null(one_of(GATES.values())),
        waiting=or_null(closed(**{"for": TEXT, "until": or_null(TEXT)})),
        guards=list_of(guard),
    )
    gate_of_wave, _ = approvals_shape()
    document = closed(
        plan=TEXT,
        digest=DIGEST,
        exit={"enum": [0, 4, 7]},
        estate_time=or_null(TEXT),
        counts=closed(**dict.fromkeys(("pass", "refuse", "unknown", "waived", "waiting"), COUNT)),
        stray_links=or_null(list_of(closed(dn=TEXT, says=TEXT))),
        waves=list_of(closed(name=TEXT, approvals=list_of(gate_of_wave), migrations=list_of(migration))),
    )
    return {"$schema": DIALECT, "title": "dmsa preflight", **document}
