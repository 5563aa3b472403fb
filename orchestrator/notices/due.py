"""Which occasions have come and were not told yet: a question about where the run stands, not about how it came there.

An occasion is told of once for each time it begins: the state knows what was told and is still so
(:class:`~orchestrator.model.notices.Notices`). So a process that died, or an operator's word that was written while no
runner was there, leaves nothing out, and nothing is told twice. What is older than :data:`NEWS` and was not told is no
news any more: a receiver that is added to a plan in its third week is not told the two before.

What has the same occasion, wave and reason is one notice, however many migrations it is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestrator.engine.failing import failed
from orchestrator.engine.waves import Admission, is_met
from orchestrator.model.lifecycle import Intention, Phase, Trigger
from orchestrator.model.noticed import NoticeRaised
from orchestrator.model.notices import subjects_of
from orchestrator.model.plan import Occasion, Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.notices.gates import gates_due

NEWS = timedelta(days=1)
"""How old an occasion may be, in estate time, when it is told of for the first time."""
_START = "Start-ADServiceAccountMigration"
_MISSING = frozenset({"original-missing", "guard:original-present"})


@dataclass(frozen=True, slots=True)
class Due:
    """An occasion that is to be told of. ``todo`` calls the plan PLAN."""

    occasion: Occasion
    wave: str
    detail: str
    todo: str
    migrations: tuple[str, ...] = ()
    reason: str = ""
    about: str = ""

    @property
    def kind(self) -> tuple[str, str, str]:
        """What it shares with those that are told together with it."""
        return self.occasion, self.wave, self.reason


def due(
    run: RunState, plan: Plan, at: datetime | None, ids: Iterable[str], answers: Mapping[str, Admission]
) -> list[Due]:
    """Return what is to be told now.

    Args:
        run: where everything stands.
        plan: the plan of the run.
        at: estate time; None if it could not be read.
        ids: the migrations that something has happened to since this was asked last.
        answers: what the wave rules say of each migration.
    """
    states = [run[id_] for id_ in ids]
    begin = [state.id for state in states if _begins(state, at)]
    end = [state.id for state in states if state.failure or state.phase is Phase.COMPLETED]
    found = [
        *_refused(run),
        *(one for wave in _waves(plan, begin) for one in _started(run, wave, at)),
        *_together([one for state in states for one in _held(run, plan, state, at)]),
        *_together([one for state in states for one in _rolled_back(run, plan, state, at)]),
        *(one for wave in _waves(plan, end) for one in _completed(run, plan, wave, at)),
        *(Due(**vars_) for vars_ in gates_due(run, plan, at, answers)),
    ]
    return [one for one in found if _untold(run, one)]


def numbered(run: RunState, one: Due) -> NoticeRaised:
    """Return the row of an occasion: the next notice of the run."""
    return NoticeRaised(
        number=run.notices.raised + 1,
        occasion=one.occasion,
        wave=one.wave,
        migrations=one.migrations,
        reason=one.reason,
        about=one.about,
        detail=f"Drill {run.drill.number}. {one.detail}" if run.drill else one.detail,
        todo=one.todo,
    )


def _waves(plan: Plan, ids: Iterable[str]) -> Iterable[Wave]:
    """Return the waves of migrations, each once; a wave is walked through only where it may begin or end."""
    return {plan.wave_of(id_).name: plan.wave_of(id_) for id_ in ids}.values()


def _untold(run: RunState, one: Due) -> bool:
    told = run.notices.told
    return any(told.get(subject) != one.about for subject in subjects_of(numbered(run, one)))


def _news(since: datetime | None, at: datetime | None) -> bool:
    return since is None or at is None or at - since <= NEWS


def _refused(run: RunState) -> Iterator[Due]:
    if run.refused is not None:
        detail = f"The run stopped: the safety rule refused something. {run.refused}"
        todo = "this is a defect; report it. What was done is in the journal: `dmsa status PLAN` shows it"
        yield Due("held", "", detail, todo, reason="refused")


def _started(run: RunState, wave: Wave, at: datetime | None) -> Iterator[Due]:
    """Yield that a wave takes its first place in flight: what came before (prepare) changed nothing in use."""
    states = [run[migration.id] for migration in wave.migrations]
    begin = tuple(state.id for state in states if _begins(state, at))
    if begin and not any(_has_begun(state) for state in states if state.id not in begin):
        how = "adopted" if any(run[id_].adopted for id_ in begin) else "admitted to Start"
        detail = f"The wave has begun. First {how}: {len(begin)} of {len(states)}."
        yield Due("wave-started", wave.name, detail, "nothing to do; `dmsa status PLAN` shows how far it is", begin)


def _begins(state: MigrationState, at: datetime | None) -> bool:
    if state.adopted:
        return _news(state.since, at) and state.intention is Intention.FORWARD
    return state.admitted is Trigger.START and _START not in state.sent and state.phase is Phase.PREPARED


def _has_begun(state: MigrationState) -> bool:
    return _START in state.sent or state.adopted or state.attempt > 1 or state.phase is Phase.ROLLED_BACK


def _held(run: RunState, plan: Plan, state: MigrationState, at: datetime | None) -> Iterator[Due]:
    held = state.held
    if held is None or not _news(held.since, at) or ("held", state.id) in run.notices.told:
        return
    occasion: Occasion = "original-missing" if held.reason in _MISSING else "held"
    by = f" by {held.by}" if held.by else ""
    detail = f"Held{by} ({held.reason}): {held.detail}"
    todo = held.release
    if failed(state, plan) is not None:
        todo = (
            "nothing yet: by its policy (`on_failure: undo`) it goes back by itself; `dmsa status PLAN` shows how far"
        )
    yield Due(occasion, plan.wave_of(state.id).name, detail, todo, (state.id,), held.reason)


def _rolled_back(run: RunState, plan: Plan, state: MigrationState, at: datetime | None) -> Iterator[Due]:
    if state.phase is not Phase.ROLLED_BACK or state.intention is not Intention.BACK or not _news(state.since, at):
        return
    if ("rolled-back", state.id) in run.notices.told:
        return
    found = state.compared
    compared = "nothing had been changed yet" if found is None else f"{found.equal} facts are as in the snapshot"
    left = len(found.differences) if found else 0
    detail = f"Rolled back, attempt {state.attempt}: {compared}" + (f", {left} differ and are named" if left else "")
    todo = (
        f"`dmsa status PLAN` shows what is left. `dmsa release PLAN --only {state.id} --forward --reason TEXT`, then "
        "`dmsa run PLAN`, begins the next attempt"
    )
    yield Due("rolled-back", plan.wave_of(state.id).name, f"{detail}.", todo, (state.id,))


def _together(ones: list[Due]) -> Iterator[Due]:
    """Yield one for all that are of one kind."""
    kinds: dict[tuple[str, str, str], list[Due]] = {}
    for one in ones:
        kinds.setdefault(one.kind, []).append(one)
    for same in kinds.values():
        first = same[0]
        if len(same) == 1:
            yield first
            continue
        ids = tuple(id_ for one in same for id_ in one.migrations)
        detail = f"{len(ids)} migrations. The first, {first.migrations[0]}: {first.detail}"
        todo = f"`dmsa status PLAN` says what each needs. {first.migrations[0]}: {first.todo}"
        yield replace(first, migrations=ids, detail=detail, todo=todo)


def _completed(run: RunState, plan: Plan, wave: Wave, at: datetime | None) -> Iterator[Due]:
    """Yield that a wave is met: each migration completed, or failed or refused within its budget."""
    states = [run[migration.id] for migration in wave.migrations]
    done = [one for one in states if one.phase is Phase.COMPLETED and one.intention is Intention.FORWARD]
    new = tuple(one.id for one in done if ("completed", one.id) not in run.notices.told)
    if not any(_news(run[id_].since, at) for id_ in new) or not is_met(run, wave):
        return
    open_ = [one.id for one in states if one not in done]
    detail = f"The wave is completed: {len(done)} of {len(states)} migrations."
    if open_:
        detail += f" Not completed, within its failure budget: {', '.join(open_[:10])}."
    waves = [other.name for other in plan.waves if not is_met(run, other)]
    detail += f" Still to come: {', '.join(waves[:10])}." if waves else " Every wave of the plan is completed."
    yield Due("completed", wave.name, detail, "nothing to do; `dmsa verify PLAN` reads everything again", new)
