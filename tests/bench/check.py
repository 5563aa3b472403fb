"""How long ``check`` takes, beside the bare parse of the same file by PyYAML's C loader.

    python -m tests.bench.check

Seconds are of processor time, the least of several runs, taken in turns. The bare parse is shown twice: as a program
that calls ``yaml.load`` gets it, and with the cycle collector off, as the loader has it while it reads; the first is
dearer for each migration the larger the file, the second is not. What only the first load in a process costs, once
everything is imported, is shown on its own.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from orchestrator.planfile import load_plan
from tests.bench import generate
from tests.bench.table import show

SIZES = (100, 1_000, 10_000)
RUNS = 7
FIRST = """
import sys, time
from orchestrator.planfile import load_plan
took = []
for _ in range(5):
    began = time.process_time()
    load_plan(sys.argv[1])
    took.append(time.process_time() - began)
print(took[0] - min(took))
"""


def main() -> None:
    """Print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            file = Path(folder) / "p.yaml"
            file.write_text(generate.plan("p", size, 2, 6), encoding="utf-8")
            rows.append(_row(size, file))
    head = (
        *("migrations", "KiB", "bare parse, ms", "without collector, ms", "load and check, ms", "ratio"),
        *("ratio without collector", "us per migration", "first load, ms more"),
    )
    show("check: loading a plan beside the bare parse", head, rows)


def _row(size: int, file: Path) -> tuple[object, ...]:
    text = file.read_text(encoding="utf-8")
    bare, uncollected, ours = _least(
        lambda: yaml.load(text, yaml.CSafeLoader),
        lambda: _without_collector(lambda: yaml.load(text, yaml.CSafeLoader)),
        lambda: load_plan(file),
    )
    first = min(_first_load(file) for _ in range(3))
    per_migration = ours / size * 1e6
    milliseconds = (bare * 1e3, uncollected * 1e3, ours * 1e3)
    return (size, len(text) // 1024, *milliseconds, ours / bare, ours / uncollected, per_migration, first * 1e3)


def _without_collector(work: Callable[[], object]) -> None:
    gc.disable()
    try:
        work()
    finally:
        gc.enable()


def _least(*works: Callable[[], object]) -> list[float]:
    """Return the least processor time of each, run in turns so that a busy machine is busy for all."""
    least = [float("inf")] * len(works)
    for _ in range(RUNS):
        for index, work in enumerate(works):
            gc.collect()
            began = time.process_time()
            work()
            least[index] = min(least[index], time.process_time() - began)
    return least


def _first_load(file: Path) -> float:
    """Return what the first load takes beyond a later one, in a new process."""
    done = subprocess.run([sys.executable, "-c", FIRST, str(file)], capture_output=True, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
