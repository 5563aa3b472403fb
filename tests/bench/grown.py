"""A run of any size with its journal: migrations on three hosts each, which stand in every phase of the way forward.

The rows of one migration, as one on the in-memory estate wrote them, are the pattern of all. A migration has them up to
the phase at which it stands; they are appended and chained as in production. At the end is a state, as a runner writes
it down, with half as many rows behind it as there may be. One in a hundred is held.
"""

from __future__ import annotations

import gc
import json
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import structlog

import tests.world
from orchestrator.conductor.checkpoints import Checkpoints
from orchestrator.journal import Entry, Journal, Lease, open_journal
from orchestrator.model.driven import RunBegan, RunnerTook
from orchestrator.model.event import VERSION, Event, Held, LedgerRead, from_body, to_body
from orchestrator.model.lifecycle import PATH
from orchestrator.model.run import RunState
from orchestrator.planfile import canonical, load_plan
from tests.bench import generate

HOSTS_EACH = 3
WAVES = 12
HELD_EVERY = 100
AT = datetime(2026, 3, 2, 18, tzinfo=UTC)
TOGETHER = 2_000
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NAMES = ("svc-00000", "dmsa-00000", "Svc00000", "h00000", "h00001", "h00002", "H00000", "H00001", "H00002")
"""The names of the one migration whose rows are the pattern."""
PLACES = re.compile(r"\{(\d+)\}")


def plan_file(place: Path, migrations: int) -> Path:
    """Write the plan of so many migrations, and return its file."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / "p.yaml"
    file.write_text(generate.plan("p", migrations, HOSTS_EACH, WAVES), encoding="utf-8")
    return file


def journal_file(place: Path, plan: Path, migrations: int) -> tuple[Path, int]:
    """Write the journal of the plan's run; return its file, and how many rows it has."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    file = place / "j.db"
    gc.disable()
    with closing(open_journal(file, create=True)) as journal:
        lease = journal.acquire("bench")
        writing = _Writing(journal, lease)
        rows = _rows(plan, migrations)
        while together := list(islice(rows, TOGETHER)):
            writing.append(together)
        writing.state()
        writing.append(_reading(migrations, writing.limit // 2))
        head = journal.head()
        journal.release(lease)
    gc.enable()
    return file, head


class _Writing:
    """Appends rows, folds them, and writes the state down."""

    def __init__(self, journal: Journal, lease: Lease) -> None:
        self._journal, self._lease, self._head = journal, lease, 0
        self._state, self._checkpoints = RunState("p"), Checkpoints("p")

    @property
    def limit(self) -> int:
        """How many rows may be behind the state that was written."""
        return self._checkpoints.limit

    def append(self, events: list[Event]) -> None:
        at = [AT + timedelta(seconds=self._head + number) for number in range(len(events))]
        entries = [
            Entry("p", when, event.kind, VERSION, to_body(event)) for event, when in zip(events, at, strict=True)
        ]
        self._head = self._journal.append(entries, expected=self._head, lease=self._lease)
        for event, when in zip(events, at, strict=True):
            self._state.apply(event, when)

    def state(self) -> None:
        entry = self._checkpoints.entry(self._state)
        self._head = self._journal.append([entry], expected=self._head, lease=self._lease)


def _rows(plan: Path, migrations: int) -> Iterator[Event]:
    loaded = load_plan(plan)
    yield RunBegan(digest=loaded.digest, plan=canonical(loaded.plan), by="ann", tool="bench")
    yield RunnerTook(by="ann", host="bench", pid=1, tool="bench")
    pattern = _pattern()
    ends = [next(n for n, (_, text) in enumerate(pattern, 1) if f'"dest": "{phase}"' in text) for phase in PATH[1:]]
    hosts = generate.placed(migrations, HOSTS_EACH)
    for number in range(migrations):
        end = (0, *ends)[number % len(PATH)]
        yield from _of_one(number, hosts[number], pattern[:end])
        if end and number % HELD_EVERY == 0:
            text = f"h{hosts[number][0]:05d}.corp.example: no answer in 30 s"
            yield Held(migration=f"dmsa-{number:05d}", reason="fault", detail=text, release="mend it, then release")


def _of_one(number: int, hosts: list[int], pattern: list[tuple[str, str]]) -> Iterator[Event]:
    at = [f"h{host:05d}" for host in hosts]
    known = (f"svc-{number:05d}", f"dmsa-{number:05d}", f"Svc{number:05d}", *at, *(one.upper() for one in at))

    def put(found: re.Match[str]) -> str:
        place = int(found[1])
        return known[place] if place < len(NAMES) else f"{place:08x}-0000-4000-8000-{number:012x}"

    for kind, text in pattern:
        yield from_body(kind, json.loads(PLACES.sub(put, text)))


def _reading(migrations: int, rows: int) -> list[Event]:
    """Return so many rows that follow the newest state: readings of the ledger."""
    hosts = generate.placed(migrations, HOSTS_EACH)
    names = {number: tuple(sorted(f"h{host:05d}.corp.example" for host in hosts[number])) for number in hosts}
    soaking = [number for number in range(migrations) if PATH[number % len(PATH)] == "restarted"]
    return [
        LedgerRead(
            migration=f"dmsa-{number:05d}", principals=names[number], hosts_present=names[number], sha256="5" * 64
        )
        for number in (soaking[k % len(soaking)] for k in range(rows))
    ]


def _pattern() -> list[tuple[str, str]]:
    """Return the rows of one migration as it was run: each its kind, and its body with places for names and ids."""
    with tempfile.TemporaryDirectory() as folder:
        tests.world.ROOT = Path(folder)
        (tests.world.ROOT / "estates").mkdir()
        (tests.world.ROOT / "p.yaml").write_text(generate.plan("p", 1, HOSTS_EACH, 1), encoding="utf-8")
        (tests.world.ROOT / "estates" / "p.yaml").write_text(generate.estate("p", 1, HOSTS_EACH), encoding="utf-8")
        world = tests.world.World("p.yaml", "estates/p.yaml")
        world.run()
    ids: dict[str, str] = {name: f"{{{number}}}" for number, name in enumerate(NAMES)}
    rows = []
    for row in world.journal.read():
        if row.body.get("migration") == "dmsa-00000":
            text = json.dumps(row.body)
            for one in (*NAMES, *UUIDS.findall(text)):
                text = text.replace(one, ids.setdefault(one, f"{{{len(ids)}}}"))
            rows.append((row.kind, text))
    return rows
