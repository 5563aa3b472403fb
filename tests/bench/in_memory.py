"""A whole programme on the in-memory estate, journaled on disk: durable events per second, events and memory each.

    python -m tests.bench.in_memory --accounts 200 1000 --hosts-each 4

Each size is measured in a process of its own. The calls that wait end together, as they do where hosts are slower than
the conductor; each transaction is synced as in production. The simulated estate's own work is inside the time, and
shown beside it.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import structlog

import tests.world
from orchestrator.journal import open_journal
from orchestrator.journal.sqlite import SqliteJournal
from orchestrator.lab.estate.estate import Estate
from tests.bench import generate
from tests.bench.table import show

HEAD = (
    *("migrations", "hosts each", "events", "seconds", "events/s", "processor, s", "of it the estate, s"),
    *("events/s without it", "transactions", "events each", "KiB each, all", "KiB each, its state", "ended"),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="A programme on the in-memory estate.")
    parser.add_argument("--accounts", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--hosts-each", type=int, default=4)
    given = parser.parse_args()
    rows = []
    for accounts in given.accounts:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            rows.append(alone.submit(measured, accounts, given.hosts_each).result())
    show("a programme in memory, journal on disk", HEAD, rows)


def measured(accounts: int, hosts_each: int) -> tuple[object, ...]:
    """Run a programme of that size and return its row."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    in_estate, transactions = _Timed(Estate, "execute"), _Timed(SqliteJournal, "append")
    with tempfile.TemporaryDirectory() as folder:
        world = _world(Path(folder), accounts, hosts_each)
        before = _resident()
        began, busy = time.perf_counter(), time.process_time()
        state = world.run(together=None)
        took, busy = time.perf_counter() - began, time.process_time() - busy
        grown = _resident() - before
        events = world.journal.head()
        phases = {str(phase) for phase in world.phases().values()}
        world.journal.close()
        return (
            *(accounts, hosts_each, events, took, events / took, busy, in_estate.seconds),
            *(events / (took - in_estate.seconds), transactions.calls, events / accounts),
            *(grown / 1024 / accounts, _size(state.migrations) / 1024 / accounts, ", ".join(sorted(phases))),
        )


def _world(place: Path, accounts: int, hosts_each: int) -> tests.world.World:
    (place / "estates").mkdir()
    (place / "p.yaml").write_text(generate.plan("p", accounts, hosts_each, 6), encoding="utf-8")
    (place / "estates" / "p.yaml").write_text(generate.estate("p", accounts, hosts_each), encoding="utf-8")
    tests.world.ROOT = place
    world = tests.world.World("p.yaml", "estates/p.yaml", journal=open_journal(place / "j.db", create=True))
    world.estate.keeps_record = False  # the witness is not what is measured
    return world


class _Timed:
    """Count the calls of a method, and the seconds they take."""

    def __init__(self, of: type, name: str) -> None:
        self.calls, self.seconds = 0, 0.0
        inner: Callable[..., Any] = getattr(of, name)

        def timed(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*given, **named)
            finally:
                self.calls += 1
                self.seconds += time.perf_counter() - began

        setattr(of, name, timed)


def _resident() -> int:
    """Return the bytes of memory that the process holds now, what is garbage aside."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _size(root: object) -> int:
    """Return the bytes of an object and of everything that it refers to, each counted once."""
    waiting, seen, total = [root], set[int](), 0
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, type | ModuleType | FunctionType):
            seen.add(id(one))
            total += sys.getsizeof(one)
            waiting += gc.get_referents(one)
    return total


if __name__ == "__main__":
    main()
