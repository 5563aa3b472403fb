"""A board beside a test: the real command, in a folder with the plans that ship, on a port of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cli.running import running

ROOT = Path(__file__).parent.parent
JOURNAL = Path(".dmsa") / "journal.db"


def with_plans(folder: Path) -> Path:
    """Lay out a folder in which the plans that ship are at hand."""
    shutil.copytree(ROOT / "plans", folder / "plans")
    return folder


@contextlib.contextmanager
def board(folder: Path, *words: str) -> Iterator[str]:
    """Serve a board in *folder*; yield its address. It must end in good order, and have said nothing else."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("DMSA_", "COV"))}
    command = (sys.executable, "-m", "orchestrator", "board", *words, "--port", "0")
    with running(command, folder, {**own, "PYTHONPATH": str(ROOT)}) as served:
        yield served.until(lambda line: line.startswith("http")).split()[0]
        served.signal(signal.SIGTERM)
        ended = served.end()
    assert (ended.returncode, ended.stderr) == (143, "")
