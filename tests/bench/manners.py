"""A runner's manners as its hosts see them: connections, log-ons and shells of a wave over the wire.

    python -m tests.bench.manners --hosts 200 [--until registered] [--hanging 40] [--shells 30]

One account and one host each, all in one wave that admits them at once, on a lab in a process of its own, which notes
each connection, log-on and shell (``visits.jsonl``). With ``--hanging`` so many of the hosts never answer when their
switch is set. The budget is that of log-ons in any second, to hosts and to each domain controller.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from orchestrator.remote.traffic import HOSTS_AT_ONCE, LOGONS_PER_SECOND
from tests.bench.table import show
from tests.cli.fleet import Visits, fleet, host_of

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="A runner's manners as its hosts see them.")
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--until", default="registered")
    parser.add_argument("--hanging", type=int, default=0)
    parser.add_argument("--shells", type=int, default=30, help="MaxShellsPerUser")
    parser.add_argument("--hosts-at-once", type=int, default=HOSTS_AT_ONCE)
    parser.add_argument("--logons-per-second", type=int, default=LOGONS_PER_SECOND)
    given = parser.parse_args()
    weather = [
        {"kind": "hang", "arrives": False, "when": {"cmdlet": "New-ItemProperty", "host": host_of(n), "times": 99}}
        for n in range(given.hanging)
    ]
    with tempfile.TemporaryDirectory() as folder:
        desk = fleet(Path(folder) / "desk", given.hosts, weather, shells_per_user=given.shells)
        options = ("--hosts-at-once", str(given.hosts_at_once), "--logons-per-second", str(given.logons_per_second))
        began = time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", "orchestrator", "run", "plan.yaml", "--until", given.until, "--json", *options],
            cwd=desk.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
        )
        took = time.perf_counter() - began
        phases = Counter(desk.phases().values())
        rows = list(_rows(Visits(desk.lab), given))
    title = f"{given.hosts} hosts to {given.until}, {given.hanging} of which hang: {took:.0f} s"
    show(title, ("what", "hosts", "dc01", "dc02", "bound"), rows)
    print(f"exit {ended.returncode}; {', '.join(f'{count} {phase}' for phase, count in phases.items())}\n")


def _rows(seen: Visits, given: argparse.Namespace) -> list[tuple[object, ...]]:
    places = ("h", "dc01", "dc02")
    shells, connections = seen.most("shell-opened", "shells"), seen.most("connected", "connections")
    seconds = {place: sorted(seen.per_second("logged-on", place)) or [0] for place in places}
    return [
        ("hosts with a shell at once, most", _at_once(seen), "-", "-", "-"),
        ("connections to one at a time, most", *(_most(connections, place) for place in places), "4, and 1 to delete"),
        ("shells on one at a time, most", *(_most(shells, place) for place in places), "4 of 30"),
        ("log-ons in all", *(len(seconds[place]) for place in places), "-"),
        ("log-ons in a second, most", *(seconds[place][-1] for place in places), given.logons_per_second),
        ("log-ons in a second, 95 %", *(_p95(seconds[place]) for place in places), given.logons_per_second),
        ("turned away for a quota", *(_turned_away(seen, place) for place in places), "-"),
    ]


def _at_once(seen: Visits) -> int:
    """Return how many hosts had a shell at the same time, at most."""
    open_: Counter[str] = Counter()
    most = 0
    for row in seen.rows:
        if row["host"].startswith("h"):
            open_[row["host"]] += {"shell-opened": 1, "shell-closed": -1}.get(row["what"], 0)
            most = max(most, sum(count > 0 for count in open_.values()))
    return most


def _most(found: dict[str, int], place: str) -> int:
    return max((count for host, count in found.items() if host.startswith(place)), default=0)


def _p95(counts: list[int]) -> int:
    return counts[int(0.95 * (len(counts) - 1))]


def _turned_away(seen: Visits, place: str) -> int:
    return sum(row["host"].startswith(place) for row in seen.of("turned-away"))


if __name__ == "__main__":
    main()
