"""A forward wave over the wire, and what it cost: for the benchmarks that run one.

The wave moves one account with a service on each of so many hosts, ten accounts at a time, from nothing to confirmed;
each host serves one account. It is ``dmsa run`` as everybody runs it: the lab is a process of its own behind TLS.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import generate

ROOT = Path(__file__).parents[2]
AT_ONCE = 10
LOOKS_EVERY = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Watched:
    """What one process was seen to use: seconds of processor time, and KiB of memory at its peak."""

    processor: float = 0.0
    peak: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a wave cost. ``idle``: the share of looks at which neither process had anything to do."""

    seconds: float
    runner: Watched
    lab: Watched
    idle: float
    rows: Sequence[dict[str, Any]] = field(repr=False)
    events: int


def write(folder: Path, hosts: int, hosts_each: int) -> Path:
    """Write the plan of a wave over so many hosts, and its estate; return the plan."""
    accounts = hosts // hosts_each
    where = {n: list(range(n * hosts_each, (n + 1) * hosts_each)) for n in range(accounts)}
    plan = generate.plan("p", accounts, hosts_each, 1, where).replace("at_once: 2", f"at_once: {AT_ONCE}")
    estate = generate.estate("p", accounts, hosts_each, where).replace("00Z}", "00Z, jump: 1d}", 1)
    (folder / "estates").mkdir(parents=True, exist_ok=True)
    (folder / "p.yaml").write_text(plan, encoding="utf-8")
    (folder / "estates" / "p.yaml").write_text(estate, encoding="utf-8")
    return folder / "p.yaml"


def run(plan: Path) -> Outcome:
    """Run a wave to its end.

    Raises:
        CalledProcessError: it did not reach its end.
    """
    began = time.perf_counter()
    runner, lab, looks, idle = Watched(), Watched(), 0, 0
    command = [sys.executable, "-m", "orchestrator", "run", plan.name, "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=plan.parent, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            busy = _look(process.pid, runner)
            for child in _children(process.pid):
                busy |= _look(child, lab)
            looks, idle = looks + 1, idle + (not busy)
            time.sleep(LOOKS_EVERY)
    took = time.perf_counter() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    state = plan.parent / ".dmsa"
    record = (state / "journal.db.lab" / "commands.jsonl").read_text(encoding="utf-8").splitlines()
    return Outcome(took, runner, lab, idle / max(1, looks), [json.loads(line) for line in record], _events(state))


def _look(pid: int, watched: Watched) -> bool:
    """Take in what a process has used; say whether one of its threads runs, or could."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        peak = next((line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line), "0 0")
        threads = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # it ended meanwhile
        return True
    watched.processor = max(watched.processor, (int(stat[11]) + int(stat[12])) / _TICKS)
    watched.peak = max(watched.peak, int(peak.split()[1]))
    return any(thread.rpartition(")")[2].split()[0] in "RD" for thread in threads)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _events(state: Path) -> int:
    with sqlite3.connect(state / "journal.db") as journal:
        return int(journal.execute("SELECT max(seq) FROM entries").fetchone()[0])
