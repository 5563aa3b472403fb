"""What is left of a plan when everything broken is taken out.

The cross-checks need a plan. So that they can speak in the same run as all other problems, they are given the
largest part of the plan that is valid; this module takes parts out and remembers where the rest once stood.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.planfile.problem import Loc

# What a plan cannot be without, but most cross-checks can: something that none of them objects to.
_STAND_INS: dict[str | int, Any] = {"version": 1, "name": "unnamed", "estate": {"lab": "unknown"}}


class Partial:
    """Plain values from which locations can be taken out; lists keep their original indices."""

    def __init__(self, values: Any) -> None:
        self._root: Any = _sparse(values)

    def without(self, locs: Iterable[Loc]) -> set[Loc] | None:
        """Take out what stands at these locations, or the nearest thing around them that is still there.

        Returns what was taken out, or None when that would be the whole.
        """
        taken: set[Loc] = set()
        for loc in locs:
            if not loc or not isinstance(self._root, dict):
                return None
            if loc[0] not in self._root and loc[0] in _STAND_INS:
                self._root[loc[0]] = _sparse(_STAND_INS[loc[0]])
                continue
            if loc[0] not in self._root:
                return None
            node: Any = self._root
            parent, depth = node, 0
            for part in loc:
                if not isinstance(node, dict) or part not in node:
                    break
                node, parent, depth = node[part], node, depth + 1
            if depth:
                parent.pop(loc[depth - 1])
                taken.add(loc[:depth])
        return taken

    def values(self) -> Any:
        """Return what is left, as plain values."""
        return _dense(self._root)

    def original(self, loc: Loc) -> Loc:
        """Return where a location of :meth:`values` stood at first."""
        node, found = self._root, []
        for part in loc:
            if isinstance(node, dict) and isinstance(part, int):
                part = list(node)[part]  # noqa: PLW2901 - the same step of the way, in the old numbers
            found.append(part)
            node = node.get(part) if isinstance(node, dict) else None
        return tuple(found)


class _SparseList(dict[int, Any]):
    """A list some of whose entries are gone."""


def _sparse(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sparse(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return _SparseList((index, _sparse(inner)) for index, inner in enumerate(value))
    return value


def _dense(value: Any) -> Any:
    if isinstance(value, _SparseList):
        return [_dense(inner) for inner in value.values()]
    if isinstance(value, dict):
        return {key: _dense(inner) for key, inner in value.items()}
    return value
