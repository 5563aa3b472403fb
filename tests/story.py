"""A run with everything in it that people must be able to tell apart, made of ``plans/waves.yaml`` in a second.

The pilot is completed. Of the second wave one migration waits for its dwell, one has FAILED (a service did not start),
one is HELD (a person said so). Later both are mended and completed; the last wave goes wrong, and back by itself. It is
played in one process by the product's own code and is the same each time, byte for byte; its journal can be written up
to any row, and on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import structlog

from orchestrator.journal import Entry, Journal, Row, open_journal
from orchestrator.model.event import Held, Released
from orchestrator.rehearsal.process import Crash, Doing
from tests.world import World

PLAN = "waves"
"""The name of the plan; its file is ``plans/waves.yaml``."""
_HELD_AT = datetime(2026, 3, 24, 9, tzinfo=UTC)
_MENDED_AT = datetime(2026, 4, 1, 9, tzinfo=UTC)
_WORDS = "the owner asks to wait for the quarter's end"


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows of the whole story."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    world = World("plans/waves.yaml", change_estate=_with_bad_days, sooner=False)
    for moment, words in ((_HELD_AT, _hold), (_MENDED_AT, _mend)):
        try:
            world.run(doom=_Until(world, moment))
        except Crash:
            words(world)
    world.run()
    return tuple(world.journal.read())


def middle() -> int:
    """Return how many rows there are when one waits, one has failed, and one is held."""
    return next(number for number, row in enumerate(rows()) if row.kind == Released.model_fields["kind"].default)


def write(path: Path, begin: int = 0, end: int | None = None) -> None:
    """Write rows of the story into the journal at *path*: all of them, or those from *begin* to *end*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(open_journal(path, create=True)) as journal:
        append(journal, rows()[begin:end])


def append(journal: Journal, told: Sequence[Row]) -> None:
    """Append rows: a runner's as a runner does, and an operator's words as an operator does."""
    lease, head = journal.acquire("the driver"), journal.head()
    for by_operator, some in groupby(told, key=lambda row: row.epoch is None):
        entries = [Entry(row.run, row.at, row.kind, row.version, row.body) for row in some]
        head = journal.append(entries, expected=head, lease=None if by_operator else lease)
    journal.release(lease)


class _Until:
    """A process that dies when estate time is past a moment."""

    def __init__(self, world: World, moment: datetime) -> None:
        self._world, self._moment = world, moment

    def moment(self, _doing: Doing) -> None:
        if self._world.estate.now >= self._moment:
            raise Crash


def _hold(world: World) -> None:
    release = "`dmsa release PLAN --only dmsa-sync --reason TEXT`"
    world.say(Held(migration="dmsa-sync", reason="operator", detail=_WORDS, release=release, by="anna.berg"))


def _mend(world: World) -> None:
    for id_, why in (("dmsa-web", "the service's certificate was renewed"), ("dmsa-sync", "the quarter is over")):
        world.say(Released(migration=id_, by="anna.berg", reason=why))


def _with_bad_days(estate: dict[str, Any]) -> None:
    estate["weather"] = [
        {"kind": "service-broken", "host": f"{host}.corp.example", "service": service, "at": at, "times": 2}
        for host, service, at in (
            ("app03", "WebFront", "2026-03-22T12:00:00Z"),
            ("app02", "ErpQueue", "2026-04-18T12:00:00Z"),
        )
    ]
