"""How long the quick start's drill takes, as a whole process with its lab, over TLS; and what checking it costs.

    python -m tests.bench.drill

Aim: 120 seconds for the drill.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.table import show

ROOT = Path(__file__).parents[2]
PLAN = "plans/quickstart.yaml"
PAGE = ".dmsa/drills/quickstart-1.html"
COMMANDS = (("drill", PLAN), ("journal", "verify", "--certificate", PAGE), ("drill", PLAN, "--history"))


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "plans", Path(folder) / "plans")
        rows = [(f"`dmsa {' '.join(command)}`", *_timed(command, folder)) for command in COMMANDS]
    show("drill: whole process, seconds", ("command", "seconds", "user seconds"), rows)


def _timed(command: tuple[str, ...], folder: str) -> tuple[float, float]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DMSA_")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "orchestrator", *command],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


if __name__ == "__main__":
    main()
