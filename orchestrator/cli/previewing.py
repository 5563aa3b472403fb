"""What a preview reads, and what is asked with it: the reads of a snapshot, and the guards of the step that is next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestrator.cli.readings import Readings
from orchestrator.engine import preflight
from orchestrator.journal import Row
from orchestrator.model.action import Stop
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.guard_ids import Stage
from orchestrator.model.lifecycle import FINAL, Intention, Phase
from orchestrator.model.observation import Unreadable
from orchestrator.model.plan import Plan
from orchestrator.model.replay import fold_in
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.preview import Looked, Obstacle, asks, looked
from orchestrator.rehearsal.predicted import Question

_GATES = {Phase.PLANNED: Stage.PREFLIGHT, Phase.PREPARED: Stage.START, Phase.SOAKED: Stage.COMPLETE}
"""Where a guard stands before the very next write; any other gate is asked when it is reached."""


@dataclass(frozen=True)
class Asked:
    """What is to be predicted: the plan, its estate resolved, and its identity."""

    plan: Plan
    digest: str
    canonical: Mapping[str, Any]
    rows: Sequence[Row]
    chosen: Sequence[str]
    until: Phase | None = None


def question(asked: Asked, readings: Readings, at: datetime, apart: timedelta | None) -> Question | None:
    """Read what a prediction goes by; None once it was stopped.

    Raises:
        Refused: a call was outside the catalogue; it was not sent.
    """
    run = RunState(asked.plan.name)
    for row in asked.rows:
        fold_in(run, row)
    moving = [id_ for id_ in asked.chosen if not _rests(run[id_])]
    cases = {id_: Case.of(run, asked.plan, id_, at, apart) for id_ in (*moving, *_neighbours(asked.plan, moving))}
    gates = {id_: _gate(cases[id_]) for id_ in moving}
    seen = readings.all_of(tuple(cases), lambda id_, known: _asks(cases[id_], gates.get(id_), known), at)
    if seen is None:
        return None
    found: dict[str, Looked] = {}
    obstacles: dict[str, Obstacle] = {}
    for id_, case in cases.items():
        answer = _looked(case, seen[id_])
        if isinstance(answer, Looked):
            found[id_] = answer
        if id_ not in gates:
            continue  # it is not moved: what is in its way concerns nobody
        obstacle = answer if isinstance(answer, Obstacle) else _refused(case, seen[id_])
        if obstacle is not None:
            obstacles[id_] = obstacle
    return Question(
        plan=asked.plan,
        digest=asked.digest,
        canonical=asked.canonical,
        at=at,
        rows=asked.rows,
        seen=found,
        obstacles=obstacles,
        chosen=asked.chosen,
        until=asked.until,
    )


def _neighbours(plan: Plan, moving: Sequence[str]) -> Iterator[str]:
    """Yield the migrations that are not moved, and have workloads where others are: a reboot takes these along."""
    hosts = {host.name.lower() for id_ in moving for host in plan.migration(id_).hosts}
    for one in plan.migrations():
        if one.id not in moving and any(host.name.lower() in hosts for host in one.hosts):
            yield one.id


def _rests(state: MigrationState) -> bool:
    """Whether a run would not move it, whatever is there: it has ended, or a person is needed."""
    return state.held is not None or (state.phase in FINAL and state.intention is _last(state))


def _last(state: MigrationState) -> Intention:
    return Intention.FORWARD if state.phase is Phase.COMPLETED else Intention.BACK


def _gate(case: Case) -> Stage | None:
    forward = case.state.intention is Intention.FORWARD and case.state.asserted is None and case.state.adopting is None
    return _GATES.get(case.state.phase) if forward and not case.state.performed else None


def _asks(case: Case, gate: Stage | None, seen: Seen) -> tuple[Read, ...]:
    """Return what must still be read, guards' questions included; a host that does not answer is not asked more."""
    return asks(case, seen) or (preflight.asks(case, gate, seen) if gate else ())


def _looked(case: Case, seen: Seen) -> Looked | Obstacle:
    try:
        answer = looked(case, seen)
    except Unreadable as unread:
        reached = not any(not fault.reached for _, fault in seen.faults())
        return Obstacle("fault" if reached else "guard:host-reachable", str(unread), unknown=True)
    return Obstacle(answer.reason, answer.detail) if isinstance(answer, Stop) else answer


def _refused(case: Case, seen: Seen) -> Obstacle | None:
    """Return what the guards before the next write would hold the migration for; what only waits holds nothing."""
    gate = _gate(case)
    if gate is None:
        return None
    answers = preflight.asked(case, gate, seen, None).answers
    firm = [one for one in answers if not one.lets_pass and one.verdict.waits is None]
    if not firm:
        return None
    first = min(firm, key=lambda one: (one.guard != "host-reachable", one.guard != "run-is-ours"))
    same = [one.verdict.evidence for one in firm if one.guard == first.guard]
    unknown = all(one.verdict.passed is None for one in firm)
    return Obstacle(f"guard:{first.guard}", "; ".join(same), unknown=unknown)
