"""Each migration as a report has it: one is told, and let go, before the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestrator.expectation import Told
from orchestrator.model.plan import Migration, Plan, Wave
from orchestrator.report.before_after import snapshots_of
from orchestrator.report.changes import as_written_to, changes_of
from orchestrator.report.chapters import Chapter, Chapters
from orchestrator.report.evidence import Given
from orchestrator.report.glance import mark_of
from orchestrator.report.reading import WRITES, Reading
from orchestrator.report.restart_times import Measured, restarts_of
from orchestrator.views.moment import iso
from orchestrator.views.status import Standing


def migrations_of(reading: Reading, plan: Plan, standing: Standing, given: Given) -> Iterator[dict[str, Any]]:
    """Yield the migrations of a plan in its order.

    Args:
        reading: what the run's rows tell, all of them.
        plan: the plan that the run goes by.
        standing: where everything stands.
        given: counts to how many migrations each answer of a guard was given; also to those that the plan has no more.
    """
    restarts: dict[str, list[Measured]] = {}
    for one in reading.restarts:
        restarts.setdefault(one.migration, []).append(one)
    written = as_written_to(plan, reading.server)
    for wave in plan.waves:
        for migration in wave.migrations:
            history, told = _told(reading, migration.id, given)
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
        if id_ not in planned:
            _told(reading, id_, given)


def _told(reading: Reading, id_: str, given: Given) -> tuple[list[Chapter], list[Told]]:
    """Return the history of a migration, and its events that tell of writes."""
    chapters, answers = Chapters(), set[int]()
    told: list[Told] = []
    for one in reading.own_rows.of(id_):
        chapters.take_in(one.event, one.seq, one.at, one.attempt, one.answers)
        answers.update(one.answers)
        if isinstance(one.event, WRITES):
            told.append((one.event, one.known_at))
    given.count(answers)
    return chapters.told, told


def _stands(reading: Reading, wave: Wave, migration: Migration, standing: Standing) -> dict[str, Any]:
    stands = standing.migration(migration.id)
    begun = reading.state[migration.id].snapshot is not None or migration.id in reading.earlier
    return {"wave": wave.name, "mark": mark_of(stands, begun=begun), **stands}


def _snapshots(reading: Reading, id_: str) -> list[dict[str, Any]]:
    last = snapshots_of(reading.state[id_])
    return [*reading.earlier.get(id_, ()), *([] if last is None else [last])]
