"""``status`` of a journal of millions of rows: how long it takes, what it reads; beside it verify and a run's start.

    python -m tests.bench.status --events 5000000

The journal is made first: several plans, one lease, sessions of a few thousand rows by turns, each migration's rows as
one on the in-memory estate wrote them, and weeks of polling until there are as many as were asked for. They are
appended and chained as in production, and states are written down by the conductor's own rule. At its end one plan has
as many rows behind its newest state as there may be: the worst case. (`--keep FOLDER` keeps it, and measures it again.)

Cold is without the file in the page cache (``posix_fadvise``); the program's own files stay there.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import itertools
import json
import logging
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import structlog

import tests.world
from orchestrator.conductor.checkpoints import KIND, Checkpoints
from orchestrator.journal import Entry, Journal, Lease, open_journal
from orchestrator.model.driven import RunBegan, RunnerLeft, RunnerTook, ShellGone, ShellOpened
from orchestrator.model.event import (
    VERSION,
    Event,
    FaultSeen,
    LedgerRead,
    Recovered,
    RetryDue,
    WaitBegan,
    from_body,
    to_body,
)
from orchestrator.model.observation import FaultKind
from orchestrator.model.run import RunState
from orchestrator.planfile import canonical, load_plan
from tests.bench import generate
from tests.bench.table import show

HEAD = ("what", "seconds", "best", "seconds, cold", "processor, s", "MiB", "rows read")
ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 2, 18, tzinfo=UTC)
SESSION, TOGETHER, IN_FLIGHT, TRIES = 6_000, 2_000, 12, 9
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
IDS = re.compile(r"\{(\d+)\}")
PLACES = {
    "svc-00000": "{account}",
    "dmsa-00000": "{dmsa}",
    "Svc00000": "{service}",
    "h00000": "{host}",
    "h00001": "{other}",
}
"""The names of the one migration whose rows are the pattern, and what stands for them there."""


Told: TypeAlias = tuple[Entry, Event]


def main() -> None:
    """Make the journal, and print the table."""
    parser = argparse.ArgumentParser(description="status of a journal of millions of rows.")
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--plans", type=int, default=20)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="Make the journal in this folder, or measure the one that is there.")
    parser.add_argument("--no-verify", action="store_true", help="Leave out what reads every row.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.keep or Path(folder)
        if not (place / "j.db").exists():
            make(place, given.events, given.plans, given.accounts)
        rows = list(measured(place, everything=not given.no_verify))
    show("status of a long journal", HEAD, rows)


# The journal.


def make(place: Path, events: int, plans: int, accounts: int) -> None:
    """Make the plans, and a journal of so many rows."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    place.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place).free
    if free < events * 2_000:
        raise SystemExit(f"{place}: {free >> 30} GiB are free, and it takes up to {events * 2_000 >> 30}")
    pattern = _pattern()
    runs = [_Run(number, place, accounts, events // plans, pattern) for number in range(plans)]
    began = time.perf_counter()
    gc.disable()
    with closing(open_journal(place / "j.db", create=True)) as journal:
        writing = _Writing(journal, runs)
        while live := [run for run in runs if not run.over]:
            for run in live:
                writing.session(run, SESSION)
        writing.worst_case(runs[0])
        head = journal.head()
    gc.enable()
    size, took = (place / "j.db").stat().st_size, time.perf_counter() - began
    states = f"{writing.states:,} states of {writing.state_size / writing.states:,.0f} bytes among them"
    print(f"{head:,} rows of {size / head:,.0f} bytes in the file, {states}, in {took:,.0f} s")


def _pattern() -> list[tuple[str, str]]:
    """Return the rows of one migration as it was run: each its kind, and its body with places for names and ids."""
    with tempfile.TemporaryDirectory() as folder:
        tests.world.ROOT = Path(folder)
        (tests.world.ROOT / "estates").mkdir()
        (tests.world.ROOT / "p.yaml").write_text(generate.plan("p", 1, 2, 1), encoding="utf-8")
        (tests.world.ROOT / "estates" / "p.yaml").write_text(generate.estate("p", 1, 2), encoding="utf-8")
        world = tests.world.World("p.yaml", "estates/p.yaml")
        world.run()
    ids: dict[str, str] = {}
    rows = []
    for row in world.journal.read():
        if row.body.get("migration") == "dmsa-00000":
            text = json.dumps(row.body)
            for name, place in PLACES.items():
                text = text.replace(name, place)
            for one in UUIDS.findall(text):
                text = text.replace(one, ids.setdefault(one, f"{{{len(ids)}}}"))
            rows.append((row.kind, text))
    return rows


class _Run:
    """One plan, and the rows that it is still to write."""

    def __init__(self, number: int, place: Path, accounts: int, rows: int, pattern: list[tuple[str, str]]) -> None:
        self.number, self.accounts, self.pattern = number, accounts, pattern
        self.name, self.over = f"plan-{number:02d}", False
        self.polls = max(0, rows // accounts - len(pattern))
        self.file = place / f"{self.name}.yaml"
        self._seconds = itertools.count()
        self._shells = itertools.count(1)
        text = generate.plan(self.name, accounts, 2, 12)
        for word in ("svc-", "dmsa-", "Svc", "h"):
            text = text.replace(f"{word}00", f"{word}{number:02d}")
        self.file.write_text(text, encoding="utf-8")
        self.entries = self._all()

    def entry(self, event: Event) -> Told:
        """Return an event, and how it is appended."""
        at = AT + timedelta(seconds=next(self._seconds))
        return Entry(self.name, at, event.kind, VERSION, to_body(event)), event

    def _all(self) -> Iterator[Told]:
        loaded = load_plan(self.file)
        yield self.entry(RunBegan(digest=loaded.digest, plan=canonical(loaded.plan), by="ann", tool="bench"))
        hosts = generate.placed(self.accounts, 2)
        waiting = [self._migration(number, hosts[number]) for number in range(self.accounts)]
        while waiting:
            flying, waiting = waiting[:IN_FLIGHT], waiting[IN_FLIGHT:]
            for together in itertools.zip_longest(*flying):
                yield from (one for one in together if one is not None)
        self.over = True

    def _migration(self, number: int, hosts: Sequence[int]) -> Iterator[Told]:
        name, mark = f"{self.number:02d}{number:03d}", f"{self.number:04x}{number:08x}"
        at = [f"h{self.number:02d}{host:03d}" for host in hosts]
        known = dict(zip(PLACES.values(), (f"svc-{name}", f"dmsa-{name}", f"Svc{name}", *at), strict=True))
        for kind, text in self.pattern:
            if kind == "moved" and '"dest": "soaked"' in text:
                yield from itertools.islice(self.polling(f"dmsa-{name}", at), self.polls)
            body = text
            for place, found in known.items():
                body = body.replace(place, found)
            body = IDS.sub(lambda found: f"{int(found[1]):08x}-0000-4000-8000-{mark}", body)
            yield self.entry(from_body(kind, json.loads(body)))

    def polling(self, id_: str, hosts: Sequence[str]) -> Iterator[Told]:
        """Yield what weeks of looking leave: readings of the ledger, what is waited for, faults that pass, shells."""
        names = tuple(f"{host}.corp.example" for host in sorted(hosts))
        fault = FaultSeen(kind=FaultKind.TRANSIENT, code="timeout", message="no answer in 30 s from dc01.corp.example")
        about, due = {"migration": id_, "subject": "directory"}, AT + timedelta(days=14)
        while True:
            shell = UUID(int=(self.number << 64) + next(self._shells))
            yield self.entry(ShellOpened(endpoint="dc01.corp.example", shell=shell))
            yield self.entry(LedgerRead(migration=id_, principals=names, hosts_present=names, sha256="5" * 64))
            yield self.entry(RetryDue(**about, of="read", tries=1, until=due, fault=fault))
            yield self.entry(Recovered(**about))
            yield self.entry(WaitBegan(**about, waiting_for="dwell", until=due, detail="Complete is not legal before"))
            yield self.entry(ShellGone(endpoint="dc01.corp.example", shell=shell))


class _Writing:
    """Appends what drivers would, session by session, and writes states down as the conductor does."""

    def __init__(self, journal: Journal, runs: Sequence[_Run]) -> None:
        self._journal, self._head = journal, 0
        self.states = self.state_size = 0
        shared = RunState("")
        self._states = {run.name: RunState(run.name, switches=shared.switches, claims=shared.claims) for run in runs}
        self._states_written = {run.name: Checkpoints(run.name) for run in runs}

    def session(self, run: _Run, rows: int) -> None:
        """Let one runner drive for so many rows."""
        lease = self._journal.acquire("bench")
        self._append(run, [run.entry(RunnerTook(by="ann", host="bench", pid=1, tool="bench"))], lease)
        for _ in range(0, rows, TOGETHER):
            self._append(run, list(itertools.islice(run.entries, TOGETHER)), lease)
            if self._states_written[run.name].due:
                self._write_down(run, lease)
        self._append(run, [run.entry(RunnerLeft(reason="told to stop"))], lease)
        self._journal.release(lease)

    def worst_case(self, run: _Run) -> None:
        """Put as many rows behind the last state of a run as there may be."""
        lease = self._journal.acquire("bench")
        self._write_down(run, lease)
        looking = run.polling(f"dmsa-{run.number:02d}000", [f"h{run.number:02d}000"])
        self._append(run, list(itertools.islice(looking, self._states_written[run.name].limit - 1)), lease)
        self._journal.release(lease)

    def _write_down(self, run: _Run, lease: Lease) -> None:
        entry = self._states_written[run.name].entry(self._states[run.name])
        self.states, self.state_size = self.states + 1, self.state_size + sum(map(len, entry.body.values()))
        self._head = self._journal.append([entry], expected=self._head, lease=lease)
        for one in self._states_written.values():
            one.written(run.name)

    def _append(self, run: _Run, told: list[Told], lease: Lease) -> None:
        self._head = self._journal.append([entry for entry, _ in told], expected=self._head, lease=lease)
        state = self._states[run.name]
        for entry, event in told:
            state.apply(event, entry.at)
        state.touched.clear()
        for one in self._states_written.values():
            one.count(run.name, len(told))


# What is measured.


FLOOR = """
import sqlite3, sys
with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as database:
    assert database.execute("SELECT * FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
"""
START = """
import sys
from contextlib import closing
from orchestrator.conductor.runlog import RunLog
from orchestrator.journal import open_journal
with closing(open_journal(sys.argv[1], create=False)) as journal:
    log = RunLog(sys.argv[2], journal, journal.acquire("bench"), lambda: None, lambda event, at: None)
    assert log.state.digest
"""


def measured(place: Path, *, everything: bool) -> Iterator[tuple[object, ...]]:
    """Yield the rows of the table."""
    journal, status = place / "j.db", ("-m", "orchestrator", "status")
    first, *_, last = sorted(place.glob("plan-*.yaml"))
    with closing(open_journal(journal, create=False)) as opened:
        head = opened.head()
        read = {plan: _read(opened, plan.stem) for plan in (first, last)}
    yield "SQLite: open it, read the last row", *_several(("-c", FLOOR, str(journal)), journal), 1
    nowhere = ("--journal", str(place / "none.db"))
    yield "status of the plan, no journal", *_several((*status, str(first), *nowhere), journal), 0
    for plan, what in ((first, "status, the most rows behind the state"), (last, "status of a plan at rest")):
        yield what, *_several((*status, str(plan), "--journal", str(journal)), journal), read[plan]
    words = ("-m", "orchestrator", "journal", "show", first.stem, "--last", "20", "--journal", str(journal))
    yield "journal show --last 20", *_several(words, journal), 20
    if everything:
        yield "a runner's start: every row folded", *_alone(("-c", START, str(journal), first.stem)), head
        yield "journal verify", *_alone(("-m", "orchestrator", "journal", "verify", "--journal", str(journal))), head


def _read(journal: Journal, run: str) -> int:
    """Return how many rows are read to know where a run stands: a state, and what follows it."""
    state = journal.latest(KIND, run)
    return 1 + sum(1 for _ in journal.read(after=state.seq if state else 0, run=run))


def _several(args: Sequence[str], journal: Path) -> tuple[object, ...]:
    """Return the median and the best of several, the median of some without the file in the page cache, the processor's
    seconds, and the most memory.
    """
    _once(args)
    cold = []
    for _ in range(3):
        with journal.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        cold.append(_once(args)[0])
    took, busy, sizes = zip(*(_once(args) for _ in range(TRIES)), strict=True)
    return statistics.median(took), min(took), statistics.median(cold), statistics.median(busy), max(sizes)


def _alone(args: Sequence[str]) -> tuple[object, ...]:
    took, busy, size = _once(args)
    return took, took, "-", busy, size


@cache
def _environment() -> dict[str, str]:
    """Return the environment of everyone who starts it a second time: byte code cached."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return clean | {"PYTHONPYCACHEPREFIX": folder}


def _once(args: Sequence[str]) -> tuple[float, float, float]:
    """Return how long a process takes, how long the processor is busy for it, and the most memory it had, in MiB."""
    began, size = time.perf_counter(), 0
    child = subprocess.Popen([sys.executable, *args], cwd=ROOT, env=_environment(), stdout=subprocess.DEVNULL)
    status = Path(f"/proc/{child.pid}/status")
    while not (found := os.wait4(child.pid, os.WNOHANG))[0]:
        high = re.search(r"VmHWM:\s+(\d+)", status.read_text())  # what wait4 tells would begin with our own
        size = int(high[1]) if high else size
        time.sleep(0.005)
    took = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(found[1])
    if child.returncode:
        raise SystemExit(f"exit {child.returncode}: {args}")
    return took, found[2].ru_utime + found[2].ru_stime, size / 1024


if __name__ == "__main__":
    main()
