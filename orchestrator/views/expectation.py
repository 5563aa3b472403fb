"""What a wave will write and what a SOC will see of it: as a document, as CSV, and as text."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.expectation import Expectation
from orchestrator.model.plan import Plan
from orchestrator.views.cell import harmless
from orchestrator.views.status import iso

COLUMNS = (
    *("wave", "dmsa", "account", "step", "done", "cmdlet", "computer", "by", "log", "events", "object", "attribute"),
    *("old", "new", "sure", "basis", "from", "until", "note", "source"),
)
"""The columns of the CSV; lists of several values are separated by spaces."""


def expectation_document(
    plan: Plan, digest: str, ids: Sequence[str], found: Iterable[Expectation], operator: str, at: datetime | None
) -> dict[str, Any]:
    """Return everything as JSON data; its shape is in :mod:`orchestrator.views.expectation_schema`.

    Args:
        plan: the plan.
        digest: its identity.
        ids: the migrations that are asked about.
        found: what is expected.
        operator: whom the runner logs on as; empty where the plan does not say.
        at: estate time; without it no window is given as times.
    """
    rows: dict[str, list[dict[str, Any]]] = {id_: [] for id_ in ids}
    for one in found:
        rows[one.migration].append(_row(one, operator, at))
    return {
        "plan": plan.name,
        "digest": digest,
        "operator": operator or None,
        "estate_time": iso(at),
        "migrations": [
            {
                "wave": plan.wave_of(id_).name,
                "dmsa": id_,
                "account": plan.migration(id_).account,
                "expected": rows[id_],
            }
            for id_ in ids
        ],
    }


def _row(one: Expectation, operator: str, at: datetime | None) -> dict[str, Any]:
    return {
        "step": one.step.value,
        "done": one.done,
        "cmdlet": one.cmdlet,
        "computer": one.computer,
        "by": operator or "operator" if one.by == "operator" else one.by,
        "log": one.log,
        "events": list(one.events),
        "object": one.object,
        "attribute": one.attribute,
        "old": str(one.old),
        "new": str(one.new) or ("<created>" if one.created and not one.attribute else ""),
        "sure": one.sure,
        "basis": one.frame.basis,
        "times": [{"from": iso(begin), "until": iso(end)} for begin, end in one.frame.spans(at)],
        "note": one.note,
        "source": one.source,
    }


def expectation_csv(document: Mapping[str, Any]) -> str:
    """Return the document as CSV (RFC 4180) that a spreadsheet shows and does not run."""
    lines = _Lines()
    out = csv.writer(lines, lineterminator="\r\n")
    out.writerow(COLUMNS)
    for migration in document["migrations"]:
        for row in migration["expected"]:
            spans = row["times"] or [{"from": None, "until": None}]
            cells = {**row, **{name: migration[name] for name in ("wave", "dmsa", "account")}}
            cells |= {name: " ".join(str(span[name] or "open") for span in row["times"]) for name in spans[0]}
            cells["events"] = " ".join(map(str, row["events"]))
            out.writerow([harmless(_text(cells[name])) for name in COLUMNS])
    return "".join(lines.written)


class _Lines:
    """Takes in what a CSV writer writes."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)


def _text(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def expectation_text(document: Mapping[str, Any]) -> str:
    """Return the document as text for people."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield f"{document['plan']} ({document['digest'][:12]}); written by {document['operator'] or 'the operator'}"
    for migration in document["migrations"]:
        yield from ("", f"{migration['dmsa']}  {migration['account']}  (wave {migration['wave']})")
        last = None
        for row in migration["expected"]:
            head = (row["step"], row["cmdlet"], row["computer"] if not row["attribute"] else None)
            if (row["step"], row["cmdlet"]) != last:
                yield f"  {row['step']}: {row['cmdlet']}{_when(row)}"
            last = head[:2]
            yield f"    {_change(row)}"
    if not any(migration["expected"] for migration in document["migrations"]):
        yield "Nothing lies ahead, and the journal has no writes."


def _when(row: Mapping[str, Any]) -> str:
    if not row["times"]:
        return ", at any time" if row["basis"] == "any-time" else ", in the wave's window"
    span = row["times"][0]
    return f", {'done ' if row['done'] else ''}{span['from'] or '?'} to {span['until'] or 'now'}"


def _change(row: Mapping[str, Any]) -> str:
    events = "/".join(map(str, row["events"]))
    note = f" ({row['note']})" if row["note"] else ""
    if row["attribute"]:
        what = f"{row['object']}: {row['attribute']}: {row['old'] or 'unset'} -> {row['new'] or 'unset'}"
    else:
        what = f"{row['object']}{' created' if row['new'] == '<created>' else ''}"
    return f"{events:<9} {row['computer']}: {what}{note}"
