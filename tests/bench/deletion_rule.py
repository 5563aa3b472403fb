"""Whether chance gets anything said that must never be said: past the gate, or through a whole plan.

    python -m tests.bench.deletion_rule --calls 1000000 --plans 10000 --seed 1

Calls that pass the gate are changed by chance (:mod:`tests.remote.hostile`) and given to it again; what it lets pass is
held against a statement of what may be said that was written apart from it (:mod:`tests.remote.said`). Hostile plans
(:mod:`tests.hostile_plans`) that ``dmsa check`` accepts are driven on the estate in this process, half of them back
again; the far side's record is held against the same statement, and no object that was there before may be deleted,
moved, renamed or, but by Complete, disabled. A finding is printed, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

import structlog

from orchestrator.remote.gate import Refused, check
from tests.bench.table import show
from tests.hostile_plans import accepted, drawn, driven
from tests.remote import hostile
from tests.remote.test_deletion_rule import wrong

PROCESSES = 2
SLICE = {"calls": 20_000, "plans": 100}


@dataclass
class Figures:
    """What a number of examples came to: how many, by what was done to them, and how many of those went on."""

    tried: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Figures) -> None:
        """Take over another's."""
        self.tried += other.tried
        self.passed += other.passed
        self.findings += other.findings


def calls(seed: int, count: int) -> Figures:
    """Give calls to the gate."""
    chance, figures = random.Random(seed), Figures()
    for _ in range(count):
        change, call = hostile.call(chance)
        figures.tried[change] += 1
        try:
            check(call)
        except Refused:
            continue
        except Exception:  # noqa: BLE001 - a gate that breaks is a finding
            figures.findings.append(f"{call!r:.500}\n{traceback.format_exc(limit=-2)}")
            continue
        figures.passed[change] += 1
        found = wrong(call)
        if found is not None:
            figures.findings.append(f"{found}\n{call!r:.500}")
    return figures


def plans(seed: int, count: int) -> Figures:
    """Drive plans."""
    chance, figures = random.Random(seed), Figures()
    for _ in range(count):
        raw, spec = drawn(chance)
        back = chance.random() < 0.5
        figures.tried["plans"] += 1
        try:
            plan = accepted(raw)
            if plan is None:
                continue
            came = driven(plan, spec, back)
        except Exception:  # noqa: BLE001 - whatever it is, it is the finding
            figures.findings.append(f"{raw!r}\n{traceback.format_exc(limit=-4)}")
            continue
        figures.passed.update({"plans": 1, "commands": came.calls, "writes": came.writes, f"reached {came.phase}": 1})
        figures.findings += [f"{one}\n{raw!r}" for one in came.wrong[:3]]
    return figures


def _slices(kind: str, seed: int, count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, SLICE[kind]):
        yield seed * 10**9 + start, min(SLICE[kind], count - start)


def _all(
    pool: ProcessPoolExecutor, work: Callable[[int, int], Figures], seed: int, count: int
) -> tuple[Figures, float]:
    total, began = Figures(), time.perf_counter()
    slices = list(_slices(work.__name__, seed, count))
    if slices:
        for figures in pool.map(work, *zip(*slices, strict=True)):
            total.add(figures)
    return total, time.perf_counter() - began


def main() -> int:
    """Print the figures; return 1 if there is a finding."""
    parser = argparse.ArgumentParser(description="Fuzz the deletion rule.")
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--plans", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with ProcessPoolExecutor(PROCESSES) as pool:
        said, seconds = _all(pool, calls, given.seed, given.calls)
        run, longer = _all(pool, plans, given.seed, given.plans)
    rows = [(change, said.tried[change], said.passed[change]) for change in sorted(said.tried)]
    rows.append(("all", said.tried.total(), said.passed.total()))
    show(f"deletion rule: calls at the gate, seed {given.seed}, {seconds:.0f} s, {len(said.findings)} findings",
         ("changed", "calls", "let pass, all of which may be said"), rows)  # fmt: skip
    reached = ", ".join(f"{word} {n:,}" for word, n in run.passed.most_common() if word.startswith("reached"))
    row = (run.tried["plans"], run.passed["plans"], run.passed["commands"], run.passed["writes"], reached)
    show(f"deletion rule: hostile plans, seed {given.seed}, {longer:.0f} s, {len(run.findings)} findings",
         ("plans", "accepted and driven", "commands at the far side", "writes", "how far"), [row])  # fmt: skip
    for finding in (said.findings + run.findings)[:10]:
        print(f"FINDING, {finding}\n")
    return 1 if said.findings or run.findings else 0


if __name__ == "__main__":
    sys.exit(main())
