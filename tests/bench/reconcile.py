"""Exported events held against a wave: events per second, how many attacks are found, how many alarms are false.

    python -m tests.bench.reconcile --events 100000 --seeds 5

Waves are run on the simulated estate, with ways back; around their events lies the noise of an ordinary domain. Attacks
are put in at times and pairs that a seed draws, each found only if a finding of its own class names its events.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from orchestrator.expectation import Names, Reconciled, TimeForm, reconcile, rows_of, understood
from orchestrator.model.lifecycle import Way
from tests.bench.table import show
from tests.expectation.attacks import ATTACKS
from tests.expectation.staged import PLANS, Staged, run
from tests.expectation.stream import Event, noise

HEAD = (
    *("what", "streams", "events", "read, events/s", "judged, events/s", "attacks", "found", "recall, %"),
    *("false alarms", "missing"),
)
PUBLISHED = tuple(ATTACKS)[:5]


@dataclass
class Sum:
    """What came of some streams."""

    streams: int = 0
    events: int = 0
    reading: float = 0.0
    judging: float = 0.0
    attacks: int = 0
    found: int = 0
    false: int = 0
    missing: int = 0

    def row(self, what: str) -> tuple[object, ...]:
        """Return it as a row of the table."""
        recall = 100 * self.found / self.attacks if self.attacks else "-"
        rates = self.events / self.reading, self.events / self.judging
        return (what, self.streams, self.events, *rates, self.attacks, self.found, recall, self.false, self.missing)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Exported events held against a wave.")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    clean, published, all_ = Sum(), Sum(), Sum()
    for staged, seed in _waves(given.seeds):
        judged(clean, staged, [], seed, given.events // 4)
    quick = run(PLANS[0])
    for seed in range(given.seeds):
        judged(published, quick, list(PUBLISHED), seed, given.events)
        judged(all_, quick, list(ATTACKS), seed, given.events)
    show(
        f"reconcile, streams of {given.events:,} events (clean waves: {given.events // 4:,})",
        HEAD,
        [clean.row("clean waves"), published.row("the five published variants"), all_.row("all variants")],
    )


def _waves(seeds: int) -> Iterator[tuple[Staged, int]]:
    for seed in range(seeds):
        for plan in PLANS:
            for way in (None, Way.ROLLBACK, Way.RESET)[: 1 + seed % 3]:
                yield run(plan, way, seed), seed


def judged(total: Sum, staged: Staged, attacks: list[str], seed: int, count: int) -> Reconciled:
    """Judge one stream, and add what came of it."""
    rng = random.Random(f"reconcile {seed}")
    begin, end = staged.world.estate.spec.clock.start, staged.world.estate.now
    directory = staged.case.plan.estate.directory
    assert directory is not None
    marked: list[tuple[str | None, Event]] = [(None, one) for one in staged.events]
    for name in attacks:
        target = staged.target(rng.choice(staged.world.ids))
        target = replace(target, at=target.at + timedelta(hours=rng.randrange(200)))
        marked += [(name, one) for one in ATTACKS[name][1](target)]
    marked += [(None, one) for one in noise(max(0, count - len(marked)), rng, begin, end, directory.server)]
    rng.shuffle(marked)
    text = "\n".join(json.dumps(one) for _, one in marked)
    began = time.perf_counter()
    events = [understood(line, row, TimeForm()) for line, row in rows_of(text)]
    read = time.perf_counter()
    found = reconcile(replace(staged.case, names=Names()), events)
    total.judging += time.perf_counter() - read
    total.reading += read - began
    total.streams, total.events = total.streams + 1, total.events + len(marked)
    named = {(one.id, each.line) for one in found.findings for each in one.events}
    lines: dict[str, set[int]] = {}
    for line, (name, _) in enumerate(marked, 1):
        if name is not None:
            lines.setdefault(name, set()).add(line)
    total.attacks += len(attacks)
    total.found += sum(any((ATTACKS[name][0], line) in named for line in lines[name]) for name in attacks)
    evil = set().union(*lines.values()) if lines else set()
    total.false += sum(bool({each.line for each in one.events} - evil) for one in found.findings)
    total.missing += found.missing + found.events_missing
    return found


if __name__ == "__main__":
    main()
