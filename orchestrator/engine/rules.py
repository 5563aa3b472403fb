"""The rules of a wave: what one migration may do, and why not, given where its wave and those before it stand.

Each answer carries its reason. Ways back ignore windows and failure budgets. :mod:`~orchestrator.engine.waves` asks
these rules for whole runs.

Two steps lead to it: what the rules look at of one migration (:func:`position_of`), and what they say of that, with all
that is the same for its whole wave (:func:`judged`). The second sees nothing of the migration itself; so migrations in
the same position get the same answer, and one of them may be asked for all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from orchestrator.engine.approving import unapproved, wanted
from orchestrator.engine.failing import OnSpent, Spent, TurnBack, failed, if_spent, spent_budget
from orchestrator.engine.outside import NEEDS_WINDOW, outside_window, window_of
from orchestrator.engine.stretch import Ahead, ahead_of
from orchestrator.model.lifecycle import Intention, Phase, Trigger, Way, next_step
from orchestrator.model.plan import Approvals, Plan, Wave
from orchestrator.model.restarts import Restarts
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.model.words import Gate


@dataclass(frozen=True)
class Go:
    """The migration may take this step now. ``admits``: it takes one of the wave's places with it."""

    step: Trigger
    admits: bool = False


@dataclass(frozen=True)
class NotYet:
    """Something must come first; nothing is wrong."""

    waiting_for: str
    until: datetime | None
    detail: str


@dataclass(frozen=True)
class Still:
    """Nothing moves it: it is held, or at an end."""

    why: str


Admission: TypeAlias = Go | NotYet | Still | Spent | TurnBack


class Position(NamedTuple):
    """What the rules look at of a migration that would take a step forward."""

    step: Trigger
    begins: bool
    """It has not begun: first come the waves that its wave needs."""
    admits: bool
    """The step takes one of the wave's places."""
    on_spent: OnSpent | None
    """What becomes of it where the failure budget is spent."""
    windowed: bool
    """The step begins only in a window, and has not begun."""
    ahead: Ahead | None
    """What it would restart in that window."""
    rule: Approvals | None
    """By which people must agree before the step."""


ADMITTING: Mapping[Trigger, Gate] = {Trigger.START: "start", Trigger.COMPLETE: "complete"}
"""Steps that take a place in flight, with the gate (windows, approvals) they pass."""

CATCHING_UP = frozenset({Trigger.REGISTRY, Trigger.RESTART})
"""Steps that take a place where the migration has none: an amendment gave it a host when it had left its place."""

_ROLLBACK_BY = {"undo": Way.UNDO, "reset": Way.RESET}


def step_of(state: MigrationState, plan: Plan) -> Trigger | None:
    """Return the step that a migration takes next, or None where only a person moves it."""
    if state.asserted is not None:
        return state.asserted.step
    if state.adopting is not None:
        return Trigger.ADOPT
    return next_step(state.phase, state.intention, state.way, _ROLLBACK_BY[plan.policy_of(state.id).rollback_by])


def asked_anew(
    run: RunState, plan: Plan, at: datetime | None, chosen: Collection[str] | None = None
) -> dict[str, Admission]:
    """Say for every migration what :func:`orchestrator.engine.waves.admissible` says, by asking each rule of each.

    It costs what exists, not what has changed: the measure of all that is quicker.
    """
    answers: dict[str, Admission] = {}
    for wave in plan.waves:
        answers |= admissible_in(run, plan, wave, at, chosen)
    return answers


def admissible_in(
    run: RunState, plan: Plan, wave: Wave, at: datetime | None, chosen: Collection[str] | None = None
) -> dict[str, Admission]:
    """Say it for the migrations of one wave; see :func:`orchestrator.engine.waves.admissible`."""
    answers: dict[str, Admission] = {}
    states = [run[migration.id] for migration in wave.migrations]
    free = wave.at_once - sum(state.in_flight for state in states)
    needs = unmet_needs(run, plan, wave)
    spent = budget_spent(wave, states)
    for state in states:
        if chosen is not None and state.id not in chosen:
            answers[state.id] = Still("not selected")
            continue
        answer = alone(state, plan, wave, at, needs, spent, run)
        if isinstance(answer, Go) and answer.admits:
            if free <= 0:
                answer = crowded(wave)
            free -= 1
        answers[state.id] = answer
    return answers


