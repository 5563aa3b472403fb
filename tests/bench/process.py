"""What the product's own command takes: a process of its own, its processor time and the most memory it had."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOOKS_EVERY = 0.005


def command(words: tuple[str, ...], out: Path) -> tuple[float, float]:
    """Run ``dmsa`` with these words, and return its seconds of processor time and its most memory in MiB.

    What it says goes into the file *out*; an exit code other than 0 ends this program.
    """
    with out.open("wb") as said:
        child = subprocess.Popen([sys.executable, "-m", "orchestrator", *words], cwd=ROOT, stdout=said, stderr=said)
        highest, ended = 0.0, 0
        while not ended:
            highest = most(child.pid) or highest
            time.sleep(LOOKS_EVERY)
            ended, status, used = os.wait4(child.pid, os.WNOHANG)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"exit {child.returncode}: {words}: {out.read_text()[-2000:]}")
    return used.ru_utime + used.ru_stime, highest


def most(pid: int | str = "self") -> float:
    """Return the most memory that a process has had, in MiB; what ``getrusage`` tells may be its parent's."""
    high = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(high[1]) / 1024 if high else 0.0
