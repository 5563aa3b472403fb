"""Migration-years per hour: how much of estate time, migration by migration, the simulation gets through.

    python -m tests.bench.simulation --seconds 60 --workers 2

Two rows: the product's plans with their real dwell of weeks in fair weather, every invariant asked at every step; and
the small worlds of the tests under everything that a seed lets go wrong, where time is short and trouble is dense.
"""

from __future__ import annotations

import argparse
import gc
import logging
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from multiprocessing import get_context

import structlog

from orchestrator.rehearsal.play import Played, play
from tests.bench.table import show
from tests.simulation.seeds import QUICK, played, rehearsed

HEAD = ("what", "seeds", "seconds", "seeds/s", "migration-years", "migration-years/h", "rows/s", "violations")
YEAR = timedelta(days=365.25)


@dataclass
class Sum:
    """What one worker got through."""

    seeds: int = 0
    seconds: float = 0.0
    years: float = 0.0
    rows: int = 0
    violations: int = 0


def fair(seed: int) -> Played:
    """Play the quick start in fair weather."""
    return play(rehearsed(QUICK), seed)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="How much estate time the simulation gets through.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    rows = []
    for title, one in (("quick start, fair weather", fair), ("small worlds, all faults", played)):
        with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
            several, seconds = range(given.workers), [given.seconds] * given.workers
            sums = list(pool.map(measured, [one] * given.workers, several, seconds))
        took = max(one.seconds for one in sums)
        seeds, years = sum(one.seeds for one in sums), sum(one.years for one in sums)
        each = sum(one.rows for one in sums), sum(one.violations for one in sums)
        rows.append((title, seeds, took, seeds / took, years, years / took * 3600, each[0] / took, each[1]))
    show(f"simulation, {given.workers} workers", HEAD, rows)


def measured(one: Callable[[int], Played], worker: int, seconds: float) -> Sum:
    """Play seeds for so long; each worker has its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    total, began = Sum(), time.perf_counter()
    gc.disable()
    for seed in count(1 + worker * 1_000_000):
        came = one(seed)
        total.seeds += 1
        total.years += came.lasted / YEAR * len(came.world.ids)
        total.rows += came.rows
        total.violations += len(came.violations)
        if seed % 40 == 0:
            gc.collect()
        total.seconds = time.perf_counter() - began
        if total.seconds >= seconds:
            return total
    raise AssertionError("there is always another seed")


if __name__ == "__main__":
    main()
