"""A lab's state and far-side record, for people."""

from __future__ import annotations

from typing import Any


def recorded(rows: list[dict[str, Any]]) -> str:
    """Return every command that arrived, one a line; writes are marked."""
    return "\n".join(_row(row) for row in rows)


def _row(row: dict[str, Any]) -> str:
    parameters = " ".join(f"-{name} {value}" for name, value in row["parameters"].items())
    mark = "W" if row["write"] else " "
    what = f"{row['cmdlet']} {parameters}".rstrip()
    return f"{row['seq']:>6}  {row['at'][:19]}  {mark}  {row['host']:<20}  {what}  [{row['outcome']}]"


def described(found: dict[str, Any]) -> str:
    """Return an estate as an outline."""
    return "\n".join(_outline(found, 0))


def _outline(value: Any, depth: int) -> list[str]:
    pad = "  " * depth
    if isinstance(value, dict):
        lines = []
        for name, item in value.items():
            if isinstance(item, dict) and item:
                lines += [f"{pad}{name}:", *_outline(item, depth + 1)]
            elif isinstance(item, list) and any(isinstance(one, dict) for one in item):
                lines += [f"{pad}{name}:", *(line for one in item for line in _outline(one, depth + 1))]
            else:
                lines.append(f"{pad}{name}: {', '.join(map(str, item)) if isinstance(item, list) else item}")
        return lines
    return [f"{pad}{value}"]
