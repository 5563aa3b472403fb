"""Reports of every kind of journal, each made once; and what a report is made of, for tests that change some of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from orchestrator.journal import Entry, MemoryJournal, Row
from orchestrator.model.event import VERSION, Event, to_body
from orchestrator.planfile import plan_of
from orchestrator.report.document import Checked, in_full, report_document
from orchestrator.report.flat import flat
from orchestrator.report.page import page
from orchestrator.report.reading import Reading
from orchestrator.report.schema import report_schema
from tests.histories import rows_of

TOLD = ("seed-1", "plan-4", "released-4-held", "released-4-rolling-back", "released-1-completed", "seed-7")
"""Journals with lost calls, ways back, approvals, failures, unread times, holds, and rows of older versions."""


def reading_of(rows: Iterable[Row], run: str) -> Reading:
    reading = Reading(run)
    for row in rows:
        reading.take_in(row)
    return reading


def report_of(rows: tuple[Row, ...], run: str | None = None) -> dict[str, Any]:
    """Return the report of a run; of the journal's first one by default."""
    reading = reading_of(rows, run or rows[0].run)
    assert reading.state.plan is not None
    plan = plan_of(reading.state.plan)
    checked = Checked(len(rows), rows[-1].hash, None)
    return in_full(report_document(reading, plan, reading.state.digest or "", checked))


def page_of(document: dict[str, Any], command: str = "plan.yaml") -> bytes:
    """Return the page of a report, whole."""
    return b"".join(page(document, command))


def table_of(document: dict[str, Any]) -> bytes:
    """Return the table of a report, whole."""
    return b"".join(flat(document))


@cache
def reported(name: str) -> dict[str, Any]:
    """Return the report of a journal by its name; whoever changes it takes a copy."""
    return report_of(rows_of(name))


def rows_made(run: str, events: Iterable[tuple[Event, Any]]) -> tuple[Row, ...]:
    """Return a journal of these events, with their times."""
    journal = MemoryJournal()
    for number, (event, at) in enumerate(events):
        journal.append([Entry(run, at, event.kind, VERSION, to_body(event))], expected=number, lease=None)
    return tuple(journal.read())


def texts(value: Any, schema: dict[str, Any] | None = None) -> Iterator[tuple[Any, Any]]:
    """Yield where free text stands in a report: the object or list that holds it, and under which key.

    Words, times and hashes, which the program itself chooses, are not free.
    """
    schema = schema or report_schema()
    for option in schema.get("anyOf", ()):
        if option != {"type": "null"} and value is not None:
            yield from texts(value, option)
            return
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for key, inner in value.items():
            yield from _at(value, key, inner, known.get(key, {}))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _at(value, number, inner, schema.get("items", {}))


def _at(holder: Any, key: Any, inner: Any, schema: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    options = [schema, *schema.get("anyOf", ())]
    if isinstance(inner, str):
        if any(option in ({"type": "string"}, {}) for option in options):
            yield holder, key
    elif isinstance(inner, dict | list):
        yield from texts(inner, schema)
