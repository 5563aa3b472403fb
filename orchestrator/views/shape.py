"""The few words of JSON Schema (2020-12) that the shapes of all documents are written in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DIGEST = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
TIME = {"type": ["string", "null"], "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}
NUMBER = {"type": "integer", "minimum": 1}


def closed(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object that has exactly these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def list_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def one_of(values: Iterable[Any]) -> dict[str, Any]:
    """Return the schema of a text that is one of these."""
    return {"enum": [str(value) for value in values]}


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that null fits as well."""
    return {"anyOf": [schema, {"type": "null"}]}