def crowded(wave: Wave) -> NotYet:
    """Return what a migration waits for that found every place of its wave taken."""
    taken = "1 is" if wave.at_once == 1 else f"{wave.at_once} are"
    return NotYet("at-once", None, f"{taken} in flight, as many as wave {wave.name} allows at once")


def alone(
    state: MigrationState,
    plan: Plan,
    wave: Wave,
    at: datetime | None,
    needs: Iterable[str],
    spent: str | None,
    run: RunState,
) -> Admission:
    """Say whether one migration may move, places in flight aside.

    Args:
        state: where it stands.
        plan: the plan of the run.
        wave: its wave.
        at: estate time.
        needs: the waves that its wave needs and that are not met.
        spent: that the wave's failure budget is spent, if it is.
        run: who has approved what, and how long restarts were measured to take.
    """
    return judged(position_of(state, plan, wave, run.restarts), wave, at, needs, spent, run)


def position_of(state: MigrationState, plan: Plan, wave: Wave, restarts: Restarts) -> Position | Admission:
    """Return what the rules look at of one migration; the answer itself where it follows from its state alone.

    It follows from state, plan and the migration's own measured restarts; nothing else makes it another.

    Args:
        state: where it stands.
        plan: the plan of the run.
        wave: its wave.
        restarts: how long restarts were measured to take, of which those of the migration itself count here.
    """
    if state.held is not None:
        return failed(state, plan) or Still(f"held: {state.held.reason}")
    step = step_of(state, plan)
    if step is None:
        return Still(state.phase.value)
    if state.intention is Intention.BACK or step in {Trigger.CONFIRM, Trigger.ADOPT} or state.asserted is not None:
        return Go(step)
    gate = ADMITTING.get(step)
    admits = state.admitted is not step if gate else step in CATCHING_UP and state.admitted is None
    rule = plan.policy_of(state.id).approvals if gate and admits else None
    windowed = _has_window(wave, step) and not in_midst(state, step)
    return Position(
        step,
        begins=state.phase in {Phase.PLANNED, Phase.ROLLED_BACK},
        admits=admits,
        on_spent=if_spent(state, plan, gate is not None or step is Trigger.PREPARE or admits),
        windowed=windowed,
        ahead=ahead_of(state, plan, step, restarts) if windowed else None,
        rule=rule if rule and gate and wanted(rule, gate) else None,
    )


def judged(
    position: Position | Admission,
    wave: Wave,
    at: datetime | None,
    needs: Iterable[str],
    spent: str | None,
    run: RunState,
) -> Admission:
    """Say what migrations in a position may do, places in flight aside.

    Args:
        position: what counts of them.
        wave: their wave.
        at: estate time.
        needs: the waves that their wave needs and that are not met.
        spent: that the wave's failure budget is spent, if it is.
        run: who has approved what, and how long the restarts of all were measured to take; its migrations do not count.
    """
    if not isinstance(position, Position):
        return position
    unmet = list(needs)
    if unmet and position.begins:
        done = "is" if len(unmet) == 1 else "are"
        return NotYet("needs", None, f"wave {wave.name} needs {', '.join(unmet)}, which {done} not done")
    stopped = spent_budget(position.on_spent, spent) if spent else None
    return stopped or _gate(position, wave, at, run) or Go(position.step, position.admits)


def _has_window(wave: Wave, step: Trigger) -> bool:
    gate = NEEDS_WINDOW.get(step)
    return gate is not None and window_of(wave, gate) is not None


