"""What a whole forward wave costs on the wire: time, processor, memory, and requests beside a floor that is derived.

    python -m tests.bench.wave --hosts 100

One account on each ten hosts, ten accounts at a time, from nothing to confirmed (:mod:`tests.bench.forward_wave`).

The floor is that of :mod:`tests.bench.wire`: what the steps of a migration must ask and write, each migration for
itself, in pipelines of two requests. To a host's own come its share of what its migration asks of the directory, and
sessions: one an endpoint, and one more for each so many pipelines, of four requests each. ``all`` is everything but
readings of the clock, which are counted apart (on a lab, waiting is reading).

``idle`` is the share of looks at which neither the runner nor the lab had a thread that ran or could: time in which
everybody waited for nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.remote.session import MOST_PIPELINES
from tests.bench import forward_wave, wire
from tests.bench.table import show

HOSTS_EACH = 10


@dataclass(frozen=True)
class Requests:
    """How many requests a wave made beside its floor, and how many pipelines were readings of the clock."""

    directory: int
    hosts: int
    sessions: int
    clock: int
    floor_directory: int
    floor_hosts: int
    floor_sessions: int

    @property
    def ratio(self) -> float:
        """All requests but the clock's, beside their floor."""
        return (self.directory + self.hosts + self.sessions) / self.floor

    @property
    def floor(self) -> int:
        """The floor of all of them."""
        return self.floor_directory + self.floor_hosts + self.floor_sessions


def counted(rows: Iterable[dict[str, Any]], hosts: int, hosts_each: int) -> Requests:
    """Count the requests of a wave as its far side recorded it."""
    endpoints: dict[str, set[str]] = defaultdict(set)
    cmdlets: dict[str, set[str]] = defaultdict(set)
    shells, without_key = set(), set()
    for row in rows:
        endpoints[str(row["host"])].add(str(row["pipeline"]))
        cmdlets[str(row["pipeline"])].add(str(row["cmdlet"]))
        shells.add(row["shell"])
        if row["cmdlet"] == "New-Item":
            without_key.add(row["host"])
    clock = {pipeline for pipeline, names in cmdlets.items() if names == {"Get-ADRootDSE"}}
    of_directory = {name: found for name, found in endpoints.items() if name.startswith("dc")}
    of_hosts = [found for name, found in endpoints.items() if not name.startswith("dc")]
    each = wire.CONVERGENCE + wire.GUARDS + wire.SNAPSHOTS + wire.BEFORE_RESTARTS * hosts_each
    return Requests(
        directory=2 * sum(len(found - clock) for found in of_directory.values()),
        hosts=2 * sum(map(len, of_hosts)),
        sessions=4 * len(shells),
        clock=len(clock),
        floor_directory=2 * each * (hosts // hosts_each),
        floor_hosts=2 * (wire.HOST * hosts + wire.KEY * len(without_key)),
        floor_sessions=4 * sum(-(-len(found) // MOST_PIPELINES) for found in endpoints.values()),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="A forward wave over the wire.")
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--hosts-each", type=int, default=HOSTS_EACH)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        plan = forward_wave.write(Path(folder), given.hosts, given.hosts_each)
        outcome = forward_wave.run(plan)
    asked = counted(outcome.rows, given.hosts, given.hosts_each)
    of = f"{given.hosts} hosts, {given.hosts // given.hosts_each} accounts; load {load:.1f} before, "
    wave = (
        outcome.seconds,
        outcome.runner.processor,
        outcome.lab.processor,
        f"{outcome.idle:.0%}",
        outcome.events,
        outcome.runner.peak / 1024,
        outcome.lab.peak / 1024,
    )
    head = ("seconds", "processor, s", "of the lab, s", "idle", "events", "peak MiB", "of the lab, MiB")
    show(f"a forward wave: {of}{os.getloadavg()[0]:.1f} after", head, [wave])
    show(f"requests per host of {given.hosts}", ("what", "requests", "floor", "ratio"), _table(asked, given.hosts))


def _table(asked: Requests, hosts: int) -> list[tuple[str, float, float | str, float | str]]:
    counts = (
        ("its share of the directory", asked.directory, asked.floor_directory),
        ("the host itself", asked.hosts, asked.floor_hosts),
        ("sessions", asked.sessions, asked.floor_sessions),
        ("all", asked.directory + asked.hosts + asked.sessions, asked.floor),
    )
    rows: list[tuple[str, float, float | str, float | str]] = [
        (what, count / hosts, floor / hosts, count / floor) for what, count, floor in counts
    ]
    return [*rows, ("readings of the clock, in all", 2.0 * asked.clock, "-", "-")]


if __name__ == "__main__":
    main()
