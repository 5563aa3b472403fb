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
from orchestrator.model.plan import Occasion
from orchestrator.model.waiting import WaitFor
from orchestrator.views.approvals import approvals_shape
from orchestrator.views.dwelling import dwell_shape, ledger_shape
from orchestrator.views.shape import COUNT, DIALECT, TEXT, TIME, closed, list_of, one_of, or_null

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
WAITING = or_null(closed(**{"for": one_of(get_args(WaitFor)), "until": TIME, "detail": TEXT}))

__all__ = ["HELD_REASONS", "REGISTRY", "TIME", "WAITING", "status_schema"]


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
    flag = {"type": "boolean"}
    window = or_null(closed(zone=text, open=flag, closes=TIME, opens=TIME, blackout=or_null(text)))
    down = {"type": "array", "items": closed(host=text, name=text)}
    held = closed(
        reason=one_of(HELD_REASONS),
        detail=text,
        since=TIME,
        by=or_null(text),
        release=text,
        down=down,
    )
    names = list_of(TEXT)
    gate, waiver = approvals_shape()
    migration = closed(
        account={"type": "string"},
        dmsa={"type": "string"},
        phase=one_of(tuple(Phase)),
        intention=one_of(tuple(Intention)),
        attempt={"type": "integer", "minimum": 1},
        adopted={"type": "boolean"},
        failure=or_null(one_of(("refused", "failed"))),
        held=or_null(held),
        waiting=WAITING,
        dwell=dwell_shape(),
        ledger=ledger_shape(),
        waivers=list_of(waiver),
        compared=or_null(closed(equal=COUNT, declared=names, foreign=names, failed=names)),
        hosts={"type": "array", "items": host},
    )
    wave = closed(
        name={"type": "string"},
        state=one_of(get_args(WaveState)),
        waiting=WAITING,
        approvals=list_of(gate),
        windows=or_null(closed(start=window, complete=window)),
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
            receivers={"type": "array", "items": receiver_schema()},
        ),
    }


def receiver_schema() -> dict[str, Any]:
    """Return the schema of one who receives notices, and of since when he takes none."""
    silent = closed(since=TIME, why=TEXT, for_good={"type": "boolean"})
    on = list_of(one_of(get_args(Occasion)))
    return closed(receiver=TEXT, on=on, unsent=COUNT, missed=COUNT, silent=or_null(silent))


def _literals(model: type[WorkloadSeen | SubjectDone], name: str) -> tuple[Any, ...]:
    return get_args(model.model_fields[name].annotation)
