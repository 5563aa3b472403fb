"""The three judgements that take more than a row or a command: Complete, rolled back, and the end of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from orchestrator.engine.failing import TurnBack
from orchestrator.engine.outcome import waiting_of
from orchestrator.engine.waves import Admission
from orchestrator.model.lifecycle import FINAL, Intention, Phase
from orchestrator.model.plan import Plan
from orchestrator.model.state import MigrationState
from orchestrator.rehearsal.course import Before, Course
from orchestrator.rehearsal.far_side import FarSide

FLOOR = timedelta(days=14)
"""The least dwell without a waiver: two ticket lifetimes (Microsoft Learn, dMSA overview)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be: which rule, of whom, and a sentence for a person."""

    rule: str
    about: str
    sentence: str

    def __str__(self) -> str:
        """Return the line that is shown."""
        return f"{self.rule}: {self.about}: {self.sentence}"


def complete_is_legal(plan: Plan, far: FarSide, course: Course, excused: AbstractSet[str]) -> Iterator[Violation]:
    """Judge a Complete that arrived just now: dwell, convergence and membership, by the far side."""
    migration, policy = plan.migration(course.id), plan.policy_of(course.id)
    if course.id in excused or migration.account in excused:
        return
    if course.converged_at is None:
        yield Violation("complete-converged", course.id, "Complete arrived before every copy showed 1/1")
        return
    present = far.principals(course.id)
    absent = sorted(host.name for host in migration.hosts if host.name not in present)
    if absent:
        yield Violation("complete-membership", course.id, f"Complete arrived while {absent} may not use the dMSA")
    hosts = [host.name for host in migration.hosts if host.name not in excused]
    moments = [course.converged_at, *(course.member_at.get(name) for name in hosts)]
    began = max(at for at in (*moments, *(course.switch_at.get(name) for name in hosts)) if at is not None)
    dwell = policy.dwell if migration.waiver("dwell-minimum") else max(policy.dwell, FLOOR)
    if far.now < began + dwell:
        said = f"Complete arrived {far.now - began} after the dwell began, which is {dwell}"
        yield Violation("complete-dwell", course.id, said)
    learned = max((at for name, at in course.member_at.items() if name in present), default=began)
    if not migration.waiver("ledger-flat") and far.now < learned + policy.flat_for:
        said = f"Complete arrived {far.now - learned} after the last host was learned, not {policy.flat_for}"
        yield Violation("complete-flat", course.id, said)


def before_of(plan: Plan, far: FarSide, id_: str, courses: Collection[Course]) -> Before:
    """Return the account and the hosts of a migration as the far side has them now: what a way back must leave."""
    hosts = plan.migration(id_).hosts
    return Before(
        at=far.now,
        account=dict(far.account(id_, far.controllers[0]) or {}),
        running={host.name: None if far.restarting(host.name) else dict(far.running(host, id_)) for host in hosts},
        switches={host.name: _switch_before(far, id_, host.name, courses) for host in hosts},
    )


def _switch_before(far: FarSide, id_: str, host: str, courses: Collection[Course]) -> int | None:
    """Return the switch as it was before the first of ours that still needs it."""
    others = (one for one in courses if one.id != id_ and host in one.switched and one.before)
    before = next((one.before for one in others if one.before), None)
    return before.switches[host] if before else far.switch(host)


def as_before(
    plan: Plan, far: FarSide, course: Course, courses: Collection[Course], excused: AbstractSet[str]
) -> Iterator[Violation]:
    """Compare what a way back has left with what was there, but for what is declared."""
    before, migration = course.before, plan.migration(course.id)
    if before is None or {migration.account, course.id} & excused:
        return
    for controller in far.controllers if (1, 1) in course.heard else far.controllers[:1]:
        account = far.account(course.id, controller)
        if account != before.account:
            differs = {name for name, _ in set(_flat(account)) ^ set(_flat(before.account))}
            said = f"rolled back, and {migration.account} on {controller} differs in {', '.join(sorted(differs))}"
            yield Violation("rolled-back-equals-snapshot", course.id, said)
    for host in migration.hosts:
        if host.name in excused:
            continue
        ran = before.running[host.name]
        # Another migration may restart the whole host between the last look and the move.
        if ran is not None and not far.restarting(host.name):
            runs, by_itself = far.running(host, course.id), far.up_with_host(host.name, before.at)
            if dict(runs) != dict(ran) | {name: True for name in by_itself & runs.keys() if runs[name]}:
                said = f"rolled back, and {host.name} runs {runs}, ran {ran}"
                yield Violation("rolled-back-equals-snapshot", course.id, said)
        for name in sorted(far.as_dmsa(host, course.id)):
            said = f"rolled back, and {name} at {host.name} still runs as the dMSA"
            yield Violation("rolled-back-equals-snapshot", course.id, said)
        needed = any(host.name in one.switched for one in courses if one is not course)
        if not needed and far.switch(host.name) != before.switches[host.name]:
            said = f"rolled back, and the switch of {host.name} is {far.switch(host.name)}"
            yield Violation("rolled-back-equals-snapshot", course.id, said)


def unfinished(state: MigrationState, answer: Admission, at: datetime | None) -> str | None:
    """Say what is wrong with where a migration was left; None if nothing is."""
    if isinstance(answer, TurnBack):
        return f"left at {state.phase} although the policy takes it back: {answer.why}"
    if state.held is not None:
        complete = state.held.reason and state.held.detail and state.held.release
        return None if complete else f"held without a reason: {state.held}"
    back = state.intention is Intention.BACK
    if state.phase in FINAL and back == (state.phase is Phase.ROLLED_BACK):
        return None
    waiting = waiting_of(state, answer)
    if waiting is None:
        return f"left at {state.phase}, going {state.intention}, neither held nor waiting"
    if waiting.until is not None and at is not None:
        return f"left at {state.phase} although {waiting.waiting_for} is due at {waiting.until}"
    return None


def _flat(account: Any) -> Iterable[tuple[str, str]]:
    return ((name, str(value)) for name, value in (account or {}).items())
