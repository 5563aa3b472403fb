"""One file a step. Each is a pure answer to: given what was just read, what is next here?

The four parts of every step, observe, done?, perform, observe again, are one method, :meth:`Step.judge`, asked
again and again with a fresh observation: it answers *done*, or the next single write, or what it waits for, or
why a person is needed. So skipping, verifying and crash recovery are the same code as doing.
"""

from __future__ import annotations

from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.steps.adopt import Adopt
from orchestrator.steps.complete import Complete
from orchestrator.steps.confirm import Confirm
from orchestrator.steps.link import Link
from orchestrator.steps.prepare import Prepare
from orchestrator.steps.registry import Registry
from orchestrator.steps.reset import Reset
from orchestrator.steps.restart import Restart
from orchestrator.steps.restart_back import RestartBack
from orchestrator.steps.restore import Restore
from orchestrator.steps.soak import Soak
from orchestrator.steps.start import Start
from orchestrator.steps.step import Step
from orchestrator.steps.undo import Undo

STEPS: dict[Trigger, Step] = {
    step.trigger: step
    for step in (
        Prepare(),
        Start(),
        Link(),
        Registry(),
        Restart(),
        Soak(),
        Complete(),
        Confirm(),
        Undo(),
        Reset(),
        Restore(),
        Adopt(),
    )
}
_RESTART_BACK: Step = RestartBack()


def step_for(trigger: Trigger, phase: Phase) -> Step:
    """Return the step that a trigger means in a phase; the last restart of a way back is its own."""
    if trigger is Trigger.RESTART and phase is Phase.RESTORED:
        return _RESTART_BACK
    return STEPS[trigger]


__all__ = ["STEPS", "Step", "step_for"]
