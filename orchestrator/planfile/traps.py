"""What YAML 1.1 would make of text that stands without quotes, so that a message can say it.

The traps are its implicit types (yaml.org/type: int, float, bool, null, timestamp): ``22:00`` is a number in
base sixty, ``no`` is false, ``010`` is eight, ``1.10`` loses its zero.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

_LONGEST_NUMBER = 100
_LONGEST_SHOWN = 20
_PREFIX = "tag:yaml.org,2002:"
_RESOLVER: Any = yaml.resolver.Resolver()
_CONSTRUCTOR = yaml.constructor.SafeConstructor()


def guess(text: str) -> str | None:
    """Return how YAML 1.1 reads a plain scalar, in words, or None where it reads it as text."""
    return _guess_often(text) if len(text) <= _LONGEST_NUMBER else _guess(text)


def _guess(text: str) -> str | None:
    kind: str = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_PREFIX)
    if kind == "null":
        return "nothing"
    if kind == "bool":
        return str(_CONSTRUCTOR.bool_values[text.lower()]).lower()
    if kind == "timestamp":
        return "a date"
    if kind in ("int", "float"):
        return _number(kind, text)
    return None


_guess_often = lru_cache(maxsize=4096)(_guess)


def _number(kind: str, text: str) -> str:
    if len(text) > _LONGEST_NUMBER:
        return "a number"  # in base sixty, reading it would take longer and longer for each digit
    node = yaml.ScalarNode(f"{_PREFIX}{kind}", text)
    construct: Any = getattr(_CONSTRUCTOR, f"construct_yaml_{kind}")
    try:
        value = str(construct(node))
    except (ValueError, OverflowError):
        return "a number"  # too many digits, or a number only in form: no value that could be shown
    return "a number" if value == text or len(value) > _LONGEST_SHOWN else f"the number {value}"


def as_boolean(text: str) -> bool | None:
    """Return what YAML 1.1 means by ``true``, ``no``, ``on`` and the like, or None."""
    return _CONSTRUCTOR.bool_values.get(text.lower())
