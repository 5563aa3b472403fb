"""The shape of the status document, as JSON Schema: what a program that reads ``--json`` may rely on.

The enumerations are the contract's; a test holds every document that the tests produce against this.
"""

from __future__ import annotations

from typing import Any, get_args

from orchestrator.engine.outcome import WaveState
from orchestrator.errors import Exit
from orchestrator.model.event import SubjectDone, WaitFor, WorkloadSeen
from orchestrator.model.guard_ids import GUARDS
from orchestrator.model.lifecycle import Intention, Phase

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
    "hosts-missing",
)
REGISTRY = ("pending", "set", "was-set", "kept", "restored", "lost")
TIME = {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}


def status_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document that ``status --json`` and ``run --json`` print."""
    workload = _closed(
        kind=_one_of(_literals(WorkloadSeen, "kind")),
        name={"type": "string"},
        state=_one_of(_literals(WorkloadSeen, "state")),
    )
    host = _closed(
        name={"type": "string"},
        registry=_one_of(REGISTRY),
        rebooted={"type": ["boolean", "null"]},
        restarted={"type": ["boolean", "null"]},
        allowed={"type": ["boolean", "null"]},
        workloads={"type": "array", "items": workload},
    )
    waiting = _or_null(_closed(**{"for": _one_of(get_args(WaitFor)), "until": TIME}))
    held = _closed(reason=_one_of(HELD_REASONS), detail={"type": "string"}, since=TIME, release={"type": "string"})
    migration = _closed(
        account={"type": "string"},
        dmsa={"type": "string"},
        phase=_one_of(tuple(Phase)),
        intention=_one_of(tuple(Intention)),
        attempt={"type": "integer", "minimum": 1},
        held=_or_null(held),
        waiting=waiting,
        dwell=_or_null(_closed(started=TIME, due=TIME)),
        hosts={"type": "array", "items": host},
    )
    wave = _closed(
        name={"type": "string"},
        state=_one_of(get_args(WaveState)),
        waiting=waiting,
        migrations={"type": "array", "items": migration},
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dmsa status",
        **_closed(
            plan={"type": "string"},
            digest={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            exit={"enum": [int(code) for code in Exit]},
            estate_time=TIME,
            waves={"type": "array", "items": wave},
        ),
    }


def _closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _one_of(values: tuple[Any, ...]) -> dict[str, Any]:
    return {"enum": [str(value) for value in values]}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _literals(model: type[WorkloadSeen | SubjectDone], name: str) -> tuple[Any, ...]:
    return get_args(model.model_fields[name].annotation)
