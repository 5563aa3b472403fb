"""The operator's words: ``hold`` and ``release``."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, MirrorPlace, Only, PlanFile, Verbose, as_typed
from orchestrator.views.output import say


def hold(
    plan: PlanFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")],
    only: Only = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    verbose: Verbose = False,
) -> None:
    """Let nothing new begin for these migrations until they are released; a step that runs ends.

    Example: dmsa hold plans/quickstart.yaml --only main --reason "incident 4711"
    """
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.history import refuse_other_plan
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import select, who
    from orchestrator.model.event import Event, Held
    from orchestrator.model.lifecycle import FINAL
    from orchestrator.model.run import RunState
    from orchestrator.planfile import load_plan

    configure(verbose, "console")
    loaded = load_plan(plan)
    chosen = select(loaded.plan, only)

    def words(state: RunState) -> list[Event]:
        refuse_other_plan(state, loaded)
        free = [id_ for id_ in chosen if state[id_].held is None and state[id_].phase not in FINAL]
        by = who()
        return [Held(migration=id_, reason="operator", detail=reason, release=_release(id_), by=by) for id_ in free]

    state = append_words(journal, loaded.plan.name, words, mirror)
    for id_ in chosen:
        held = state[id_].held
        say(f"{id_}: {f'held ({held.reason}): {held.detail}' if held else f'not held: it is {state[id_].phase}'}")


def release(
    plan: PlanFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")],
    only: Only = None,
    forward: Annotated[
        bool,
        typer.Option("--forward", help="Turn a way back around: from reopened, or from rolled_back a new attempt."),
    ] = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    verbose: Verbose = False,
) -> None:
    """Let held migrations go on; `dmsa run` then moves them.

    Example: dmsa release plans/quickstart.yaml --only dmsa-report --reason "app01 is back"
    """
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.history import refuse_other_plan
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import select, who
    from orchestrator.errors import PersonNeeded
    from orchestrator.model.event import Event, Released
    from orchestrator.model.lifecycle import Intention, Phase
    from orchestrator.model.run import RunState
    from orchestrator.model.state import MigrationState
    from orchestrator.planfile import load_plan
    from orchestrator.views.summary import advice

    configure(verbose, "console")
    loaded = load_plan(plan)
    chosen = select(loaded.plan, only)
    typed = as_typed(plan, journal, mirror)
    released: list[str] = []

    def may(state: MigrationState) -> bool:
        back = state.intention is Intention.BACK
        if forward and back and state.phase not in {Phase.REOPENED, Phase.ROLLED_BACK}:
            raise PersonNeeded(
                f"{state.id} is {state.phase} on its way back; forward it can only go from reopened or rolled_back. "
                f"Nothing was done. `dmsa rollback {typed} --only {state.id}` ends the way back first."
            )
        if not forward and state.held and state.held.reason == "undone":
            raise PersonNeeded(
                f"{state.id} was undone as asked. Nothing was done. Say where it shall go: "
                f"{advice(state.held.release, typed)}"
            )
        return state.held is not None or (forward and back)

    def words(state: RunState) -> list[Event]:
        refuse_other_plan(state, loaded)
        released[:] = [id_ for id_ in chosen if may(state[id_])]
        return [
            Released(migration=id_, by=who(), reason=reason, forward=forward and state[id_].intention is Intention.BACK)
            for id_ in released
        ]

    state = append_words(journal, loaded.plan.name, words, mirror)
    for id_ in chosen:
        phase = state[id_].phase
        freed = f"released; `dmsa run {typed}` goes on from {phase}"
        say(f"{id_}: {freed if id_ in released else f'not held: it is {phase}'}")


def _release(id_: str) -> str:
    return f"`dmsa release PLAN --only {id_} --reason TEXT`"
