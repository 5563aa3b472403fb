"""The whole matrix, or many random plans: ``python -m tests.wayback --jobs 2``; exits 1 if a case ends wrong.

With ``--minutes`` no more are begun after that, and it is told how many were played.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.wayback.matrix import MOMENTS, cases
from tests.wayback.runs import Ended, numbered, of_matrix, of_plans
from tests.wayback.weather import WEATHER

CHUNK = 20


def main() -> int:
    """Play what is asked for, and say what came of it."""
    parser = argparse.ArgumentParser(description="Play ways back from everywhere.")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, help="only the first cases of the matrix")
    parser.add_argument("--case", type=int, action="append", help="only this case of the matrix, by its number")
    parser.add_argument("--plans", type=int, help="random plans instead of the matrix")
    parser.add_argument("--first", type=int, default=1, help="the first random plan")
    parser.add_argument("--minutes", type=float, default=math.inf)
    given = parser.parse_args()
    began = time.monotonic()
    if given.plans is not None:
        numbers, play = range(given.first, given.first + given.plans), of_plans
    else:
        numbers, play = given.case or numbered(len(cases()), given.limit), of_matrix
    came = list(_played(play, list(numbers), given.jobs, began + 60 * given.minutes))
    for line in (table_of_plans if given.plans is not None else tables)(came):
        sys.stdout.write(f"{line}\n")
    wrong = sum(bool(one.wrong) for one in came)
    many = f"{len(came):,}" if len(came) == len(numbers) else f"time was up: {len(came):,} of {len(numbers):,}"
    sys.stdout.write(f"\n{many} played in {time.monotonic() - began:,.0f} s, {wrong} wrong\n")
    return 1 if wrong else 0


def _played(
    play: Callable[[Sequence[int]], list[Ended]], numbers: Sequence[int], jobs: int, until: float
) -> Iterator[Ended]:
    chunks = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        playing = [pool.submit(play, chunk) for chunk in chunks]
        for done in as_completed(playing):
            if done.cancelled():
                continue
            if time.monotonic() > until:
                for other in playing:
                    other.cancel()
            for one in done.result():
                if one.wrong:
                    sys.stdout.write("\n".join((one.replay, *(f"  {line}" for line in one.wrong), "")))
                    sys.stdout.flush()
                yield one


def tables(came: Sequence[Ended]) -> Iterator[str]:
    """Yield the matrix as two tables: where it began, or what went wrong meanwhile, and how it ended."""
    yield from _table("asked for in", MOMENTS, Counter((one.row, one.column) for one in came))
    yield ""
    yield from _table("meanwhile", WEATHER, Counter((one.under, one.column) for one in came))


def _table(head: str, rows: Iterable[str], counted: Counter[tuple[str, str]]) -> Iterator[str]:
    columns = sorted({column for _, column in counted}, key=lambda column: (column != "equal", column))
    yield f"| {head} | cases | {' | '.join(columns)} |"
    yield "| --- |" + " --- |" * (len(columns) + 1)
    for row in [*rows, "all"]:
        cells = [sum(n for (at, to), n in counted.items() if row in {at, "all"} and to == column) for column in columns]
        yield f"| {row} | {sum(cells):,} | {' | '.join(map(str, cells))} |"


def table_of_plans(came: Sequence[Ended]) -> Iterator[str]:
    """Yield how the migrations of random plans ended."""
    yield "| ended | migrations |"
    yield "| --- | --- |"
    for column, many in sorted(sum((one.counts for one in came), Counter[str]()).items()):
        yield f"| {column} | {many:,} |"


if __name__ == "__main__":
    sys.exit(main())
