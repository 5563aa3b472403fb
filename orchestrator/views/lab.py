"""A lab's state and far-side record, for people; the whole of both is in the JSON documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LEFT_OUT = frozenset({"nTSecurityDescriptor", "objectGUID", "objectSid"})
"""What nobody reads in an outline."""
_WIDTH = 120


def recorded(rows: list[dict[str, Any]]) -> str:
    """Return every command that arrived, one a line; writes are marked."""
    return "\n".join(_row(row) for row in rows)


def _row(row: dict[str, Any]) -> str:
    mark = "W" if row["write"] else " "
    what = " ".join([row["cmdlet"], *(f"-{name} {_value(value)}" for name, value in row["parameters"].items())])
    return f"{row['seq']:>6}  {row['at'][:19]}  {mark}  {row['host']:<20}  {what}  [{row['outcome']}]"


def described(found: dict[str, Any]) -> str:
    """Return an estate as an outline."""
    return "\n".join(_outline(found, 0))


def _outline(values: dict[str, Any], depth: int) -> Iterator[str]:
    pad = "  " * depth
    for name, value in values.items():
        if name in _LEFT_OUT:
            continue
        line = f"{pad}{name}: {_value(value)}"
        if isinstance(value, dict) and (len(line) > _WIDTH or any(isinstance(one, dict) for one in value.values())):
            yield f"{pad}{name}:"
            yield from _outline(value, depth + 1)
        elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
            yield f"{pad}{name}:"
            yield from (f"{pad}  {_value(one)}" for one in value)
        else:
            yield line.rstrip()


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items() if name not in _LEFT_OUT)
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value)
