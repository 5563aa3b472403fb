"""How a changed plan differs from the one a run goes by, what follows, and what forbids it: for people and programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

from orchestrator.engine.amendment import Amendment, Kind
from orchestrator.engine.difference import Change
from orchestrator.errors import Exit
from orchestrator.model.plan import Approvals, Policy, Retry
from orchestrator.model.written import write_duration
from orchestrator.views.shape import DIALECT, DIGEST, TEXT, closed, list_of, one_of, or_null
from orchestrator.views.summary import advice

_DURATIONS = frozenset(
    name
    for model in (Policy, Retry, Approvals)
    for name, field in model.model_fields.items()
    if field.annotation is timedelta
)
_SAYS: dict[str, str] = {
    "migration-joins": "joins the plan",
    "migration-leaves": "leaves the plan",
    "host-joins": "joins",
    "returns-to-linked": "returns to linked",
    "duties-stay": "restore duties stay",
    "workloads-change": "restore duties stay",
    "as-found": "means the same",
    "approvals-fall": "approvals fall",
    "stays-held": "stays held",
}


def amendment_document(
    plan: str, digests: tuple[str, str], found: Amendment, *, accepted: bool, typed: str
) -> dict[str, Any]:
    """Return the document that ``amend --json`` prints.

    Args:
        plan: the plan's name.
        digests: the identity of the plan that the run goes by, and of the changed one.
        found: what was found.
        accepted: whether it was written down.
        typed: the plan (and journal) as a person would give them to the next command.
    """
    return {
        "plan": plan,
        "from": digests[0],
        "to": digests[1],
        "accepted": accepted,
        "exit": int(Exit.INVALID if found.refusals else Exit.DONE),
        "changes": [
            {"wave": one.wave, "migration": one.migration, "key": one.key, "from": one.before, "to": one.after}
            for one in found.changes
        ],
        "follows": [
            {"migration": one.migration, "what": one.what, "detail": advice(one.detail, typed)} for one in found.follows
        ],
        "refusals": [advice(refusal, typed) for refusal in found.refusals],
    }


def amendment_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of that document."""
    change = closed(wave=or_null(TEXT), migration=or_null(TEXT), key=TEXT, **{"from": {}, "to": {}})
    follows = closed(migration=or_null(TEXT), what=one_of(get_args(Kind)), detail=TEXT)
    whole = closed(
        plan=TEXT,
        accepted={"type": "boolean"},
        exit={"enum": [int(Exit.DONE), int(Exit.INVALID)]},
        changes=list_of(change),
        follows=list_of(follows),
        refusals=list_of(TEXT),
        **{"from": DIGEST, "to": DIGEST},
    )
    return {"$schema": DIALECT, "title": "dmsa amend", **whole}


def amendment_text(document: dict[str, Any], changes: tuple[Change, ...], typed: str) -> str:
    """Return the same as text; *changes* are those of the document."""
    return "\n".join(_lines(document, changes, typed))


def _lines(document: dict[str, Any], changes: tuple[Change, ...], typed: str) -> Iterator[str]:
    if document["from"] == document["to"]:
        yield f"{document['plan']} goes by this plan already (digest {document['to'][:12]}). Nothing was done."
        return
    yield f"The run {document['plan']} goes by {document['from'][:12]}; this plan is {document['to'][:12]}."
    about = None
    for change in changes:
        if (change.wave, change.migration) != about:
            about = change.wave, change.migration
            yield f"\n{_about(change)}"
        yield f"  {_change(change)}"
    if document["follows"]:
        yield "\nWhat follows"
    for follows in document["follows"]:
        of = f"{follows['migration']} " if follows["migration"] else ""
        yield f"  {of}{_SAYS[follows['what']]}: {follows['detail']}"
    yield ""
    if document["refusals"]:
        yield "Refused; nothing was done."
        yield from (f"  {refusal}" for refusal in document["refusals"])
    elif document["accepted"]:
        yield f"Accepted. `dmsa run {typed}` goes on by this plan."
    else:
        yield f"Nothing was done. `dmsa amend {typed} --accept --reason TEXT` accepts it."


def _about(change: Change) -> str:
    return change.migration or (f"wave {change.wave}" if change.wave else "plan")


def _change(change: Change) -> str:
    if not change.key:
        return (
            f"new in wave {change.wave}"
            if change.before is None and change.migration
            else ("new" if change.before is None else "no longer in the plan")
        )
    return f"{change.key}: {_value(change.key, change.before)} -> {_value(change.key, change.after)}"


def _value(key: str, value: Any) -> str:
    if key.rpartition(".")[2] in _DURATIONS and isinstance(value, int | float):
        return write_duration(timedelta(seconds=value))
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)
