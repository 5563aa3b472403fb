"""Play many seeds on all cores: ``python -m tests.simulation --seeds 10000``; exits 1 if one violates something.

With ``--minutes`` no more are begun after that, and it is told how many were played.
"""

from __future__ import annotations

import argparse
import math
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
    parser.add_argument("--minutes", type=float, default=math.inf)
    given = parser.parse_args()
    began, found, played = time.monotonic(), list[Failure](), 0
    last = given.first + given.seeds
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        chunks = [range(at, min(at + CHUNK, last)) for at in range(given.first, last, CHUNK)]
        playing = {pool.submit(failures, chunk): len(chunk) for chunk in chunks}
        for done in as_completed(playing):
            if done.cancelled():
                continue
            played += playing[done]
            if time.monotonic() - began > 60 * given.minutes:
                for other in playing:
                    other.cancel()
            for failure in done.result():
                found.append(failure)
                sys.stdout.write(f"{failure.text}\n\n")
                sys.stdout.flush()
    took = time.monotonic() - began
    many = f"{played:,}" if played == given.seeds else f"time was up: {played:,} of {given.seeds:,}"
    sys.stdout.write(f"{many} seeds in {took:,.0f} s, {len(found)} with a violation\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
