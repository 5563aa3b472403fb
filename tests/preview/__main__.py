"""Many random plans, predicted and run: ``python -m tests.preview --plans 1000``; exits 1 at any difference."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.preview.runs import Compared, of_plans

CHUNK = 10


def main() -> int:
    """Play what is asked for, and say what came of it."""
    parser = argparse.ArgumentParser(description="Predict random plans, run them, and hold the two together.")
    parser.add_argument("--plans", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="the first random plan")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    began = time.monotonic()
    came = list(_played(range(given.first, given.first + given.plans), given.jobs))
    for line in table(came):
        sys.stdout.write(f"{line}\n")
    wrong = sum(bool(one.wrong) for one in came)
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n{len(came):,} predicted and run in {seconds:,.0f} s, {wrong} otherwise than predicted\n")
    return 1 if wrong else 0


def _played(numbers: Sequence[int], jobs: int) -> Iterator[Compared]:
    chunks = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(of_plans, chunk) for chunk in chunks]):
            for one in done.result():
                if one.wrong:
                    head = f"python -m tests.preview --plans 1 --first {one.seed}"
                    sys.stdout.write("\n".join((head, *(f"  {line}" for line in one.wrong), "")))
                    sys.stdout.flush()
                yield one


def table(came: Sequence[Compared]) -> Iterator[str]:
    """Yield what was compared, by where the prediction began."""
    yield "| predicted at | plans | migrations | writes | changes | otherwise |"
    yield "| --- | --- | --- | --- | --- | --- |"
    begun = Counter(one.begun for one in came)
    for row in [*sorted(begun), "all"]:
        those = [one for one in came if row in {one.begun, "all"}]
        cells = (
            len(those),
            *(sum(getattr(one, name) for one in those) for name in ("migrations", "writes", "changes")),
        )
        wrong = sum(bool(one.wrong) for one in those)
        yield f"| {row} | {' | '.join(f'{cell:,}' for cell in (*cells, wrong))} |"


if __name__ == "__main__":
    sys.exit(main())
