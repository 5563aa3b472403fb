"""Each migration as a report has it: one is told, and let go, before the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.expectation import Told
from orchestrator.model.plan import Migration, Plan, Wave
from orchestrator.report.before_after import snapshots_of
from orchestrator.report.changes import as_written_to, changes_of
from orchestrator.report.chapters import Chapter, Chapters
from orchestrator.report.glance import mark_of
from orchestrator.report.reading import WRITES, Reading
from orchestrator.report.restart_times import Measured, restarts_of
from orchestrator.views.moment import iso
from orchestrator.views.status import Standing


def migrations_of(reading: Reading, plan: Plan, standing: Standing) -> Iterator[dict[str, Any]]:
    """Yield the migrations of a plan in its order, and count to how many each answer of a guard was given."""
    restarts: dict[str, list[Measured]] = {}
    for one in reading.restarts:
        restarts.setdefault(one.migration, []).append(one)
    written = as_written_to(plan, reading.server)
    for wave in plan.waves:
        for migration in wave.migrations:
            history, told = _told(reading, migration.id)
            yield {
                **_stands(reading, wave, migration, standing),
                "began": iso(history[0].began) if history else None,
                "since": iso(reading.state[migration.id].since),
                "history": [chapter.document() for chapter in history],
                "writes": changes_of(written, reading.state[migration.id], told),
                "snapshots": _snapshots(reading, migration.id),
                "curve": reading.curves[migration.id].document() if migration.id in reading.curves else None,
                "restarts": restarts_of(restarts.get(migration.id, ()), plan.policy_of(migration.id).restart_takes),
            }
    planned = {migration.id for migration in plan.migrations()}
    for id_ in reading.own_rows:
        if id_ not in planned:  # it was taken out of the plan since; what guards said of it is among the answers
            _told(reading, id_)


def _told(reading: Reading, id_: str) -> tuple[list[Chapter], list[Told]]:
    """Return the history of a migration, and its events that tell of writes."""
    chapters, answers = Chapters(), set[int]()
    told: list[Told] = []
    for one in reading.own_rows.of(id_):
        chapters.take_in(one.event, one.seq, one.at, one.attempt, one.answers)
        answers.update(one.answers)
        if isinstance(one.event, WRITES):
            told.append((one.event, one.known_at))
    reading.answers.given(answers)
    return chapters.told, told


def _stands(reading: Reading, wave: Wave, migration: Migration, standing: Standing) -> dict[str, Any]:
    stands = standing.migration(migration.id)
    begun = reading.state[migration.id].snapshot is not None or migration.id in reading.earlier
    return {"wave": wave.name, "mark": mark_of(stands, begun=begun), **stands}


def _snapshots(reading: Reading, id_: str) -> list[dict[str, Any]]:
    last = snapshots_of(reading.state[id_])
    return [*reading.earlier.get(id_, ()), *([] if last is None else [last])]
