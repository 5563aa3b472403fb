"""How long the command takes to start, as a whole process, beside bare Python and the two libraries it needs.

    python -m tests.bench.start

With byte code cached, as for everyone who starts it a second time, and without (PYTHONDONTWRITEBYTECODE and an editable
installation: every module is compiled anew at each start).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.table import show

ROOT = Path(__file__).parents[2]
RUNS = 15
ROWS = (
    ("python -c pass", ("-c", "pass")),
    ('python -c "import typer, pydantic.main"', ("-c", "import typer, pydantic.main")),
    ("dmsa --help", ("-m", "orchestrator", "--help")),
    ("dmsa run --help", ("-m", "orchestrator", "run", "--help")),
    ("dmsa check plans/quickstart.yaml", ("-m", "orchestrator", "check", "plans/quickstart.yaml")),
    ("dmsa check plans/programme.yaml", ("-m", "orchestrator", "check", "plans/programme.yaml")),
    ("dmsa status plans/quickstart.yaml", ("-m", "orchestrator", "status", "plans/quickstart.yaml")),
)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        cached = {"PYTHONPYCACHEPREFIX": folder}
        rows = [(name, *_times(args, cached), *_times(args, {"PYTHONDONTWRITEBYTECODE": "1"})) for name, args in ROWS]
    show("start: whole process, seconds", ("command", "median", "best", "median, not cached", "best, not cached"), rows)


def _times(args: tuple[str, ...], more: dict[str, str]) -> tuple[float, float]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    _once(args, clean | more)
    times = [_once(args, clean | more) for _ in range(RUNS)]
    return statistics.median(times), min(times)


def _once(args: tuple[str, ...], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *args], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
