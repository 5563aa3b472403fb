"""Journals of every kind, for what must hold of all of them: disturbed, random, shared by plans, of old versions."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from orchestrator.conductor.checkpoints import Checkpoints
from orchestrator.journal import Entry, Journal, MemoryJournal, Row, open_journal
from orchestrator.model.lifecycle import Phase
from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from orchestrator.rehearsal.disturbance import draw
from orchestrator.rehearsal.play import play
from tests.conductor.test_shared_host import THREE, each, roll_back, worlds_of
from tests.journal.ancestors import STAGES, VERSIONS, left_behind
from tests.simulation.seeds import played
from tests.wayback.plans import rehearsed

DISTURBED = tuple(f"seed-{seed}" for seed in (1, 5, 7, 12, 31, 50))
DRAWN = tuple(f"plan-{seed}" for seed in range(1, 9))
SHARED = ("shared-in-three-plans", "shared-in-two-plans,-one-of-two-waves")
RELEASED = tuple(f"released-{version}-{stage}" for version in VERSIONS for stage in STAGES)
NAMES = (*DISTURBED, *DRAWN, *SHARED, *RELEASED)


@cache
def rows_of(name: str) -> tuple[Row, ...]:
    """Return the rows of a journal by its name."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    kind, _, rest = name.partition("-")
    if kind == "seed":
        return tuple(played(int(rest)).world.journal.read())
    if kind == "plan":
        on = rehearsed(int(rest))
        return tuple(play(on, int(rest), draw(on.plan, on.spec, int(rest))).world.journal.read())
    if kind == "released":
        version, _, stage = rest.partition("-")
        return _left_behind(int(version), stage)
    return _shared(rest)


def _left_behind(version: int, stage: str) -> tuple[Row, ...]:
    with TemporaryDirectory() as folder:
        desk = left_behind(version, stage, Path(folder) / "desk")
        with closing(open_journal(desk.journal, create=False)) as journal:
            return tuple(journal.read())


def _shared(layout: str) -> tuple[Row, ...]:
    worlds = worlds_of(layout.replace("-", " "), None)
    for world in each(worlds):
        world.run(until=Phase.RESTARTED)
    for id_ in THREE[:2]:
        roll_back(worlds, id_)
    return tuple(next(each(worlds)).journal.read())


def runs_of(rows: Sequence[Row]) -> list[str]:
    """Return the runs of rows, in the order in which they began."""
    return list(dict.fromkeys(row.run for row in rows))


def folded(rows: Sequence[Row], run: str) -> RunState:
    """Return what rows make of a run, from the first on."""
    state = RunState(run)
    for row in rows:
        fold_in(state, row)
    return state


def again(rows: Sequence[Row], every: int, journal: Journal | None = None) -> Journal:
    """Return a journal of the same rows, into which each run's driver has written its state after every few."""
    journal = journal or MemoryJournal()
    lease = journal.acquire("the driver")
    states = {run: RunState(run) for run in runs_of(rows)}
    count = {run: Checkpoints(run, every) for run in states}
    head = journal.head()
    for row in rows:
        entry = Entry(row.run, row.at, row.kind, row.version, row.body)
        head = journal.append([entry], expected=head, lease=None if row.epoch is None else lease)
        for run, state in states.items():
            fold_in(state, row)
            count[run].count(row.run)
        if row.epoch is not None and count[row.run].due:
            head = journal.append([count[row.run].entry(states[row.run])], expected=head, lease=lease)
            for one in count.values():
                one.written(row.run)
    journal.release(lease)
    return journal


def cuts(rows: Sequence[Row], parts: int) -> Iterator[int]:
    """Yield places between rows, the first and the last among them."""
    yield from sorted({len(rows) * part // parts for part in range(parts + 1)})
