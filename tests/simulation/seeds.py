"""Which seed is played on which plan, and what is said of one that fails."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import structlog

from orchestrator.planfile import load_plan
from orchestrator.rehearsal.disturbance import draw
from orchestrator.rehearsal.play import Played, play
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.shrink import replay_command, shrink
from orchestrator.rehearsal.stage import staged

ROOT = Path(__file__).parent.parent.parent
SMALL, RESET, QUICK = "tests/simulation/plans/small.yaml", "tests/simulation/plans/reset.yaml", "plans/quickstart.yaml"
FOUND, APPROVED = "tests/simulation/plans/found.yaml", "tests/simulation/plans/approved.yaml"
QUICK_EVERY, FOUND_EVERY, APPROVED_EVERY = 50, 5, 7
"""Every fiftieth seed is played on the quick start, every fifth of the others on the small world whose hosts say
themselves what runs there, every seventh of what is left on the one with people who approve, every third of what is
left then on the second small world."""


@dataclass(frozen=True)
class Failure:
    """A seed that failed: what was violated, the shortest history, and how to play it again."""

    plan: str
    seed: int
    text: str


@cache
def rehearsed(plan: str) -> Rehearsed:
    """Return a plan with its estate; each is read once."""
    return staged(load_plan(ROOT / plan))


def plan_of(seed: int) -> str:
    """Return the plan that a seed is played on."""
    if seed % QUICK_EVERY == 0:
        return QUICK
    if seed % FOUND_EVERY == 0:
        return FOUND
    if seed % APPROVED_EVERY == 0:
        return APPROVED
    return RESET if seed % 3 == 0 else SMALL


def played(seed: int, plan: str | None = None) -> Played:
    """Play a seed with everything that it lets go wrong; its log is nobody's reading."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    on = rehearsed(plan or plan_of(seed))
    return play(on, seed, draw(on.plan, on.spec, seed))


def failures(seeds: Iterable[int]) -> list[Failure]:
    """Play seeds, and return those that violate something."""
    found = []
    gc.disable()  # a play leaves few cycles, and looking for them takes as long as a tenth of it
    try:
        for number, seed in enumerate(seeds):
            came = played(seed)
            if came.violations:
                found.append(told(plan_of(seed), came))
            if number % 40 == 0:
                gc.collect()
    finally:
        gc.enable()
    return found


def told(plan: str, came: Played) -> Failure:
    """Say what a failing seed shows, by its shortest history."""
    on, least = shrink(rehearsed(plan), came)
    lines = [
        f"seed {came.seed} of {plan} violates:",
        *(f"  {violation}" for violation in least.violations),
        "with nothing but:",
        *(f"  {one}" for one in least.disturbances),
        *(f"  without {id_}" for id_ in on.left_out),
        f"again: {replay_command(plan, on, least)}",
    ]
    return Failure(plan, came.seed, "\n".join(lines))
