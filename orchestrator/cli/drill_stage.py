"""Where a drill plays, on the plan's own estate or on a lab that stands in for it, and what may be drilled there."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.history import open_existing, refuse_other_plan, replay
from orchestrator.cli.selection import select
from orchestrator.engine.drill import rules_of
from orchestrator.errors import InputInvalid
from orchestrator.journal import journal_file
from orchestrator.model.drilled import DrillBegan, Origin
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Estate, Plan
from orchestrator.model.run import RunState
from orchestrator.planfile import Loaded


@dataclass(frozen=True)
class Stage:
    """A plan, the journal of its drills, and the estate file of the lab where there is one."""

    loaded: Loaded
    place: str
    folder: Path
    """Where certificates go."""
    name: str
    """What they are called, but for the number."""
    lab: Path | None = None
    origin: Origin | None = None

    @property
    def rehearsed(self) -> bool:
        """Whether a lab stands in for the real estate."""
        return self.lab is not None

    def terms(self, plan: Plan) -> Plan:
        """Return the plan by whose rules, and on whose estate, a drill goes."""
        plan = rules_of(plan, unattended=self.rehearsed)
        return plan.model_copy(update={"estate": Estate(lab=str(self.lab))}) if self.lab else plan

    def state(self) -> RunState:
        """Return where everything stands.

        Raises:
            InputInvalid: the run goes by another plan.
        """
        journal = open_existing(self.place)
        with contextlib.closing(journal) if journal else contextlib.nullcontext():
            state, _ = replay(journal, self.loaded.plan.name)
        refuse_other_plan(state, self.loaded)
        return state

    def drillable(self, only: str | None) -> tuple[str, ...]:
        """Return which migrations may be drilled, of those that are meant.

        Raises:
            InputInvalid: none, or one of those that were named may not.
        """
        plan = self.loaded.plan
        ids = select(plan, only)
        if plan.is_lab or self.rehearsed:
            return ids
        may = tuple(id_ for id_ in ids if plan.migration(id_).drill)
        if not may or (only is not None and may != ids):
            others = ", ".join([id_ for id_ in ids if id_ not in may][:20])
            raise InputInvalid(
                f"{others}: not marked with `drill: true`, and {plan.name} is on a real estate. Nothing was done. Only "
                "a disposable pair is drilled there, for its services restart and its account is switched over. "
                "`--on lab` rehearses the way back of any migration without touching it."
            )
        return may

    def refuse_another(self, begun: DrillBegan, only: str | None, to: Phase | None) -> None:
        """Refuse to begin a drill while another is under way.

        Raises:
            InputInvalid: what the command names is not what was begun.
        """
        other = only is not None and set(select(self.loaded.plan, only)) != set(begun.migrations)
        if other or to not in {None, begun.to}:
            raise InputInvalid(
                f"drill {begun.number} of {', '.join(begun.migrations)} to {begun.to} is under way, and must end "
                "first. Nothing was done. The same command without --only and --to goes on with it."
            )


def stage(loaded: Loaded, place: str, *, on_lab: bool) -> Stage:
    """Return where the drills of a plan play.

    Raises:
        InputInvalid: no lab can stand in for its estate.
    """
    folder = journal_file(place).parent / "drills"
    if not on_lab:
        return Stage(loaded, place, folder, loaded.plan.name)
    raise InputInvalid("not yet")
