"""Search the small world, and print its size and what was found: ``python -m tests.simulation.exhaustive --help``."""

from __future__ import annotations

import argparse
import logging
import sys

import structlog

from tests.simulation.exhaustive.search import Found, Search
from tests.simulation.exhaustive.world import HOSTS, IDS, Size

ABOUT = """\
Visit every state of a small world: two migrations, two hosts, two domain controllers, and whatever may go wrong.
Prints its size, what went wrong how often, and how histories end; exits 1 if an invariant does not hold, with the
shortest way there."""
SIZES = """\
one fault anywhere, forward:          (no flags)
the way back, nothing goes wrong:     --migrations 1 --faults 0 --back
the way back, one fault anywhere:     --migrations 1 --back
"""


def main() -> int:
    """Print what was found; return 1 if anything was violated."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.exhaustive",
        description=ABOUT,
        epilog=SIZES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--faults", type=int, default=1, metavar="N", help="how much may go wrong in one history (1)")
    parser.add_argument("--back", action="store_true", help="an operator says one word at any time: undo, reset, ...")
    parser.add_argument("--words", type=int, default=0, metavar="N", help="how many words an operator may say (0)")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="how many migrations may be in flight (1)")
    parser.add_argument("--looks", type=int, default=1, metavar="N", help="looks before replication is too late (1)")
    parser.add_argument("--migrations", type=int, choices=(1, 2), default=2, help="how many there are (2)")
    parser.add_argument("--hosts", type=int, choices=(1, 2), default=2, help="how many hosts each has (2)")
    parser.add_argument("--most", type=int, metavar="N", help="give up after so many states")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
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
        f"{found.states} states, {found.transitions} transitions, depth {found.depth}, {found.seconds:.0f} s",
        *(f"{count:8}  {fault}" for fault, count in found.faults.most_common()),
        f"{sum(found.ends.values())} ends",
        *(f"{count:8}  {end}" for end, count in found.ends.most_common()),
        *map(str, found.violations),
    ]
    return "\n".join(lines if found.ended or found.violations else [*lines, "NOT ENDED: there are more states"])


if __name__ == "__main__":
    sys.exit(main())
