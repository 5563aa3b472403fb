"""Two hundred open pages on one board: how long after an append an event arrives, and what memory the board takes.

    python -m tests.bench.board --pages 200 --seconds 60

Three processes: a writer that appends rows to a journal as a runner does, the board (`dmsa board`), and this one, which
holds the pages open. The rows are those of a run that was played before, dated anew, one estate second each, so that a
page tells by the estate time that it shows which row has come. The pages are of every kind. Beside them are some that
never read what they are sent.

What is measured: from the moment when an append has returned in the writer until a page has that row, or a later one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

import tests.world
from orchestrator.board.page import Address
from orchestrator.journal import Entry, open_journal
from orchestrator.planfile import load_plan
from tests.bench import generate
from tests.bench.table import show

ROOT = Path(__file__).parents[2]
FIRST = datetime(2026, 3, 2, 18, tzinfo=UTC)
TIME = re.compile(r'state time <time datetime="([0-9TZ:-]{20})"')
HEAD = ("pages", "kind", "events", "p50, s", "p95, s", "max, s")
DEAF = 10
"""How many pages beside them never read."""


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description="Two hundred open pages on one board.")
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--accounts", type=int, default=100)
    parser.add_argument("--every", type=float, default=0.1, help="Seconds between two appends.")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        write(given.write, given.every)
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = prepare(place, given.accounts)
        wanted = min(rows - 1, int(given.seconds / given.every))
        asyncio.run(measure(place, given.pages, given.every, wanted))


def prepare(place: Path, accounts: int) -> int:
    """Play a run of so many accounts; keep its rows, and a journal of the first. Return how many rows it has."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    tests.world.ROOT = place
    (place / "estates").mkdir()
    (place / "p.yaml").write_text(generate.plan("p", accounts, 2, 12), encoding="utf-8")
    (place / "estates" / "p.yaml").write_text(generate.estate("p", accounts, 2), encoding="utf-8")
    world = tests.world.World("p.yaml", "estates/p.yaml")
    world.run()
    rows = list(world.journal.read())
    lines = [json.dumps([row.run, row.kind, row.version, row.body]) for row in rows]
    (place / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with closing(open_journal(place / "j.db", create=True)) as journal:
        journal.append(list(_entries(place))[:1], expected=0, lease=None)
    return len(rows)


def _entries(place: Path) -> Iterator[Entry]:
    for number, line in enumerate((place / "rows.jsonl").read_text(encoding="utf-8").splitlines()):
        run, kind, version, body = json.loads(line)
        yield Entry(run, FIRST + timedelta(seconds=number), kind, version, body)


def write(place: Path, every: float) -> None:
    """Append a row at a time, and say when each was on disk; ends when nobody listens."""
    entries = list(_entries(place))
    with closing(open_journal(place / "j.db", create=False)) as journal:
        for number, entry in enumerate(entries[1:], 1):
            due = time.monotonic() + every
            journal.append([entry], expected=number, lease=None)
            print(number, time.monotonic(), flush=True)
            time.sleep(max(0.0, due - time.monotonic()))


@dataclass
class Open:
    """One open page: when it had which row, by the estate time that it showed."""

    kind: str
    came: list[tuple[int, float]] = field(default_factory=list)

    def take_in(self, data: str) -> None:
        """Take in an event."""
        now = time.monotonic()
        shown = [int((datetime.fromisoformat(at) - FIRST).total_seconds()) for at in TIME.findall(_now(data))]
        if shown:
            self.came.append((max(shown), now))

    def waits(self, written: Sequence[tuple[int, float]]) -> Iterator[float]:
        """Yield how long each row took to come; one that came with a later one as long as that."""
        came = iter(self.came)
        at = next(came, None)
        for number, when in written:
            while at is not None and at[0] < number:
                at = next(came, None)
            if at is None:
                return
            yield at[1] - when


def _now(data: str) -> str:
    """Return the part of a change in which the estate time stands: above the page, or in the card of a run."""
    parts = json.loads(data)["parts"]
    return str(parts.get("now", "")) + str(parts.get("run-0", ""))


async def measure(place: Path, pages: int, every: float, wanted: int) -> None:
    """Start the board, open the pages, let rows come, and print what was seen."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = (sys.executable, "-m", "orchestrator", "board", "p.yaml", "--journal", "j.db", "--port", "0")
    board = await asyncio.create_subprocess_exec(*command, cwd=place, env=environment, stdout=subprocess.PIPE)
    assert board.stdout is not None
    port = int((await board.stdout.readline()).split()[0].rsplit(b":", 1)[1].rstrip(b"/"))
    opened = [(address, Open(address.kind)) for address in _addresses(place, pages)]
    began = time.monotonic()
    readers = [asyncio.create_task(await _opened(port, address, page)) for address, page in opened]
    deaf = [await _connected(port, Address("plan", "p")) for _ in range(DEAF)]
    print(f"{len(readers)} pages open after {time.monotonic() - began:.1f} s, {DEAF} more that never read")
    before = _resident(board.pid)
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.board", "--write", str(place), "--every", str(every),
        cwd=ROOT, env=environment, stdout=subprocess.PIPE,
    )  # fmt: skip
    written, peak = await _watched(writer, wanted, board.pid)
    await asyncio.sleep(3)
    after, spent = _resident(board.pid), _processor(board.pid)
    for reader in readers:
        reader.cancel()
    for _, out in deaf:
        out.close()
    board.terminate()
    await board.wait()
    _report(opened, written, (before, peak, after), spent)


def _addresses(place: Path, pages: int) -> Iterator[Address]:
    """Yield the pages: most on plan and overview, the others each on a migration, a host, the journal."""
    plan = load_plan(place / "p.yaml").plan
    ids = [migration.id for migration in plan.migrations()]
    hosts = sorted({host.name for migration in plan.migrations() for host in migration.hosts})
    chance = random.Random(1)
    for number in range(pages):
        yield (
            Address("plan", "p"),
            Address(),
            Address("migration", "p", chance.choice(ids)),
            Address("journal", "p"),
            Address("plan", "p"),
            Address("migration", "p", chance.choice(ids)),
            Address("wave", "p", plan.waves[0].name),
            Address("ledger", "p"),
            Address("hosts", "p"),
            Address("host", "p", chance.choice(hosts)),
        )[number % 10]


async def _connected(port: int, address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Load a page as a browser does, and open its stream of events."""
    page = await _asked(port, address.url)
    text = (await page[0].read()).decode()
    page[1].close()
    live = text.partition('data-live="')[2].partition('"')[0].replace("&amp;", "&")
    assert live, text[:300]
    return await _asked(port, live)


async def _asked(port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def _opened(port: int, address: Address, page: Open) -> object:
    reader, writer = await _connected(port, address)

    async def read() -> None:
        with closing(writer):
            async for line in reader:
                if line.startswith(b"data: {") and b'"parts"' in line:
                    page.take_in(line[6:].decode())

    return read()


async def _watched(writer: asyncio.subprocess.Process, wanted: int, pid: int) -> tuple[list[tuple[int, float]], float]:
    """Return when each row was written, and the most memory that the board had meanwhile."""
    assert writer.stdout is not None
    written: list[tuple[int, float]] = []
    peak = 0.0
    while len(written) < wanted and (line := await writer.stdout.readline()):
        number, when = line.split()
        written.append((int(number), float(when)))
        peak = max(peak, _resident(pid))
    if writer.returncode is None:
        writer.kill()
    await writer.wait()
    return written, peak


def _resident(pid: int) -> float:
    """Return the memory of a process that is in use now, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _processor(pid: int) -> float:
    """Return the processor seconds that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _report(
    opened: Sequence[tuple[Address, Open]],
    written: Sequence[tuple[int, float]],
    memory: tuple[float, float, float],
    spent: float,
) -> None:
    kinds = ("all", *dict.fromkeys(address.kind for address, _ in opened))
    rows = []
    for kind in kinds:
        pages = [page for address, page in opened if kind in {"all", address.kind}]
        waits = sorted(wait for page in pages for wait in page.waits(written))
        cuts = statistics.quantiles(waits, n=20)
        rows.append(
            (
                str(len(pages)),
                kind,
                f"{len(waits):,}",
                f"{statistics.median(waits):.2f}",
                f"{cuts[-1]:.2f}",
                f"{waits[-1]:.2f}",
            )
        )
    missed = sum(len(written) - sum(1 for _ in page.waits(written)) for _, page in opened)
    took = written[-1][1] - written[0][1]
    show(f"{len(written)} rows in {took:.0f} s", HEAD, rows)
    print(f"rows that never came to a page: {missed}")
    before, most, after = memory
    print(f"the board's memory, MiB: {before:.0f} with every page open, {most:.0f} at most, {after:.0f} at the end")
    print(f"the board's processor time: {spent:.1f} s; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
