"""How a run stands as a whole: the state of each wave, and the exit code that says it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, TypeAlias

from orchestrator.engine.failing import TurnBack
from orchestrator.engine.waves import Admission, Go, NotYet, budget_spent, is_met
from orchestrator.errors import PRECEDENCE, Exit
from orchestrator.model.lifecycle import FINAL, PATH, Intention, Phase
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import Hold, MigrationState, Waiting

WaveState: TypeAlias = Literal["pending", "running", "waiting", "held", "done", "failed"]


def reached(state: MigrationState, until: Phase | None) -> bool:
    """Whether a migration that goes forward stands at a phase, or beyond it."""
    if until is None or state.intention is Intention.BACK or state.phase not in PATH:
        return False
    return PATH.index(state.phase) >= PATH.index(until)


def at_its_end(state: MigrationState, until: Phase | None = None) -> bool:
    """Whether there is nothing to come for a migration: completed or rolled back, or as far forward as was asked for.

    One that is held is not at its end, nor is one about which a word was said that nobody has carried out.
    """
    if state.held is not None or state.asserted is not None or state.adopting is not None:
        return False
    return reached(state, until) or (state.phase in FINAL and state.intention is _settled_intention(state))


def exit_of(run: RunState, plan: Plan, chosen: Collection[str] | None = None, until: Phase | None = None) -> Exit:
    """Return what ``run`` would exit with now, for the whole plan or for what was chosen."""
    if run.refused:
        return Exit.REFUSED
    states = [run[m.id] for m in plan.migrations() if chosen is None or m.id in chosen]
    found = {_exit(state, until) for state in states}
    return next((code for code in PRECEDENCE if code in found), Exit.DONE)


def _exit(state: MigrationState, until: Phase | None) -> Exit:
    if state.held is not None:
        return held_exit(state.held)
    if state.phase is Phase.ROLLED_BACK and state.intention is Intention.BACK:
        return Exit.FAILED
    done = state.phase is Phase.COMPLETED and state.intention is Intention.FORWARD
    return Exit.DONE if done or reached(state, until) else Exit.WAITING


def held_exit(hold: Hold) -> Exit:
    """Return the exit code of a hold: a person is needed, but a way back that leaves something down has failed."""
    return Exit.FAILED if hold.down else Exit.HELD


def waiting_of(state: MigrationState, admission: Admission | None) -> Waiting | None:
    """Return what a migration waits for, if it waits: to be admitted, else what its subjects wait for.

    One that had been admitted may have to wait for that again, in the middle of a step: nothing of it moves until then.
    """
    if state.held is not None or (state.phase in FINAL and state.intention is _settled_intention(state)):
        return None
    if isinstance(admission, NotYet):
        return Waiting(admission.waiting_for, admission.until, admission.detail)
    return min(state.waits.values(), key=lambda wait: (wait.until is None, wait.until), default=None)


def _settled_intention(state: MigrationState) -> Intention:
    return Intention.FORWARD if state.phase is Phase.COMPLETED else Intention.BACK


def wave_state(run: RunState, wave: Wave, answers: dict[str, Admission]) -> tuple[WaveState, Waiting | None]:
    """Return a wave's state, and what it waits for where nothing of it moves."""
    states = [run[migration.id] for migration in wave.migrations]
    if is_met(run, wave):
        return "done", None
    waits = {state.id: waiting_of(state, answers.get(state.id)) for state in states}
    moving = [s for s in states if isinstance(answers.get(s.id), Go | TurnBack) and waits[s.id] is None]
    if moving and any(_begun(state) for state in states):
        return "running", None
    back = any(s.phase is Phase.ROLLED_BACK and s.intention is Intention.BACK for s in states)
    if (back or budget_spent(wave, states)) and not moving and not any(waits.values()):
        return "failed", None
    if any(state.held for state in states) and not any(waits.values()):
        return "held", None
    if not any(_begun(state) for state in states):
        waiting = next((wait for wait in waits.values() if wait), None)
        return "pending", waiting
    waiting = min(
        (wait for wait in waits.values() if wait),
        key=lambda wait: (wait.until is None, wait.until),
        default=None,
    )
    return "waiting", waiting


def _begun(state: MigrationState) -> bool:
    return state.phase is not Phase.PLANNED or state.held is not None or state.snapshot is not None
