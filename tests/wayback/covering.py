"""Settings among which every two values of two dimensions meet: a covering array, greedy and deterministic.

Each row begins with a pair that has not met yet, of the widest dimensions first; every other dimension then takes the
value that lets most new pairs meet with what the row has already (Cohen et al., "The AETG system", 1997). Among values
that are as good a seed draws, so that three of them meet by chance, too, and none goes always with the same others.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
_Place: TypeAlias = tuple[int, int]
"""A dimension and one of its values, by their numbers."""


def covering(dimensions: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Return the rows; the same for the same dimensions."""
    names = sorted(dimensions, key=lambda name: -len(dimensions[name]))
    widths = [len(dimensions[name]) for name in names]
    missing = _all_pairs(widths)
    rows = []
    chance = random.Random("covering")
    for one, other in _in_order(widths):
        while other in missing[one]:
            rows.append(_row(widths, missing, chance, (one, other)))
    return [{name: dimensions[name][value] for name, value in zip(names, row, strict=True)} for row in rows]


def _all_pairs(widths: Sequence[int]) -> dict[_Place, set[_Place]]:
    places = [(number, value) for number, width in enumerate(widths) for value in range(width)]
    return {place: {other for other in places if other[0] != place[0]} for place in places}


def _in_order(widths: Sequence[int]) -> Iterator[tuple[_Place, _Place]]:
    for one, width in enumerate(widths):
        for other in range(one + 1, len(widths)):
            for value in range(width):
                yield from (((one, value), (other, against)) for against in range(widths[other]))


def _row(
    widths: Sequence[int],
    missing: dict[_Place, set[_Place]],
    chance: random.Random,
    begun: tuple[_Place, _Place],
) -> list[int]:
    chosen = dict(begun)
    for number, width in enumerate(widths):
        if number not in chosen:
            placed = set(chosen.items())
            worth = [(len(missing[number, value] & placed), chance.random(), value) for value in range(width)]
            chosen[number] = max(worth)[2]
    row = set(chosen.items())
    for place in row:
        missing[place] -= row
    return [chosen[number] for number in range(len(widths))]