def _closed(position: Position, wave: Wave, at: datetime | None, restarts: Restarts) -> NotYet | None:
    """Return that the step's window is closed, or too short now; a step that began ends, whatever the window."""
    if not position.windowed:
        return None
    stretch = position.ahead.stretch(restarts) if position.ahead else None
    late = outside_window(wave, position.step, at, stretch)
    return NotYet(late.waiting_for, late.until, late.detail) if late else None


def in_midst(state: MigrationState, step: Trigger) -> bool:
    """Whether a step that goes forward has begun to change something, also where a person released it in between."""
    if state.performed or state.open:
        return True
    if step in _SENDS:
        return _SENDS[step] in state.sent
    if step is Trigger.REGISTRY:
        return any(state.hosts[host].registry == "set" for host in state.done if host in state.hosts)
    return step is Trigger.RESTART and any(_restarting(state, host) for host in state.baselines)


_SENDS = {
    Trigger.START: "Start-ADServiceAccountMigration",
    Trigger.COMPLETE: "Complete-ADServiceAccountMigration",
}


def _restarting(state: MigrationState, host: str) -> bool:
    """Whether this step has restarted something at a host; not what was done there before an amendment."""
    known = state.hosts.get(host)
    before = known is not None and known.restarted and host not in state.done
    return not before and host not in state.lost and any(where == host for where, _, _ in state.touched)


def _gate(position: Position, wave: Wave, at: datetime | None, run: RunState) -> NotYet | None:
    """Return what the step still waits for: people's approval (when it is admitted), or its window.

    People are asked before the window opens, once what they say now would still be valid then.
    """
    closed = _closed(position, wave, at, run.restarts)
    rule = position.rule
    if rule is None:
        return closed
    gate = ADMITTING[position.step]
    opens = closed.until if closed is not None else None
    detail = unapproved(run.consent, wave, gate, rule, opens or at)
    too_early = opens is not None and at is not None and opens >= at + rule.valid_for
    if detail is None or too_early:
        return closed
    then = f"; {closed.detail}" if closed is not None else ""
    return NotYet(f"approval:{gate}", None, f"{detail}{then}")


def allowed_failures(wave: Wave) -> int:
    """Return the failure budget as a count; a share rounds down and means what it says."""
    allow = wave.failures.allow
    if isinstance(allow, str):
        return len(wave.migrations) * int(allow.rstrip("%")) // 100
    return allow


def budget_spent(wave: Wave, states: Iterable[MigrationState]) -> str | None:
    """Say that more migrations of the wave have failed than its budget allows; None while it is not so."""
    those = [state.id for state in states if state.failure == "failed"]
    allowed = allowed_failures(wave)
    if len(those) <= allowed:
        return None
    share = f" ({wave.failures.allow} of {len(wave.migrations)})" if isinstance(wave.failures.allow, str) else ""
    told = those if len(those) <= _TOLD else [*those[:_TOLD], f"{len(those) - _TOLD} more"]
    return f"{', '.join(told)} failed, and wave {wave.name} allows {allowed or 'none'}{share}"


_TOLD = 10
"""How many failed migrations are named."""


def unmet_needs(run: RunState, plan: Plan, wave: Wave) -> list[str]:
    """Return the waves that must be done first and are not: completed, but for their failure budget."""
    by_name = {one.name: one for one in plan.waves}
    return [name for name in plan.needs_of(wave) if not is_met(run, by_name[name])]


def is_met(run: RunState, wave: Wave) -> bool:
    """Whether each migration of a wave is completed, or failed or refused within its budget."""
    return meets(wave, [state for migration in wave.migrations if is_open(state := run[migration.id])])


def is_open(state: MigrationState) -> bool:
    """Whether a migration is anything but completed."""
    return state.phase is not Phase.COMPLETED or state.intention is Intention.BACK


def meets(wave: Wave, open_: Collection[MigrationState]) -> bool:
    """Whether a wave is met although these of its migrations are not completed."""
    return len(open_) <= allowed_failures(wave) and all(state.failure for state in open_)
