"""The shape of ``jea --json``: what a program that reads it may rely on."""

from __future__ import annotations

from typing import Any

from orchestrator.views.shape import DIALECT, DIGEST, TEXT, closed, list_of


def jea_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document that ``jea --json`` prints."""
    some = {**list_of(TEXT), "minItems": 1}
    endpoint = closed(machine=TEXT, configuration=TEXT, commands=some, files=some)
    document = closed(plan=TEXT, digest=DIGEST, endpoints=list_of(endpoint), left=list_of(TEXT))
    return {"$schema": DIALECT, "title": "dmsa jea", **document}
