"""A runner that stays for thirty weeks: what it holds, week by week, over the real wire.

    python -m tests.bench.weeks --weeks 30 --accounts 2

The runner is `dmsa run --watch` in a process of its own, the far side a lab that is served in another. All accounts are
in their dwell, the ledger is read every six hours. Each week an operator holds everything and releases it; every fourth
week the lab is gone until the runner has noticed, every fourth the runner's domain controller says nothing for a while.
A jump of an hour is a reading of the clock, so a week is at least 168 calls.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pypsrp.powershell import RunspacePool
from pypsrp.wsman import WSMan

from orchestrator.journal import open_journal
from tests.bench import generate
from tests.bench.table import show

ROOT = Path(__file__).parents[2]
DC = "dc01.corp.example"
HEAD = ("week", "resident, MiB", "threads", "open files", "shells at hosts", "journal rows", "seconds")
WEEK = timedelta(weeks=1)
PATIENCE = 1800.0
LOOKS_EVERY = 0.05


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="A runner that stays for weeks.")
    parser.add_argument("--weeks", type=int, default=30)
    parser.add_argument("--accounts", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = Weeks(Path(folder), given.weeks, given.accounts).rows()
    show(f"run --watch for {given.weeks} weeks, {given.accounts} accounts", HEAD, rows)


class Weeks:
    """One runner, one lab, and everything that befalls them."""

    def __init__(self, folder: Path, weeks: int, accounts: int, hosts_each: int = 1) -> None:
        self._folder, self._weeks = folder, weeks
        (folder / "estates").mkdir()
        (folder / "estates" / "p.yaml").write_text(generate.estate("p", accounts, hosts_each), encoding="utf-8")
        self._plan: dict[str, Any] = yaml.safe_load(generate.plan("p", accounts, hosts_each, 1))
        self._plan["policy"] = {"dwell": f"{7 * weeks}d", "ledger_every": "6h"}
        self._said: list[str] = []
        self._times: list[tuple[float, str]] = []
        self._began = time.monotonic()

    def rows(self) -> list[tuple[object, ...]]:
        """Run it, and return a row for each week, and one for the end."""
        with self._lab() as lab, self._runner() as runner:
            rows = []
            first = self._until(self._dwell_began)
            for week in range(1, self._weeks):
                self._until(lambda week=week: (self._now() or first) >= first + week * WEEK)  # type: ignore[misc]
                rows.append(self._row(week, runner.pid))
                print(*rows[-1], file=sys.stderr, flush=True)
                self._what_happens(week, lab, runner)
            runner.wait(PATIENCE)
            journal = self._rows()
            phases = self._dmsa("status", "p.yaml", "--json")
            document = json.loads(phases)
            ended = {one["phase"] for wave in document["waves"] for one in wave["migrations"]}
            assert (runner.returncode, ended) == (0, {"completed"}), "".join(self._said[-20:])
            return [*rows, (f"{self._weeks}: completed", "-", "-", "-", self._shells(), journal, self._seconds())]

    # What happens.

    def _what_happens(self, week: int, lab: list[subprocess.Popen[str]], runner: subprocess.Popen[str]) -> None:
        self._dmsa("hold", "p.yaml", "--reason", "a change freeze")
        self._dmsa("release", "p.yaml", "--reason", "over")
        if week % 4 == 0:
            self._stop(lab)
            self._until(lambda: "NO ESTATE TIME" in "".join(self._said[-8:]))
            lab.append(self._serve())
        elif week % 4 == 2:
            lab[-1].send_signal(signal.SIGSTOP)  # connections are taken, and nobody answers
            self._until(lambda: "NO ESTATE TIME" in "".join(self._said[-8:]))
            lab[-1].send_signal(signal.SIGCONT)
        assert runner.poll() is None, "".join(self._said[-20:])

    def _dmsa(self, *args: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator", *args], cwd=self._folder, env=_environment(), stdout=subprocess.PIPE
        )
        assert done.returncode == 0, args
        return done.stdout.decode()

    @contextlib.contextmanager
    def _lab(self) -> Iterator[list[subprocess.Popen[str]]]:
        lab = [self._serve()]
        try:
            yield lab
        finally:
            self._stop(lab)

    def _serve(self) -> subprocess.Popen[str]:
        lab = _started(self._folder, "lab", "serve", "estates/p.yaml", "--state", "state", "--json")
        assert lab.stdout is not None
        ready = json.loads(lab.stdout.readline())
        self._addresses: dict[str, str] = ready["addresses"]
        self._login = {"username": ready["username"], "password": ready["password"], "auth": "basic"}
        (self._folder / "ca.pem").write_bytes(Path(ready["ca"]).read_bytes())
        (self._folder / "password").write_text(ready["password"])
        connection = {"match": "*", "auth": "basic", "username": ready["username"], "password": "${file:password}"}
        self._plan["estate"] = {
            "simulated": True,
            "domain": "corp.example",
            "directory": {"endpoint": DC, "server": DC},
            "addresses": self._addresses,
            "connections": [{**connection, "tls": {"ca": "ca.pem"}, "timeout": "3s"}],
        }
        (self._folder / "p.yaml").write_text(json.dumps(self._plan, default=str))
        return lab

    def _stop(self, lab: list[subprocess.Popen[str]]) -> None:
        lab[-1].send_signal(signal.SIGTERM)
        lab[-1].wait(60)

    @contextlib.contextmanager
    def _runner(self) -> Iterator[subprocess.Popen[str]]:
        runner = _started(self._folder, "run", "p.yaml", "--watch")
        listening = threading.Thread(target=self._listen, args=(runner,), daemon=True)
        listening.start()
        try:
            yield runner
        finally:
            runner.kill()
            runner.wait()

    def _listen(self, runner: subprocess.Popen[str]) -> None:
        assert runner.stdout is not None
        for line in runner.stdout:
            self._said.append(line)
            self._times.append((time.monotonic(), line))

    # What is seen.

    def _row(self, week: int, pid: int) -> tuple[object, ...]:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        resident = int(status["VmRSS"].split()[0]) / 1024
        files = len(os.listdir(f"/proc/{pid}/fd"))
        return (week, round(resident, 1), int(status["Threads"]), files, self._shells(), self._rows(), self._seconds())

    def _shells(self) -> int:
        """Return how many sessions of the runner there are on all hosts together."""
        count = 0
        for address in self._addresses.values():
            host, port = address.split(":")
            wsman = WSMan(host, port=int(port), cert_validation=str(self._folder / "ca.pem"), **self._login)
            with contextlib.closing(wsman):
                count += len(RunspacePool.get_runspace_pools(wsman))
        return count

    def _seconds(self) -> int:
        return round(time.monotonic() - self._began)

    def _dwell_began(self) -> datetime | None:
        return self._now() if sum("waits for dwell" in line for line in self._said) else None

    def _rows(self) -> int:
        with self._journal() as journal:
            return int(journal.head())

    def _now(self) -> datetime | None:
        with self._journal() as journal:
            found = None
            for row in journal.read(after=max(0, journal.head() - 5)):
                found = row.at or found
            return found

    def _journal(self) -> contextlib.closing[Any]:
        return contextlib.closing(open_journal(self._folder / ".dmsa" / "journal.db", create=False))

    def _until(self, found: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (value := found()):
            assert time.monotonic() < deadline, "".join(self._said[-20:])
            time.sleep(LOOKS_EVERY)
        return value


def _started(folder: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *args],
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


if __name__ == "__main__":
    main()
