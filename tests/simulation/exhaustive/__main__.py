"""Search the small world and print what was found.

python -m tests.simulation.exhaustive [--faults K] [--back] [--words W] [--at-once N] [--looks N] [--migrations N]
"""

from __future__ import annotations

import argparse
import logging
import sys

import structlog

from tests.simulation.exhaustive.search import Found, Search
from tests.simulation.exhaustive.world import HOSTS, IDS, Size


def main() -> int:
    """Print the line, the ends, and what was violated; return 1 if anything was."""
    parser = argparse.ArgumentParser(description="Every state of a small world.")
    parser.add_argument("--faults", type=int, default=1, metavar="K", help="how much may go wrong in one history")
    parser.add_argument("--back", action="store_true", help="let an operator say one word at any time (--words 1)")
    parser.add_argument("--words", type=int, default=0, metavar="W", help="how many words an operator may say")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="how many migrations may be in flight")
    parser.add_argument("--looks", type=int, default=1, metavar="N", help="looks before replication is too late")
    parser.add_argument("--migrations", type=int, choices=(1, 2), default=2)
    parser.add_argument("--hosts", type=int, choices=(1, 2), default=2)
    parser.add_argument("--most", type=int, metavar="STATES", help="give up after so many states")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    size = Size(
        faults=given.faults,
        words=max(given.words, int(given.back)),
        at_once=given.at_once,
        looks=given.looks,
        ids=IDS[: given.migrations],
        hosts=HOSTS[: given.hosts],
    )
    found = Search(size, lambda line: sys.stderr.write(f"{line}\n")).run(given.most)
    sys.stdout.write(f"{summary(size, found)}\n")
    return 1 if found.violations else 0


def summary(size: Size, found: Found) -> str:
    """Return what was found, for people."""
    world = f"{len(size.ids)} migrations x {len(size.hosts)} hosts x 2 DCs, {size.at_once} at once, {size.looks} looks"
    lines = [
        f"{world}: at most {size.faults} faults and {size.words} words in one history",
        f"{found.states} states, {found.transitions} transitions, depth {found.depth}",
        f"{sum(found.ends.values())} ends, {found.seconds:.0f} s",
        *(f"{count:8}  {end}" for end, count in found.ends.most_common()),
        *map(str, found.violations),
    ]
    return "\n".join(lines if found.ended or found.violations else [*lines, "NOT ENDED: there are more states"])


if __name__ == "__main__":
    sys.exit(main())
