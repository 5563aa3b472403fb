"""How long ``check`` takes, beside the bare parse of the same file by PyYAML's C loader.

python -m tests.bench.check
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from orchestrator.planfile import load_plan
from tests.bench import generate
from tests.bench.table import show

SIZES = (100, 1_000, 10_000)
RUNS = 5


def main() -> None:
    """Print the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            file = Path(folder) / "p.yaml"
            file.write_text(generate.plan("p", size, 2, 6), encoding="utf-8")
            text = file.read_text(encoding="utf-8")
            bare = _median(lambda text=text: yaml.load(text, yaml.CSafeLoader))  # type: ignore[misc]
            ours = _median(lambda file=file: load_plan(file))  # type: ignore[misc]
            rows.append((size, len(text) // 1024, bare * 1e3, ours * 1e3, ours / bare, ours / size * 1e6))
    head = ("migrations", "KiB", "bare parse, ms", "load and check, ms", "ratio", "us per migration")
    show("check: loading a plan beside the bare parse", head, rows)


def _median(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


if __name__ == "__main__":
    main()
