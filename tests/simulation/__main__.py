"""Play many seeds on all cores: ``python -m tests.simulation --seeds 10000``; exits 1 if one violates something."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.simulation.seeds import Failure, failures

CHUNK = 50


def main() -> int:
    """Play them, and say what came of it."""
    parser = argparse.ArgumentParser(description="Play many seeds of the simulation.")
    parser.add_argument("--seeds", type=int, default=10000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    began, found = time.monotonic(), list[Failure]()
    last = given.first + given.seeds
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        chunks = [range(at, min(at + CHUNK, last)) for at in range(given.first, last, CHUNK)]
        for done in as_completed([pool.submit(failures, chunk) for chunk in chunks]):
            for failure in done.result():
                found.append(failure)
                sys.stdout.write(f"{failure.text}\n\n")
                sys.stdout.flush()
    took = time.monotonic() - began
    sys.stdout.write(f"{given.seeds:,} seeds in {took:,.0f} s, {len(found)} with a violation\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
