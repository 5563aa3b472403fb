"""How many durable steps a journal takes in a second, beside what its disk and its server can do at all.

    python -m tests.bench.durable --seconds 5

A step is one append under the lease: in SQLite's log and synced, or committed by PostgreSQL with synchronous_commit and
fsync on. The floors are a file that gets the same bytes and is synced each time, and one INSERT of them into a table
without rules, committed each time, on the same server. The server is on this machine and the same disk.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg

from orchestrator.journal import Entry, Journal, open_journal
from tests.bench.table import show
from tests.postgres import PostgresServer, running

BODY = {
    "migration": "svc-web",
    "step": "restart",
    "attempt": 1,
    "endpoint": "app01.corp.example",
    "evidence": "x" * 200,
}
HEAD = ("what", "steps in a second", "ms a step", "rows in a second, 16 a step")

Step = Callable[[int], object]
"""Makes so many rows durable."""
Store = Callable[[Path, PostgresServer], AbstractContextManager[Step]]


def _appending(journal: Journal) -> Step:
    lease, head = journal.acquire("bench"), journal.head()

    def step(rows: int) -> None:
        nonlocal head
        head = journal.append([Entry("run", None, "step", 1, BODY)] * rows, expected=head, lease=lease)

    return step


@contextlib.contextmanager
def _sqlite(folder: Path, _server: PostgresServer) -> Iterator[Step]:
    with contextlib.closing(open_journal(folder / "journal.db", create=True)) as journal:
        yield _appending(journal)


@contextlib.contextmanager
def _postgresql(_folder: Path, server: PostgresServer) -> Iterator[Step]:
    with contextlib.closing(open_journal(server.journal(), create=False)) as journal:
        yield _appending(journal)


@contextlib.contextmanager
def _synced_file(folder: Path, _server: PostgresServer) -> Iterator[Step]:
    file = os.open(folder / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    line = repr(BODY).encode() + b"x" * 200

    def step(rows: int) -> None:
        os.write(file, line * rows)
        os.fsync(file)

    try:
        yield step
    finally:
        os.close(file)


@contextlib.contextmanager
def _inserts(_folder: Path, server: PostgresServer) -> Iterator[Step]:
    with psycopg.connect(server.database(), autocommit=True) as connection:
        connection.execute("CREATE TABLE floor (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)")
        insert = "INSERT INTO floor (body) SELECT %s FROM generate_series(1, %s)"
        yield lambda rows: connection.execute(insert, (repr(BODY) + "x" * 200, rows))


STORES: dict[str, Store] = {
    "floor: a file, written and synced": _synced_file,
    "SQLite": _sqlite,
    "floor: INSERT and commit": _inserts,
    "PostgreSQL": _postgresql,
}
"""What is measured. Another way of making a step durable (a cluster) is one more entry."""


def per_second(step: Step, rows: int, seconds: float) -> float:
    """Return how many steps of so many rows were made in a second."""
    step(rows)
    begun, made = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        step(rows)
        made += 1
    return made / (time.perf_counter() - begun)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Durable steps.")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--place", type=Path, help="a folder on the disk to measure")
    given = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory(dir=given.place) as folder, running(place=given.place or Path("/tmp")) as server:
        os.chdir(folder)
        for name, store in STORES.items():
            with store(Path(folder), server) as step:
                one, many = (per_second(step, rows, given.seconds) for rows in (1, 16))
            table.append((name, round(one), 1000 / one, round(many * 16)))
    show("durable steps", HEAD, table)


if __name__ == "__main__":
    main()
