"""The shape of a plan, read off the model once: what is wanted where, and the JSON Schema for editors.

The model (:mod:`orchestrator.model.plan`) is the only definition. This module turns its annotations into
something that a reader of untyped text can follow, because YAML's own guess at types is the trap.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from orchestrator.model.plan import Plan, Policy, Task
from orchestrator.model.written import Written, write_duration


class Form(Enum):
    """How a scalar must be written; the value is how a message names it."""

    TEXT = "text"
    NUMBER = "a whole number"
    FLAG = "true or false"
    DURATION = "a duration such as 90s, 45m, 6h, 14d or 2d12h"
    DATE = "a date such as 2026-12-18"
    TIME = 'a time of day in quotes, such as "22:00"'
    ALLOWANCE = 'a count such as 2 or a percentage such as "5%"'
    SECRET = "a reference such as ${env:NAME}"  # noqa: S105 - names the form, holds nothing


@dataclass(frozen=True)
class Leaf:
    """A scalar; ``choices`` are the only texts allowed, if there are any."""

    form: Form
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Items:
    """A list."""

    item: Shape


@dataclass(frozen=True)
class Table:
    """A mapping whose keys are the author's own names."""

    value: Shape


@dataclass(frozen=True)
class Keys:
    """A mapping with known keys. A bare scalar may stand for the key ``shorthand`` alone."""

    fields: Mapping[str, Shape]
    shorthand: Leaf | None = None


Shape: TypeAlias = Leaf | Items | Table | Keys

_WRITTEN = {"time": Form.TIME, "allowance": Form.ALLOWANCE, "secret": Form.SECRET}
_TYPES: Mapping[Any, Form] = {
    str: Form.TEXT,
    int: Form.NUMBER,
    bool: Form.FLAG,
    timedelta: Form.DURATION,
    date: Form.DATE,
}


@cache
def plan_shape() -> Keys:
    """Return the shape of a whole plan."""
    return _keys(Plan)


@cache
def _keys(model: type[BaseModel]) -> Keys:
    fields = {
        info.alias or name: _shape(info.annotation, tuple(info.metadata)) for name, info in model.model_fields.items()
    }
    return Keys(fields, Leaf(Form.TEXT) if model is Task else None)


def _shape(annotation: Any, metadata: tuple[Any, ...] = ()) -> Shape:
    written = next((item for item in metadata if isinstance(item, Written)), None)
    if written is not None:
        return Leaf(_WRITTEN[written.form])
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not types.NoneType)
        return _shape(inner)
    if origin is tuple:
        return Items(_shape(arguments[0]))
    if origin is dict:
        return Table(_shape(arguments[1]))
    if origin is Literal:
        texts = tuple(choice for choice in arguments if isinstance(choice, str))
        return Leaf(Form.TEXT, texts) if texts else Leaf(Form.NUMBER)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _keys(annotation)
    return Leaf(_TYPES[annotation])


class _Schema(GenerateJsonSchema):
    """Pydantic's generator, for the file as people write it: durations as text, and no null anywhere."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, BaseModel):
            written = ((name, getattr(dft, name)) for name in type(dft).model_fields)
            return {name: self.encode_default(value) for name, value in written if value is not None}
        return write_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """Return the plan's JSON Schema (draft 2020-12), with which editors complete and check plans."""
    schema = Plan.model_json_schema(by_alias=True, schema_generator=_Schema)
    for name in ("Wave", "Migration"):
        properties = schema["$defs"][name]["properties"]
        for key in Policy.model_fields:
            # Left out, it is inherited; an editor must not fill in the plan's own default.
            properties[key].pop("default", None)
            properties[key]["description"] += " Overrides the plan's policy."
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "dmsa plan", **schema}
