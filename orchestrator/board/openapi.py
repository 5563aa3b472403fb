"""The description of what programs are given (OpenAPI 3.1), from the schemas of the documents themselves."""

from __future__ import annotations

from functools import cache
from typing import Any

from orchestrator import __version__
from orchestrator.views.journal_schema import history_schema
from orchestrator.views.runs import runs_schema
from orchestrator.views.shape import COUNT, NUMBER, TEXT, closed, list_of, or_null
from orchestrator.views.status_schema import status_schema

MOST_ROWS = 1000
"""How many rows one answer holds at most."""
FURTHEST_ROW = 10**15 - 1
"""The highest row that may be asked for."""

_ROWS = (
    "Rows of its journal, newest first, each as in `dmsa journal show --json`. `older` is what to give as `before` for "
    "the next; an answer may have fewer rows than asked for, none among them, and still not be the last: rows that are "
    "rare are looked for a stretch at a time."
)
_REFUSED = {
    "400": "The query is none that this address takes.",
    "401": "The token is missing, or is not this board's.",
    "404": "The board shows no such plan.",
    "409": "Nothing can be told of this run: its rows or its plan are of another version, or it has no plan yet.",
}


@cache
def described(*, locked: bool) -> dict[str, Any]:
    """Return the description; *locked* says whether a token is asked for."""
    schemas = {
        "Board": closed(
            version=TEXT,
            journal=TEXT,
            rows=COUNT,
            trouble=or_null(TEXT),
            driver=or_null(TEXT),
            plans=list_of(TEXT),
            pages=COUNT,
        ),
        "Error": closed(error=TEXT),
        **_taken_in("Runs", runs_schema()),
        **_taken_in("Status", status_schema()),
        **_journal(),
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "dmsa board",
            "version": __version__,
            "description": "Where everything stands by the journal. It only reads: there is nothing but GET and HEAD.",
        },
        "paths": _paths(locked=locked),
        "components": {"schemas": schemas},
    }
    if locked:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _paths(*, locked: bool) -> dict[str, Any]:
    plan = {
        "name": "plan",
        "in": "path",
        "required": True,
        "description": "The plan's name.",
        "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,64}$"},
    }
    journal = [
        plan,
        _query("migration", "Only what is about this dMSA.", {"type": "string", "minLength": 1}),
        _query("before", "Only rows before this one.", {**NUMBER, "maximum": FURTHEST_ROW}),
        _query("limit", "How many rows at most; 100 unless told.", {**NUMBER, "maximum": MOST_ROWS}),
    ]
    found = {
        "/api/board": ("The board itself: what it reads, and whether it can.", "Board", [], ()),
        "/api/runs": ("Every run at a glance, as `dmsa status --json`.", "Runs", [], ()),
        "/api/plans/{plan}/status": (
            "Where a plan stands, as `dmsa status PLAN --json`.",
            "Status",
            [plan],
            ("404", "409"),
        ),
        "/api/plans/{plan}/journal": (
            _ROWS,
            "Journal",
            journal,
            ("404",),
        ),
    }
    return {path: {"get": _operation(*told, locked=locked)} for path, told in found.items()}


def _operation(
    summary: str, schema: str, parameters: list[dict[str, Any]], refusals: tuple[str, ...], *, locked: bool
) -> dict[str, Any]:
    codes = ("400", *(("401",) if locked else ()), *refusals)
    return {
        "summary": summary,
        "operationId": f"get{schema}",
        "parameters": parameters,
        "responses": {
            "200": _answer("What was asked for.", schema),
            **{code: _answer(_REFUSED[code], "Error") for code in codes},
        },
    }


def _answer(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _journal() -> dict[str, Any]:
    history = history_schema()
    row = history["properties"]["rows"]["items"]
    page = closed(plan=TEXT, rows=list_of(row), older=or_null(NUMBER))
    return _taken_in("Journal", {**page, "$defs": history["$defs"]})


def _taken_in(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema and those that it refers to, as components, under names of its own."""
    parts = {f"{name}.{one}": found for one, found in schema.get("$defs", {}).items()}
    whole = {key: value for key, value in schema.items() if key not in {"$defs", "$schema"}}
    return {one: _pointing(found, f"#/components/schemas/{name}.") for one, found in {name: whole, **parts}.items()}


def _pointing(schema: Any, to: str) -> Any:
    if isinstance(schema, list):
        return [_pointing(one, to) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value.replace("#/$defs/", to) if key == "$ref" and isinstance(value, str) else _pointing(value, to)
        for key, value in schema.items()
    }
