"""A run's state as text, and back: exactly the same state, and for equal states the same bytes.

One line for each fact: the field's name, the key of an entry where the field is a mapping, and the value, apart by tabs
(JSON has none). How a value is written follows from the field's type alone, so a new field needs nothing here; a type
that cannot be written is found when this is imported first (``tests/model/test_sheet.py``). Names of objects, and the
members of sets, stand in their order: who makes the text again from the same rows has the same bytes.

Packed (:func:`packed`) it is compressed, for a row of the journal; two programs may compress differently, so texts are
compared, not packages.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any, NamedTuple, TypeAlias, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import SchemaSerializer, SchemaValidator

from orchestrator.model.claims import Claims
from orchestrator.model.run import RunState
from orchestrator.model.switches import Switches

_NOT_OWN = frozenset({"run", "switches", "claims", "touched", "admission", "_planned"})
"""Fields of a run that its text leaves out: its name, what all runs share, and what only helps to be quick."""
_FROZEN = frozenset({"migrations", "befores", "uses", "plan"})
"""Fields whose values are never changed, only replaced: what was written of the same value once is written again."""
_TEXT_KEYS = frozenset({"str", "uuid", "enum", "literal"})
_LARGEST = 1 << 30


Part: TypeAlias = RunState | Switches | Claims
Columns: TypeAlias = "dict[str, tuple[Field[Any], Spelling | None, Spelling]]"
_PARTS: dict[str, type[Part]] = {part.__name__: part for part in (RunState, Switches, Claims)}


class SheetUnreadable(ValueError):
    """The text is not one of these. The message says why, for the middle of a sentence."""


class Spelling(NamedTuple):
    """How values of one type are written and read."""

    reads: SchemaValidator
    writes: SchemaSerializer

    def text(self, value: Any) -> str:
        """Return a value as JSON on one line, names in order."""
        return _ENCODER.encode(self.writes.to_python(value, mode="json", exclude_defaults=True))

    def value(self, text: bytes) -> Any:
        """Return the value that a text stands for.

        Raises:
            ValueError: none.
        """
        return self.reads.validate_json(text, strict=True)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


class Scribe:
    """Writes states down, again and again, at the cost of what has changed since the last time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Any], tuple[Any, str]] = {}

    def own(self, state: RunState) -> bytes:
        """Return what a run's own rows made of it."""
        return self._text((state,))

    def shared(self, state: RunState) -> bytes:
        """Return what the rows of all runs made of switches and claims."""
        return self._text((state.switches, state.claims))

    def _text(self, parts: Iterable[Part]) -> bytes:
        return "".join(line for part in parts for line in self._lines(part)).encode("utf-8", "surrogatepass")

    def _lines(self, part: Part) -> Iterator[str]:
        for name, (known, keys, values) in _columns(type(part).__name__).items():
            found = getattr(part, name)
            if keys is None:
                if found != _default(known):
                    yield f"{name}\t\t{self._written(name, values, None, found)}\n"
                continue
            lines = {keys.text(key): (key, value) for key, value in found.items()}
            for key in sorted(lines):
                yield f"{name}\t{key}\t{self._written(name, values, *lines[key])}\n"

    def _written(self, name: str, spelling: Spelling, key: Any, value: Any) -> str:
        if name not in _FROZEN:
            return spelling.text(value)
        known = self._known.get((name, key))
        if known is not None and known[0] is value:
            return known[1]
        text = spelling.text(value)
        self._known[name, key] = value, text
        return text


def own_from(run: str, text: bytes) -> RunState:
    """Return the state of a run from its text; what all runs share is not in it.

    Raises:
        SheetUnreadable: it is no such text.
    """
    return RunState(run, **_read(text, (RunState,))[RunState])


def shared_from(text: bytes) -> tuple[Switches, Claims]:
    """Return what all runs share from its text.

    Raises:
        SheetUnreadable: it is no such text.
    """
    found = _read(text, (Switches, Claims))
    return Switches(**found[Switches]), Claims(**found[Claims])


def packed(text: bytes) -> str:
    """Return a text as a row of the journal has it."""
    return b64encode(zlib.compress(text, 6)).decode("ascii")


def unpacked(package: str) -> bytes:
    """Return the text of :func:`packed`.

    Raises:
        SheetUnreadable: it is none.
    """
    opening = zlib.decompressobj()
    try:
        text = opening.decompress(b64decode(package, validate=True), _LARGEST)
    except (ValueError, zlib.error) as error:
        raise SheetUnreadable(f"it cannot be unpacked ({error})") from error
    if not opening.eof or opening.unused_data:
        raise SheetUnreadable("it is not whole")
    return text


def _read(text: bytes, parts: tuple[type[Part], ...]) -> dict[type[Part], dict[str, Any]]:
    found: dict[type[Part], dict[str, Any]] = {part: {} for part in parts}
    columns = {name: (found[part], *column) for part in parts for name, column in _columns(part.__name__).items()}
    try:
        *lines, rest = text.split(b"\n")
        if rest:
            raise SheetUnreadable("it is not whole")
        for line in lines:
            name, key, value = line.split(b"\t")
            given, known, keys, values = columns[name.decode()]
            if keys is None:
                given[known.name] = values.value(value)
            else:
                given.setdefault(known.name, {})[keys.value(key)] = values.value(value)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SheetUnreadable(f"it is not what this version writes ({type(error).__name__})") from error
    return found


def _default(known: Field[Any]) -> Any:
    return known.default if known.default_factory is MISSING else known.default_factory()


@cache
def _columns(of: str) -> Columns:
    """Return how each field of a part is written: itself, its keys where it is a mapping, and its values."""
    part = _PARTS[of]
    hints = get_type_hints(part, include_extras=True)
    found: Columns = {}
    for one in fields(part):
        if part is RunState and one.name in _NOT_OWN:
            continue
        kind = hints[one.name]
        if get_origin(kind) in {dict, Mapping}:
            key, value = get_args(kind)
            found[one.name] = one, spelling(key), spelling(value)
        else:
            found[one.name] = one, None, spelling(kind)
    return found


@cache
def spelling(kind: Any) -> Spelling:
    """Return how values of a type are written and read."""
    schema = _in_order(TypeAdapter(kind).core_schema)
    return Spelling(SchemaValidator(schema), SchemaSerializer(schema))


def _in_order(schema: Any) -> Any:
    """Return a schema that writes sets in order, and mappings by more than one name as pairs in order."""
    if isinstance(schema, list | tuple):
        return type(schema)(_in_order(one) for one in schema)
    if not isinstance(schema, dict):
        return schema
    schema = {name: _in_order(one) for name, one in schema.items()}
    if schema.get("type") in {"set", "frozenset"} and "items_schema" in schema:
        listed = {"type": "list", "items_schema": schema["items_schema"]}
        return schema | {"serialization": _written_as(sorted, listed)}
    if schema.get("type") == "dict" and schema.get("keys_schema", {"type": "str"})["type"] not in _TEXT_KEYS:
        pair = {"type": "tuple", "items_schema": [schema["keys_schema"], schema["values_schema"]]}
        pairs = {"type": "list", "items_schema": pair}
        reading = {"type": "function-after", "function": {"type": "no-info", "function": dict}, "schema": pairs}
        return reading | {"serialization": _written_as(lambda found: sorted(found.items()), pairs)}
    return schema


def _written_as(change: Any, schema: Any) -> dict[str, Any]:
    return {"type": "function-plain", "function": change, "return_schema": schema}
