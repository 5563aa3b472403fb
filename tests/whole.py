"""Matrices of which the suite plays a part: ``python -m tests.whole`` plays all of each, and takes what pytest takes.

Of settings the part is one in which every two values of two dimensions meet (:mod:`tests.wayback.covering`); of
moments, one after another, it is every third or so: an odd number, so that befores and afters are both among them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.wayback.covering import covering

Item = TypeVar("Item")

HERE = Path(__file__).parent
ALL = os.environ.get("DMSA_WHOLE") == "1"


def pairs(**dimensions: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return rows of values, of two dimensions or more in the order in which they are named: every two meet in one."""
    numbered = {name: range(len(values)) for name, values in dimensions.items()}
    rows = sorted(tuple(row[name] for name in dimensions) for row in covering(numbered))
    return [tuple(values[at] for values, at in zip(dimensions.values(), row, strict=True)) for row in rows]


def matrix(**dimensions: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return what is played of a matrix: its pairs, or all of it."""
    return all_of(**dimensions) if ALL else pairs(**dimensions)


def all_of(**dimensions: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return every row."""
    rows: list[tuple[Any, ...]] = [()]
    for values in dimensions.values():
        rows = [(*row, value) for row in rows for value in values]
    return rows


def some(items: Sequence[Item], every: int) -> Sequence[Item]:
    """Return what is played of many in a row: one of so many, or all."""
    return items if ALL else items[::every]


def files() -> list[Path]:
    """Return the tests that have such a matrix."""
    named = (file for file in HERE.rglob("test_*.py") if "tests.whole" in file.read_text(encoding="utf-8"))
    return sorted(file for file in named if file.name != "test_whole.py")


def main() -> int:
    """Play all of each."""
    os.environ["DMSA_WHOLE"] = "1"  # which the workers read, too
    given = sys.argv[1:]
    named = any(Path(word.partition("::")[0]).exists() for word in given)
    return int(pytest.main(["-p", "no:cacheprovider", *given, *([] if named else map(str, files()))]))


if __name__ == "__main__":
    sys.exit(main())
