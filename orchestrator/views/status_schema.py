"""The shape of the status document, as JSON Schema: what a program that reads ``--json`` may rely on.

The enumerations are the contract's; a test holds every document that the tests produce against this.
"""

from __future__ import annotations

from typing import Any, get_args

from orchestrator.engine.outcome import WaveState
from orchestrator.errors import Exit
from orchestrator.model.event import SubjectDone, WorkloadSeen
from orchestrator.model.guard_ids import GUARDS
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.waiting import WaitFor
from orchestrator.views.shape import COUNT, DIALECT, TEXT, closed, list_of, one_of, or_null

HELD_REASONS = (
    *(f"guard:{id_}" for id_ in GUARDS),
    "fault",
    "retries-spent",
    "unknown-outcome",
    "operator",
    "undone",
    "original-missing",
    "restored-by-hand",
    "clock",
    "budget-spent",
    "not-converged",
    "witness-disagrees",
    "hosts-missing",
)
REGISTRY = ("pending", "set", "was-set", "kept", "restored", "lost")
TIME = {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}


def status_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document that ``status --json`` and ``run --json`` print."""
    workload = closed(
        kind=one_of(_literals(WorkloadSeen, "kind")),
        name={"type": "string"},
        state=one_of(_literals(WorkloadSeen, "state")),
    )
    text = {"type": "string"}
    lost = closed(by=text, reason=text, since=TIME, before=or_null(text), left=one_of(REGISTRY))
    host = closed(
        name={"type": "string"},
        registry=one_of(REGISTRY),
        kept_for={"type": "array", "items": text},
        rebooted={"type": ["boolean", "null"]},
        restarted={"type": ["boolean", "null"]},
        allowed={"type": ["boolean", "null"]},
        discovered={"type": ["boolean", "null"]},
        workloads={"type": "array", "items": workload},
        lost=or_null(lost),
    )
    waiting = or_null(closed(**{"for": one_of(get_args(WaitFor)), "until": TIME}))
    down = {"type": "array", "items": closed(host=text, name=text)}
    held = closed(
        reason=one_of(HELD_REASONS),
        detail=text,
        since=TIME,
        by=or_null(text),
        failed={"type": "boolean"},
        release=text,
        down=down,
    )
    names = list_of(TEXT)
    migration = closed(
        account={"type": "string"},
        dmsa={"type": "string"},
        phase=one_of(tuple(Phase)),
        intention=one_of(tuple(Intention)),
        attempt={"type": "integer", "minimum": 1},
        adopted={"type": "boolean"},
        held=or_null(held),
        waiting=waiting,
        dwell=or_null(closed(started=TIME, due=TIME)),
        compared=or_null(closed(equal=COUNT, declared=names, foreign=names, failed=names)),
        hosts={"type": "array", "items": host},
    )
    wave = closed(
        name={"type": "string"},
        state=one_of(get_args(WaveState)),
        waiting=waiting,
        migrations={"type": "array", "items": migration},
    )
    return {
        "$schema": DIALECT,
        "title": "dmsa status",
        **closed(
            plan={"type": "string"},
            digest={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            exit={"enum": [int(code) for code in Exit]},
            estate_time=TIME,
            waves={"type": "array", "items": wave},
        ),
    }


def _literals(model: type[WorkloadSeen | SubjectDone], name: str) -> tuple[Any, ...]:
    return get_args(model.model_fields[name].annotation)
