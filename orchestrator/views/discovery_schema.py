"""The shape of what ``discover --json`` prints: what a program that reads it may rely on."""

from __future__ import annotations

from typing import Any, get_args

from orchestrator.discovery.found import WorkloadKind
from orchestrator.model.guard_ids import GUARDS
from orchestrator.views.shape import COUNT, DIALECT, TEXT, closed, list_of, one_of, or_null

_FLAG = {"type": "boolean"}


def discovery_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of ``discover``."""
    account = closed(
        **{"class": or_null(TEXT)},
        account=TEXT,
        dn=or_null(TEXT),
        fault=or_null(TEXT),
        dmsa=or_null(TEXT),
        sam=or_null(TEXT),
        upn=or_null(TEXT),
        enabled=_FLAG,
        spns=list_of(TEXT),
        delegation=closed(unconstrained=_FLAG, any_protocol=_FLAG, to=list_of(TEXT), by=list_of(TEXT)),
        last_log_on=or_null(TEXT),
        password_set=or_null(TEXT),
        privileged=list_of(TEXT),
        hosts=list_of(TEXT),
    )
    workload = closed(
        kind=one_of(get_args(WorkloadKind)),
        name=TEXT,
        account=TEXT,
        log_on=TEXT,
        domain_named=_FLAG,
        state=or_null(TEXT),
        start_mode=or_null(TEXT),
    )
    host = closed(
        name=TEXT,
        fault=or_null(TEXT),
        troubles=list_of(TEXT),
        build=or_null(COUNT),
        domain_controller=_FLAG,
        cluster=_FLAG,
        workloads=list_of(workload),
    )
    decision = closed(
        account=or_null(TEXT), host=or_null(TEXT), guard=or_null(one_of(GUARDS)), waivable=_FLAG, text=TEXT
    )
    document = closed(
        plan=or_null(TEXT),
        exit={"enum": [0, 4]},
        estate_time=or_null(TEXT),
        domain=TEXT,
        accounts=list_of(account),
        hosts=list_of(host),
        left_out=list_of(closed(computer=TEXT, why=TEXT)),
        decisions=list_of(decision),
    )
    return {"$schema": DIALECT, "title": "dmsa discover", **document}
