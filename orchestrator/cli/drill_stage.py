"""Where a drill plays, on the plan's own estate or on a lab that stands in for it, and what may be drilled there.

Each drill on such a lab has an estate and a journal of its own, ``<plan>-lab-<number>.db`` beside the certificates: the
real journal is only read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.cli.history import open_existing, refuse_other_plan, replay
from orchestrator.cli.selection import select
from orchestrator.engine.drill import rules_of
from orchestrator.errors import InputInvalid
from orchestrator.journal import beside_journal
from orchestrator.model.drilled import DrillBegan, Origin
from orchestrator.model.lifecycle import Phase
from orchestrator.model.plan import Estate, Plan
from orchestrator.model.run import RunState
from orchestrator.planfile import Loaded


@dataclass(frozen=True)
class Stage:
    """A plan, the journal of a drill, and the estate file of the lab where there is one."""

    loaded: Loaded
    place: str
    folder: Path
    """Where certificates go."""
    name: str
    """What they are called, but for the number."""
    lab: Path | None = None
    origin: Origin | None = None
    number: int | None = None
    """The number of the drill, where that is not for the journal to say."""

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
        state = _state_of(self.place, self.loaded.plan.name)
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


def stage(loaded: Loaded, place: str) -> Stage:
    """Return where the drills of a plan play: its own estate, its own journal."""
    return Stage(loaded, place, beside_journal(place).parent / "drills", loaded.plan.name)


def stages_on_lab(loaded: Loaded, place: str) -> Iterator[Stage]:
    """Yield the labs that have stood in for a plan's estate, in their order."""
    folder, name = beside_journal(place).parent / "drills", f"{loaded.plan.name}-lab"
    wanted = re.compile(rf"{re.escape(name)}-(\d+)\.db")
    found = (wanted.fullmatch(file.name) for file in folder.glob("*.db"))
    for number in sorted(int(match[1]) for match in found if match):
        yield _lab(loaded, folder, name, number)


def lab_numbered(loaded: Loaded, place: str, number: int) -> Stage:
    """Return the lab of a drill.

    Raises:
        InputInvalid: there was none of that number.
    """
    found = next((one for one in stages_on_lab(loaded, place) if one.number == number), None)
    if found is None:
        raise InputInvalid(f"no drill {number} of {loaded.plan.name} was played on a lab. Nothing was done.")
    return found


def stage_on_lab(loaded: Loaded, place: str) -> Stage:
    """Return the lab on which a drill is under way, or else a new one, built from the snapshots in the journal.

    Raises:
        InputInvalid: the plan is for a lab anyway, or its names fit into no single domain.
    """
    earlier = list(stages_on_lab(loaded, place))
    for last in earlier[-1:]:
        state = _state_of(last.place, loaded.plan.name)
        if state.drill is not None and state.digest == loaded.digest:
            return last
    if loaded.plan.estate.lab is not None:
        raise InputInvalid(
            f"{loaded.plan.name} is for a lab already. Nothing was done. `dmsa drill` without `--on lab` drills there."
        )
    number = max((one.number or 0 for one in earlier), default=0) + 1
    new = _lab(loaded, beside_journal(place).parent / "drills", f"{loaded.plan.name}-lab", number)
    return _built(new, _state_of(place, loaded.plan.name))


def _lab(loaded: Loaded, folder: Path, name: str, number: int) -> Stage:
    estate = (folder / f"{name}-{number}.estate.yaml").resolve()
    return Stage(loaded, str(folder / f"{name}-{number}.db"), folder, name, estate, number=number)


def _built(new: Stage, real: RunState) -> Stage:
    """Write the estate file of a new lab."""
    import yaml

    from orchestrator.rehearsal.restaged import restaged

    assert new.lab is not None, "only a lab is built"
    try:
        spec, origin = restaged(new.loaded.plan, real, datetime.now(UTC).replace(microsecond=0))
    except ValueError as invalid:
        raise InputInvalid(f"no lab can stand in for {new.loaded.plan.name}: {invalid}. Nothing was done.") from None
    text = yaml.safe_dump(spec.model_dump(mode="json", exclude_unset=True), sort_keys=False, allow_unicode=True)
    try:
        new.lab.parent.mkdir(parents=True, exist_ok=True)
        new.lab.write_text(f"# The lab of a drill of {new.loaded.plan.name}.\n{text}", encoding="utf-8")
    except OSError as error:
        raise InputInvalid(f"{new.lab} cannot be written: {error.strerror or error}. Nothing was done.") from error
    return Stage(new.loaded, new.place, new.folder, new.name, new.lab, origin, new.number)


def _state_of(place: str, run: str) -> RunState:
    journal = open_existing(place)
    with contextlib.closing(journal) if journal else contextlib.nullcontext():
        state, _ = replay(journal, run)
    return state
