"""How two plans differ, key by key. Both in their canonical form, in which policy stands on each migration alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAMES = ("name", "guard", "path", "webhook")
"""What tells the entries of a list apart, where they have one of these keys."""


@dataclass(frozen=True)
class Change:
    """One key that differs. ``wave`` and ``migration`` say of what; None where it is the plan's own.

    ``before`` is None where the key is new, ``after`` where it is gone.
    """

    wave: str | None
    migration: str | None
    key: str
    before: Any
    after: Any


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return every key that differs: the plan's, then each wave's, then each migration's, wherever it stands."""
    return (*_of_plan(before, after), *_of_waves(before, after), *_of_migrations(before, after))


def migrations_of(plan: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Return each migration of a canonical plan by its dMSA's name, with the name of its wave."""
    return {one["dmsa"]["name"]: (wave["name"], one) for wave in plan["waves"] for one in wave["migrations"]}


def hosts_of(migration: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the hosts of a canonical migration by name."""
    return {host["name"]: host for host in migration["hosts"]}


def _of_plan(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for key, was, now in _leaves(_without(before, "waves"), _without(after, "waves")):
        yield Change(None, None, key, was, now)
    old, new = ([wave["name"] for wave in plan["waves"]] for plan in (before, after))
    yield from (Change(None, None, f"waves.{key}", was, now) for key, was, now in _order(old, new))


def _of_waves(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = ({wave["name"]: wave for wave in plan["waves"]} for plan in (before, after))
    for name in dict.fromkeys((*old, *new)):
        if name not in new:
            yield Change(name, None, "", _without(old[name], "migrations"), None)
        elif name not in old:
            yield Change(name, None, "", None, _without(new[name], "migrations"))
        else:
            was, now = old[name], new[name]
            for key, one, other in _leaves(_without(was, "migrations"), _without(now, "migrations")):
                yield Change(name, None, key, one, other)
            had, has = ([one["dmsa"]["name"] for one in wave["migrations"]] for wave in (was, now))
            yield from (Change(name, None, f"migrations.{key}", one, other) for key, one, other in _order(had, has))


def _of_migrations(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = migrations_of(before), migrations_of(after)
    for id_ in dict.fromkeys((*old, *new)):
        if id_ not in new:
            yield Change(old[id_][0], id_, "", old[id_][1], None)
        elif id_ not in old:
            yield Change(new[id_][0], id_, "", None, new[id_][1])
        else:
            (was_in, was), (is_in, now) = old[id_], new[id_]
            if was_in != is_in:
                yield Change(is_in, id_, "wave", was_in, is_in)
            yield from (Change(is_in, id_, key, one, other) for key, one, other in _leaves(was, now))


def _without(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _leaves(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield path, old and new value of whatever differs; entries of a list are told apart by their names."""
    if before == after:
        return
    named = _named(before), _named(after)
    if named[0] is not None and named[1] is not None and (named[0] or named[1]):
        yield from _order(list(named[0]), list(named[1]), f"{path}.")
        before, after = named
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        yield path, before, after
        return
    for name in dict.fromkeys((*before, *after)):
        yield from _leaves(before.get(name), after.get(name), f"{path}.{name}" if path else name)


def _named(value: Any) -> dict[str, Any] | None:
    """Return a list as a mapping by the names of its entries; None if it is no such list."""
    if not isinstance(value, list):
        return None
    key = next((name for name in _NAMES if all(isinstance(one, Mapping) and name in one for one in value)), None)
    return {one[key]: one for one in value} if key else None


def _order(before: list[str], after: list[str], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield a change of the order of those that are in both."""
    was, now = [one for one in before if one in after], [one for one in after if one in before]
    if was != now:
        yield f"{path}order", was, now
