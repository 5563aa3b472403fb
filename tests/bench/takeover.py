"""How long after `kill -9` of the runner that drives one that stands by has written its first row.

    python -m tests.bench.takeover

Both are `dmsa run --watch` in processes of their own, the second with `--stand-by`; the lab is served by itself. Once
the first rests, it is killed at some moment between two renewals of its lease, and the second becomes the first. The
clock is this process's: from the signal until the journal has a row of the next epoch.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.journal import Journal, open_journal
from tests.bench.table import show
from tests.cli.desk import COMMAND, ROOT, Desk, reached, read_plan
from tests.patience import PATIENCE
from tests.postgres import running

HEAD = ("journal", "lease, s", "times", "median, s", "95 %, s", "worst, s", "lease + 1 s kept")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Takeovers.")
    parser.add_argument("--times", type=int, default=10)
    given = parser.parse_args()
    table = []
    with running() as server:
        for journal, lease in (("PostgreSQL", 3), ("SQLite", 0), ("PostgreSQL", 5), ("PostgreSQL", 15)):
            with tempfile.TemporaryDirectory() as name, _lab(Path(name)) as served:
                desk = _desk(Path(name), served)
                place = server.journal() if lease else str(desk.folder / "journal.db")
                table.append(_row(journal, lease, _measured(desk, place, lease or 15, given.times)))
    show("takeover after kill -9", HEAD, table)


def _row(journal: str, lease: int, took: list[float]) -> tuple[object, ...]:
    took = sorted(took)
    kept = "yes" if took[-1] <= lease + 1 else "no"
    share = took[min(len(took) - 1, int(0.95 * len(took)))]
    return journal, lease or "-", len(took), took[len(took) // 2], share, took[-1], kept


def _measured(desk: Desk, place: str, lease: int, times: int) -> list[float]:
    """Let runners replace each other so many times; return how long each took."""
    took, chance = [], random.Random(lease)
    with contextlib.ExitStack() as runners:
        driver = runners.enter_context(_runner(desk, place, lease))
        _until(lambda: "waits for" in driver.said())
        with contextlib.closing(open_journal(place, create=False)) as journal:
            for _ in range(times):
                heir = runners.enter_context(_runner(desk, place, lease, "--stand-by"))
                _until(lambda heir=heir: "stands by" in heir.said())
                time.sleep(chance.uniform(0, lease / 3))
                took.append(_takeover(driver, journal))
                _until(lambda heir=heir: "waits for" in heir.said())
                driver = heir
    print(place.partition(":")[0], lease, *(f"{one:.2f}" for one in took), file=sys.stderr, flush=True)
    return took


def _takeover(driver: _Runner, journal: Journal) -> float:
    epoch, head = max(row.epoch or 0 for row in journal.read()), journal.head()
    driver.process.send_signal(signal.SIGKILL)
    begun = time.monotonic()
    while not any((row.epoch or 0) > epoch for row in journal.read(after=head)):
        assert time.monotonic() - begun < PATIENCE
        time.sleep(0.01)
    took = time.monotonic() - begun
    driver.process.wait()
    return took


class _Runner:
    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process, self._output = process, output

    def said(self) -> str:
        assert self.process.poll() is None, self._output.read_text()
        return self._output.read_text()


@contextlib.contextmanager
def _runner(desk: Desk, place: str, lease: int, *more: str) -> Iterator[_Runner]:
    output = desk.folder / f"output-{time.monotonic_ns()}"
    words = ("run", "plan.yaml", "--only", "dmsa-batch", "--watch", "--journal", place, "--lease", str(lease), *more)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as out:
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=desk.folder, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield _Runner(process, output)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _lab(folder: Path) -> Iterator[dict[str, str]]:
    desk = Desk.new(folder / "served")
    with desk.running("lab", "serve", "estates/quickstart.yaml", "--state", "lab", "--json") as lab:
        assert lab.until_line(1)
        yield json.loads(lab.lines[0])


def _desk(folder: Path, served: dict[str, str]) -> Desk:
    """Return a runner's desk; the plan's weeks of waiting stay, so that runners rest."""
    place = Path(tempfile.mkdtemp(dir=folder))
    shutil.copy(served["ca"], place / "ca.pem")
    (place / "password").write_text(served["password"])
    desk = Desk(place)
    desk.write_plan(
        {**read_plan("quickstart.yaml"), "estate": reached(served), "policy": {"dwell": "3650d", "flat_for": "7d"}}
    )
    return desk


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


if __name__ == "__main__":
    main()
