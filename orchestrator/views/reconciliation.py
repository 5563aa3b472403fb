"""What a reconciliation has found: the document for programs, and its text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.expectation import IDS, Finding, Reconciled
from orchestrator.model.plan import Plan
from orchestrator.views.status import iso
from orchestrator.views.summary import advice

_SHOWN = 5


def reconciliation_document(
    found: Reconciled, plan: Plan, digest: str, ids: Sequence[str], operators: Sequence[str], *, journaled: bool
) -> dict[str, Any]:
    """Return everything as JSON data; its shape is in :mod:`orchestrator.views.expectation_schema`."""
    return {
        "plan": plan.name,
        "digest": digest,
        "exit": int(found.exit),
        "basis": "journal" if journaled else "windows",
        "operators": list(operators),
        "migrations": list(ids),
        "counts": {
            "events": found.events,
            "explained": found.explained,
            "unexplained": found.unexplained,
            "not_ours": found.not_ours,
            "repeated": found.repeated,
            "changes_found": found.changes,
            "changes_missing": found.missing,
            "events_missing": found.events_missing,
        },
        "findings": [_finding(one) for one in found.findings],
        "notes": list(found.notes),
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "id": one.id,
        "means": IDS[one.id],
        "migration": one.migration,
        "object": one.object,
        "by": one.by,
        "says": one.says,
        "why": one.why,
        "next": one.next,
        "events": [
            {"line": each.line, "event": each.id, "at": iso(each.at), "computer": each.computer} for each in one.events
        ],
    }


def reconciliation_text(document: Mapping[str, Any], command: str) -> str:
    """Return the document as text; *command* is the plan as a person would give it to the next command."""
    return "\n".join(_lines(document, command))


def _lines(document: Mapping[str, Any], command: str) -> Iterator[str]:
    counts = document["counts"]
    yield (
        f"{document['plan']} ({document['digest'][:12]}), by its {document['basis']}: {counts['events']:,} events, "
        f"{counts['explained']:,} explained, {counts['unexplained']:,} not, {counts['not_ours']:,} not ours; "
        f"{counts['changes_found']:,} expected changes found, {counts['changes_missing']:,} missing"
        + (f"; {counts['events_missing']:,} events beside them missing" if counts["events_missing"] else "")
    )
    for one in document["findings"]:
        yield from ("", f"{one['id']}: {one['object']}" + (f" ({one['migration']})" if one["migration"] else ""))
        yield f"  means:  {one['means']}"
        yield f"  seen:   {one['says']}" + (f", by {one['by']}" if one["by"] else "")
        yield f"  but:    {one['why']}"
        for each in one["events"][:_SHOWN]:
            yield f"  event:  {each['event']} of {each['at']} at {each['computer']}, line {each['line']}"
        if len(one["events"]) > _SHOWN:
            yield f"          and {len(one['events']) - _SHOWN:,} more"
        yield f"  next:   {advice(one['next'], command)}"
    yield from ("", *document["notes"])
    yield (
        "Everything is explained, and nothing is missing."
        if not document["findings"]
        else (f"{len(document['findings']):,} findings: a person is needed.")
    )
