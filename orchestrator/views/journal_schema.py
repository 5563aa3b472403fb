"""The shapes of what ``journal show``, ``export``, ``verify`` and ``restore`` print for programs.

The bodies of the history are the events themselves (:mod:`orchestrator.model.event`), so the schema cannot tell
another story than the journal. A row of another vocabulary, newer or older, is shown as it was written; of those that
mean something else than rows of this one do, only the frame is described.
"""

from __future__ import annotations

from typing import Any, get_args

from pydantic.json_schema import models_json_schema

from orchestrator.model.drilled import Verdict
from orchestrator.model.event import KINDS, VERSION
from orchestrator.model.upcast import unchanged_since
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, closed, list_of, one_of, or_null

TIME = {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"}


def history_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document that ``journal show --json`` prints."""
    row, bodies = _row()
    document = closed(journal=TEXT, rows=list_of(row))
    return {"$schema": DIALECT, "title": "dmsa journal show", **document, "$defs": bodies}


def line_schema() -> dict[str, Any]:
    """Return the JSON Schema of each line that ``journal export`` prints, and of each line of a mirror."""
    row, bodies = _row()
    return {"$schema": DIALECT, "title": "dmsa journal export", **row, "$defs": bodies}


def _row() -> tuple[dict[str, Any], dict[str, Any]]:
    models, generated = models_json_schema([(model, "validation") for model in KINDS.values()])
    bodies = generated["$defs"]
    cases = []
    for kind, model in KINDS.items():
        reference = models[model, "validation"]
        body = bodies[reference["$ref"].rpartition("/")[2]]
        del body["properties"]["kind"]  # the row says it
        versions = list(range(unchanged_since(kind, VERSION), VERSION + 1))
        known = {"properties": {"kind": {"const": kind}, "version": {"enum": versions}}}
        cases.append({"if": known, "then": {"properties": {"body": reference}}})
    row = closed(
        seq=NUMBER,
        run=TEXT,
        at=TIME,
        kind=TEXT,
        version=NUMBER,
        body={"type": "object"},
        epoch=or_null(NUMBER),
        hash=DIGEST,
    )
    return {**row, "allOf": cases}, bodies


def soundness_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document that ``journal verify --json`` prints.

    A sound journal with exit 5 is one from which not that certificate comes, or (with a row) one that holds an approval
    which is not signed as its plan wants it.
    """
    head = closed(seq=NUMBER, hash=DIGEST)
    certified = closed(path=TEXT, plan=TEXT, drill=NUMBER, verdict=one_of(get_args(Verdict)), head=head)
    sound = closed(
        journal=TEXT,
        intact={"const": True},
        rows=COUNT,
        hash=DIGEST,
        witnessed=or_null(COUNT),
        states=closed(proved=COUNT, unproved=COUNT),
        signatures=COUNT,
        mirror=or_null(closed(path=TEXT, rows=COUNT, behind=COUNT)),
        certificate=or_null(certified),
        exit={"const": 0},
    )
    damaged = closed(journal=TEXT, intact={"type": "boolean"}, row=or_null(NUMBER), why=TEXT, exit={"const": 5})
    return {"$schema": DIALECT, "title": "dmsa journal verify", "anyOf": [sound, damaged]}


def rebuilt_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document that ``journal restore --json`` prints."""
    document = closed(
        journal=TEXT,
        **{"from": TEXT},
        rows=NUMBER,
        hash=DIGEST,
        epoch=COUNT,
        runs=list_of(TEXT),
        unfinished=COUNT,
        witnessed={"type": "boolean"},
    )
    return {"$schema": DIALECT, "title": "dmsa journal restore", **document}
