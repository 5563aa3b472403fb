"""Cases and random plans played by their numbers, and what is told of each."""

from __future__ import annotations

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from tests.wayback import plans, way
from tests.wayback.matrix import cases


@dataclass(frozen=True)
class Ended:
    """What came of one: where it stands in the table, what is wrong with it, and how it is played again."""

    replay: str
    row: str
    column: str
    under: str
    wrong: tuple[str, ...]
    counts: Counter[str] = field(default_factory=Counter)


def numbered(many: int, limit: int | None) -> range:
    """Return the numbers of the first cases; all of them without a limit."""
    return range(many if limit is None else min(limit, many))


def of_matrix(numbers: Sequence[int]) -> list[Ended]:
    """Play cases of the matrix."""
    return list(_each(numbers, _case))


def of_plans(seeds: Sequence[int]) -> list[Ended]:
    """Play random plans."""
    return list(_each(seeds, _plan))


def _each(numbers: Sequence[int], play: Callable[[int], Ended]) -> Iterator[Ended]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.disable()  # as in tests.simulation.seeds: looking for cycles takes longer than they are worth
    try:
        for number in numbers:
            yield play(number)
        gc.collect()
    finally:
        gc.enable()


def _case(number: int) -> Ended:
    case = cases()[number]
    came = way.played(case)
    replay = f"python -m tests.wayback --case {number} # {case}"
    return Ended(replay, came.row, came.column, str(case["weather"]), tuple(came.wrong))


def _plan(seed: int) -> Ended:
    came = plans.played(seed)
    replay = f"python -m tests.wayback --plans 1 --first {seed}"
    return Ended(replay, "", "", "", tuple(came.wrong), Counter(came.ended))
