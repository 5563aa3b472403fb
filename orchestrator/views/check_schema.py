"""The shape of ``check --json``: what a program that reads it may rely on."""

from __future__ import annotations

from typing import Any

from orchestrator.views.shape import DIALECT, DIGEST, NUMBER, TEXT, closed, list_of


def check_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document that ``check --json`` prints."""
    nothing = {"type": "null"}
    problem = closed(line=NUMBER, column=NUMBER, path=TEXT, id=TEXT, message=TEXT, hint=TEXT)
    valid = closed(path=TEXT, valid={"const": True}, plan=TEXT, digest=DIGEST, problems={"const": []})
    invalid = closed(
        path=TEXT, valid={"const": False}, plan=nothing, digest=nothing, problems={**list_of(problem), "minItems": 1}
    )
    document = closed(plans=list_of({"anyOf": [valid, invalid]}))
    return {"$schema": DIALECT, "title": "dmsa check", **document}
