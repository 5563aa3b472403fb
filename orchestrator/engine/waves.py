"""Who may move. A wave is a rule about admission, not a loop: one pure function of run, plan and time.

Each answer carries its reason. Ways back ignore windows and failure budgets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from orchestrator.engine.approving import unapproved
from orchestrator.engine.failing import Spent, TurnBack, failed, spent_budget
from orchestrator.engine.windows import blacked_out, next_opening, open_until
from orchestrator.model.approvals import Consent
from orchestrator.model.lifecycle import Intention, Phase, Trigger, Way, next_step
from orchestrator.model.plan import Plan, Wave, Window
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

ADMITTING: Mapping[Trigger, Gate] = {Trigger.START: "start", Trigger.COMPLETE: "complete"}
"""Steps that take a place in flight, with the gate (windows, approvals) they pass."""

CATCHING_UP = frozenset({Trigger.REGISTRY, Trigger.RESTART})
"""Steps that take a place where the migration has none: an amendment gave it a host when it had left its place."""

NEEDS_WINDOW = {
    Trigger.START: "start",
    Trigger.REGISTRY: "start",
    Trigger.RESTART: "start",
    Trigger.COMPLETE: "complete",
}

RESTARTING = frozenset({Trigger.RESTART, Trigger.COMPLETE})
"""Steps that begin only if a restart can end in the window: Complete is followed by one at once."""


_ROLLBACK_BY = {"undo": Way.UNDO, "reset": Way.RESET}


def step_of(state: MigrationState, plan: Plan) -> Trigger | None:
    """Return the step that a migration takes next, or None where only a person moves it."""
    if state.asserted is not None:
        return state.asserted.step
    if state.adopting is not None:
        return Trigger.ADOPT
    return next_step(state.phase, state.intention, state.way, _ROLLBACK_BY[plan.policy_of(state.id).rollback_by])


def admissible(
    run: RunState, plan: Plan, at: datetime | None, chosen: Collection[str] | None = None
) -> dict[str, Admission]:
    """Say for every migration of the plan, in its order, whether it may move, and why not.

    Args:
        run: where everything stands.
        plan: the plan of the run.
        at: estate time; None (it could not be read) closes every window.
        chosen: the migrations this is about; the others stand still. None means all.
    """
    answers: dict[str, Admission] = {}
    for wave in plan.waves:
        answers |= admissible_in(run, plan, wave, at, chosen)
    return answers


def admissible_in(
    run: RunState, plan: Plan, wave: Wave, at: datetime | None, chosen: Collection[str] | None = None
) -> dict[str, Admission]:
    """Say it for the migrations of one wave; see :func:`admissible`."""
    answers: dict[str, Admission] = {}
    states = [run[migration.id] for migration in wave.migrations]
    free = wave.at_once - sum(state.in_flight for state in states)
    needs = unmet_needs(run, plan, wave)
    spent = budget_spent(wave, states)
    for state in states:
        if chosen is not None and state.id not in chosen:
            answers[state.id] = Still("not selected")
            continue
        answer = alone(state, plan, wave, at, needs, spent, run.consent)
        if isinstance(answer, Go) and answer.admits:
            if free <= 0:
                answer = crowded(wave)
            free -= 1
        answers[state.id] = answer
    return answers


def crowded(wave: Wave) -> NotYet:
    """Return what a migration waits for that found every place of its wave taken."""
    return NotYet("at-once", None, f"{wave.at_once} of wave {wave.name} are in flight")


def alone(
    state: MigrationState,
    plan: Plan,
    wave: Wave,
    at: datetime | None,
    needs: Iterable[str],
    spent: str | None,
    consent: Consent,
) -> Admission:
    """Say whether one migration may move, places in flight aside.

    Args:
        state: where it stands.
        plan: the plan of the run.
        wave: its wave.
        at: estate time.
        needs: the waves that its wave needs and that are not met.
        spent: that the wave's failure budget is spent, if it is.
        consent: who has approved what.
    """
    if state.held is not None:
        return failed(state, plan) or Still(f"held: {state.held.reason}")
    step = step_of(state, plan)
    if step is None:
        return Still(state.phase.value)
    if state.intention is Intention.BACK or step in {Trigger.CONFIRM, Trigger.ADOPT} or state.asserted is not None:
        return Go(step)
    unmet = list(needs)
    if unmet and state.phase in {Phase.PLANNED, Phase.ROLLED_BACK}:
        return NotYet("needs", None, f"wave {wave.name} needs {', '.join(unmet)}")
    begins = step in ADMITTING or step is Trigger.PREPARE
    stopped = spent_budget(state, plan, begins, spent) if spent else None
    if stopped is not None:
        return stopped
    admits = state.admitted is not step if step in ADMITTING else step in CATCHING_UP and state.admitted is None
    return _gate(state, plan, wave, step, at, admits, consent) or Go(step, admits)


def _gate(
    state: MigrationState, plan: Plan, wave: Wave, step: Trigger, at: datetime | None, admits: bool, consent: Consent
) -> NotYet | None:
    """Return what the step still waits for: people's approval (when it is admitted), or its window.

    A step that has begun to write ends, whatever the window, and whatever has become of the approvals since. People are
    asked before the window opens, once what they say now would still be valid then.
    """
    closed = outside_window(state, plan, step, at) if not state.performed and not state.open else None
    if not admits or step not in ADMITTING:
        return closed
    gate, rule = ADMITTING[step], plan.policy_of(state.id).approvals
    opens = closed.until if closed is not None else None
    detail = unapproved(consent, wave, gate, rule, opens or at)
    too_early = opens is not None and at is not None and opens >= at + rule.valid_for
    if detail is None or too_early:
        return closed
    then = f", when the window opens at {opens.isoformat()}" if opens else ""
    return NotYet(f"approval:{gate}", None, f"{detail}{then}")


def outside_window(state: MigrationState, plan: Plan, step: Trigger, at: datetime | None) -> NotYet | None:
    """Return what a step waits for where its window is closed, or closes before what it restarts can be back."""
    gate = NEEDS_WINDOW.get(step)
    wave = plan.wave_of(state.id)
    window = window_of(wave, gate) if gate else None
    if window is None:
        return None
    takes = plan.policy_of(state.id).restart_takes if step in RESTARTING else timedelta(0)
    return _closed(wave, window, at, takes)


def _closed(wave: Wave, window: Window, at: datetime | None, takes: timedelta) -> NotYet | None:
    if at is None:
        return NotYet("window", None, "estate time could not be read")
    closes = open_until(window, wave.blackout, at)
    if closes is not None and at + takes <= closes:
        return None
    opens = next_opening(window, wave.blackout, at)
    if closes is not None:
        return NotYet("window", opens, f"the window closes at {closes.isoformat()}, too soon for a restart")
    if open_until(window, (), at) is None:
        return NotYet("window", opens, "the window is closed")
    days = (at - timedelta(days=back) for back in (0, 1))
    spans = [blacked_out(day.astimezone(ZoneInfo(window.zone)).date(), wave.blackout) for day in days]
    return NotYet("blackout", opens, next((span.reason for span in spans if span and span.reason), "blackout"))


ALWAYS = Window(days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), open="00:00", close="00:00", zone="UTC")
"""The window of a wave that has only blackouts: their dates are then meant in UTC."""


def window_of(wave: Wave, gate: str) -> Window | None:
    """Return the wave's window for a gate (``start`` or ``complete``)."""
    window = wave.window
    if wave.windows is not None:
        window = wave.windows.start if gate == "start" else wave.windows.complete
    return ALWAYS if window is None and wave.blackout else window


def allowed_failures(wave: Wave) -> int:
    """Return the failure budget as a count; a share rounds down and means what it says."""
    allow = wave.failures.allow
    if isinstance(allow, str):
        return len(wave.migrations) * int(allow.rstrip("%")) // 100
    return allow


def budget_spent(wave: Wave, states: Iterable[MigrationState]) -> str | None:
    """Say that more migrations of the wave have failed than its budget allows; None while it is not so."""
    those = [state.id for state in states if state.failure == "failed"]
    if len(those) <= allowed_failures(wave):
        return None
    return f"{', '.join(those)} failed, and wave {wave.name} allows {wave.failures.allow}"


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
