"""A newcomer's path, timed: clone, install, first wave, killed in its middle, resume, drill, report.

    python -m tests.bench.newcomer

A fresh clone of what is committed here, in a temporary folder, with a virtual environment that README's first command
makes; nothing of this process is used by it. Each step is a row of :data:`STEPS`: what is typed, what must be
printed, and how it must end. A step that does otherwise ends the whole with what it said. Without the clone and the
installation all of it must be done in :data:`BUDGET`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.table import show

ROOT = Path(__file__).parents[2]
BUDGET = 300.0
"""Seconds."""


@dataclass(frozen=True)
class Step:
    """One thing that the newcomer does: a command, and what must come of it."""

    name: str
    command: str
    shows: str
    ends: int = 0
    killed_at: str = ""
    """Where this was printed, the process is killed by SIGKILL; without it the command goes on to its end."""


_PILOT = "dmsa run plans/quickstart.yaml --only pilot"
STEPS = (
    Step("first wave, kill -9 in its middle", _PILOT, "planned -> prepared", -9, killed_at="prepared -> started"),
    Step("where it stands", "dmsa status plans/quickstart.yaml", "dmsa-report"),
    Step("resume", _PILOT, "wave pilot: done"),
    Step(
        "each Start arrived once",
        "dmsa lab show --state .dmsa/journal.db.lab --record | grep -c 'W .*Start-ADServiceAccountMigration'",
        "^2$",
    ),
    Step("drill", "dmsa drill plans/one-account.yaml --journal .dmsa/drill.db", "RESTORED"),
    Step("report", "dmsa report plans/quickstart.yaml -o report.html", ""),
    Step("the report is there", "head -c 15 report.html", "(?i)<!doctype html>"),
)


class Astray(Exception):
    """A step did not do what the table says."""


def main() -> None:
    """Go the path and print how long each step took."""
    with tempfile.TemporaryDirectory(prefix="newcomer") as folder:
        home = Path(folder) / "dmsa"
        rows: list[tuple[str, float]] = []
        try:
            for name, command in (("clone", f"git clone -q {ROOT} {home}"), ("install", _installation())):
                rows.append((name, _go(Step(name, command, ""), home if home.exists() else Path(folder))))
            rows.extend((step.name, _go(step, home)) for step in STEPS)
        except Astray as astray:
            sys.exit(f"{astray}")
    taken = sum(seconds for _, seconds in rows[2:])
    show("a newcomer's path, seconds", ("step", "seconds"), [*rows, ("all without clone and install", taken)])
    if taken > BUDGET:
        sys.exit(f"it took {taken:.0f} seconds, and {BUDGET:.0f} is the limit")


def _installation() -> str:
    """Return README's first command without its last part, which runs a plan."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^<!-- run -->\n```\n(.*) && \S+dmsa run \S+\n```$", readme, re.MULTILINE)
    if found is None:
        raise Astray("README has no command between <!-- run --> and <!-- end -->")
    return found[1]


def _go(step: Step, folder: Path) -> float:
    """Do one step; return how long it took.

    Raises:
        Astray: it ended otherwise, or did not print what it should.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DMSA_", "VIRTUAL_"))}
    clean["PATH"] = f"{folder / '.venv' / 'bin'}:{clean['PATH']}"
    began, said = time.perf_counter(), ""
    command = ("bash", "-c", f"exec {step.command}" if step.killed_at else step.command)
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(command, cwd=folder, env=clean, text=True, stdout=pipe, stderr=both) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if step.killed_at and step.killed_at in line:
                process.kill()
    taken = time.perf_counter() - began
    if process.returncode != step.ends or not re.search(step.shows, said):
        wanted = f"{step.ends}, with {step.shows!r}" if step.shows else f"{step.ends}"
        raise Astray(
            f"{step.name}: `{step.command}` ended with {process.returncode}, not with {wanted}\n{said[-3000:]}"
        )
    return taken


if __name__ == "__main__":
    main()
