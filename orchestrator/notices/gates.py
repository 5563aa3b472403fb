"""What a wave's gates ask of people: their approval, and that a window went by.

Approval is asked for once something stands before the gate, also while its window is closed: whoever must agree is to
hear of it before the night, not in it. A window is missed by what stood before it when it closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from orchestrator.engine.missed import Missed, missed
from orchestrator.engine.waves import Admission, NotYet
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState

_APPROVE = "dmsa approve"
Gate: TypeAlias = Literal["start", "complete"]
_BEFORE: Mapping[Gate, Phase] = {"start": Phase.PREPARED, "complete": Phase.SOAKED}
"""Where a migration stands that nothing but the gate keeps from being admitted."""
_SHUT = frozenset({"window", "blackout"})
_LOOK_BACK = timedelta(days=15)
"""How far back a window is looked for that closed: it opens once a week, or a blackout has kept it shut for longer."""


def gates_due(run: RunState, plan: Plan, at: datetime | None, answers: Mapping[str, Admission]) -> Iterator[Any]:
    """Yield the fields of what is to be told of gates; *answers* are those that wait there, and none: not asked now."""
    if not answers:
        return
    for wave in plan.waves:
        for gate in _BEFORE:
            yield from _approval(run, plan, wave, gate, answers)
    yield from _missed(run, plan, at, answers)


def _approval(
    run: RunState, plan: Plan, wave: Wave, gate: Gate, answers: Mapping[str, Admission]
) -> Iterator[dict[str, Any]]:
    standing = [one for migration in wave.migrations if _stands(one := run[migration.id], gate)]
    lacking = [one for one in standing if _lacks(plan, one, gate, answers.get(one.id))]
    if not lacking:
        return
    wanted = max(getattr(plan.policy_of(one.id).approvals, gate) for one in lacking)
    people = "1 person" if wanted == 1 else f"{wanted} different people"
    yield {
        "occasion": "approval-needed",
        "wave": wave.name,
        "migrations": tuple(one.id for one in lacking),
        "reason": gate,
        "about": (run.digest or "")[:12],
        "detail": f"{people} must approve before {gate}, none of them the one who runs it.",
        "todo": f"`{_APPROVE} PLAN --wave {wave.name} --gate {gate} --reason TEXT`",
    }


def _stands(state: MigrationState, gate: Gate) -> bool:
    forward = state.intention is Intention.FORWARD and state.held is None
    return forward and state.phase is _BEFORE[gate] and not state.performed and not state.open


def _lacks(plan: Plan, state: MigrationState, gate: Gate, answer: Admission | None) -> bool:
    if not getattr(plan.policy_of(state.id).approvals, gate) or not isinstance(answer, NotYet):
        return False
    return answer.waiting_for in {f"approval:{gate}", "window", "blackout"}


def _missed(
    run: RunState, plan: Plan, at: datetime | None, answers: Mapping[str, Admission]
) -> Iterator[dict[str, Any]]:
    waiting = [id_ for id_, one in answers.items() if isinstance(one, NotYet) and one.waiting_for in _SHUT]
    if at is None or not waiting:
        return
    late: dict[tuple[str, str, datetime], list[Missed]] = {}
    for one in missed(run, plan, at - _LOOK_BACK, at, waiting):
        late.setdefault((one.wave, one.gate, one.closed), []).append(one)
    for together in late.values():
        yield _window(plan, together)


def _window(plan: Plan, together: list[Missed]) -> dict[str, Any]:
    first = together[0]
    again = f"It opens again at {_minute(first.opens)}." if first.opens else "It does not open again."
    ids = tuple(one.migration for one in together)
    count = f"{len(ids)} of {len(plan.wave_of(first.migration).migrations)}"
    return {
        "occasion": "window-missed",
        "wave": first.wave,
        "migrations": ids,
        "reason": first.gate,
        "about": first.closed.isoformat(),
        "detail": f"The {first.gate} window closed at {_minute(first.closed)} before {count} were through. {again}",
        "todo": "see that a runner drives when it opens; `dmsa status PLAN` says what each waits for",
    }


def _minute(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")
