"""What a wave's gates ask of people: their approval, and that a window went by.

Approval is asked for once something stands before the gate, also while its window is closed: whoever must agree is to
hear of it before the night, not in it. A window is missed by what stood before it when it closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from orchestrator.engine.approving import GATES
from orchestrator.engine.missed import Missed, missed
from orchestrator.engine.outside import gate_of
from orchestrator.engine.waves import Admission, NotYet
from orchestrator.model.approvals import tally
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.words import Gate, Subject

_ASKED: Mapping[Gate, str] = {"start": "approval:start", "complete": "approval:complete"}
_SHUT = frozenset({"window", "blackout"})
_LOOK_BACK = timedelta(days=15)
"""How far back a window is looked for that closed: it opens once a week, or a blackout has kept it shut for longer."""


def gates_due(run: RunState, plan: Plan, at: datetime | None, answers: Mapping[str, Admission]) -> Iterator[Any]:
    """Yield the fields of what is to be told of gates; *answers* are those that wait there, and none: not asked now."""
    if not answers:
        return
    for wave in plan.waves:
        for gate in GATES:
            yield from _approval(run, plan, wave, gate, at, answers)
    yield from _missed(run, plan, at, answers)


def _approval(
    run: RunState, plan: Plan, wave: Wave, gate: Gate, at: datetime | None, answers: Mapping[str, Admission]
) -> Iterator[dict[str, Any]]:
    waiting = {one.id: answers.get(one.id) for one in wave.migrations}
    lacking = {id_: one for id_, one in waiting.items() if isinstance(one, NotYet) and one.waiting_for == _ASKED[gate]}
    if at is None or not lacking:
        return
    digest, subject = (run.digest or "")[:12], Subject("gate", wave.name, gate)
    when = _when(wave, gate, at)
    rules = (plan.policy_of(id_).approvals for id_ in lacking)
    words = (one for rule in rules for one in tally(run.consent, subject, 1, rule, when).said)
    lapsed = max((one.until for one in words if one.until <= when), default=None)
    known = run.notices.told.get(("approval-needed", f"{wave.name} {gate}"), "")
    if known.startswith(digest) and lapsed is None:
        return  # it was asked for, and nobody's approval has lapsed since
    yield {
        "occasion": "approval-needed",
        "wave": wave.name,
        "migrations": tuple(lacking),
        "reason": gate,
        "about": f"{digest} {lapsed.isoformat()}" if lapsed else digest,
        "detail": f"{next(iter(lacking.values())).detail}.",
        "todo": f"`dmsa approve PLAN --wave {wave.name} --gate {gate} --reason TEXT`",
    }


def _when(wave: Wave, gate: Gate, at: datetime) -> datetime:
    """Return when an approval must count: now, or when the window opens that is closed now."""
    found = gate_of(wave, gate, at)
    return found.opens if found is not None and not found.is_open and found.opens is not None else at


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
