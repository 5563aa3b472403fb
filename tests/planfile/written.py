"""Canonical values in the form of a plan file."""

from __future__ import annotations

from typing import Any

from orchestrator.planfile.schema import Form, Items, Keys, Leaf, Shape, Table


def as_written(value: Any, shape: Shape) -> Any:
    """Return canonical values as an author writes them: no nulls, durations with their unit."""
    if isinstance(shape, Keys) and isinstance(value, dict):
        return {key: as_written(value[key], inner) for key, inner in shape.fields.items() if value.get(key) is not None}
    if isinstance(shape, Items):
        return [as_written(item, shape.item) for item in value]
    if isinstance(shape, Table):
        return {key: as_written(inner, shape.value) for key, inner in value.items()}
    return f"{value}s" if isinstance(shape, Leaf) and shape.form is Form.DURATION else value
