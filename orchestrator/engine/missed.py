"""Which windows closed on migrations that were ready for them: all that was missing was time or a place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from orchestrator.engine.outside import NEEDS_WINDOW, window_of
from orchestrator.engine.waves import Go, alone, budget_spent, in_midst, step_of, unmet_needs
from orchestrator.engine.windows import FOREVER, next_opening, openings
from orchestrator.model.lifecycle import Intention, Trigger
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState


@dataclass(frozen=True)
class Missed:
    """A window that closed on a migration that was ready.

    ``gate``: ``start`` or ``complete``. ``step``: what it would have taken. ``opened``, ``closed``: the last such
    window; ``times``: how many there were. ``opens``: when the next one opens; None if none does within the horizon.
    """

    migration: str
    wave: str
    gate: str
    step: Trigger
    opened: datetime
    closed: datetime
    times: int
    opens: datetime | None


def missed(
    run: RunState, plan: Plan, after: datetime, at: datetime, chosen: Collection[str] | None = None
) -> tuple[Missed, ...]:
    """Return the windows that closed in a span of time on migrations that were ready, in the plan's order.

    A migration was ready where nothing but its window, or a place in its wave, kept its next step from beginning before
    the window closed; or where a restart in the midst of a step waits for the window. One that came so far only after
    the window had closed did not miss it. The same span asked about twice has the same answer; spans that follow each
    other tell each window once.

    Args:
        run: where everything stood when the window closed: nothing happened in between, or the rows up to then.
        plan: the plan of the run.
        after: what closed at this moment or before is not told.
        at: what closes after this moment is not told yet.
        chosen: the migrations this is about; None means all.
    """
    found: list[Missed] = []
    for wave in plan.waves:
        if wave.window is None and wave.windows is None and not wave.blackout:
            continue
        states = [run[migration.id] for migration in wave.migrations]
        needs, spent = unmet_needs(run, plan, wave), budget_spent(wave, states)
        for state in states:
            if chosen is not None and state.id not in chosen:
                continue
            step = _ready_for(state, plan, wave, at, run, needs, spent)
            found += _on(state, wave, step, after, at) if step is not None else ()
    return tuple(found)


def _ready_for(
    state: MigrationState, plan: Plan, wave: Wave, at: datetime, run: RunState, needs: list[str], spent: str | None
) -> Trigger | None:
    """Return the step that a migration would begin, or go on with, if its window were open and a place free."""
    step = step_of(state, plan)
    if step is None or step not in NEEDS_WINDOW or state.intention is Intention.BACK or state.asserted is not None:
        return None
    if in_midst(state, step):
        stopped = any(wait.waiting_for in {"window", "blackout"} for wait in state.waits.values())
        return step if stopped and state.held is None else None
    always = wave.model_copy(update={"window": None, "windows": None, "blackout": ()})
    answer = alone(state, plan, always, at, needs, spent, run)
    return step if isinstance(answer, Go) else None


def _on(state: MigrationState, wave: Wave, step: Trigger, after: datetime, at: datetime) -> Iterator[Missed]:
    gate = NEEDS_WINDOW[step]
    window = window_of(wave, gate)
    if window is None:
        return
    closed = []
    for begin, end in openings(window, wave.blackout, after):
        if end > at or end == FOREVER:
            break
        if end > after and (state.since is None or state.since < end):
            closed.append((begin, end))
    if closed:
        opens = next_opening(window, wave.blackout, at)
        yield Missed(state.id, wave.name, gate, step, *closed[-1], len(closed), opens)
