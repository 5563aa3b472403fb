"""``status``: where everything stands, from the journal alone."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, Json, Only, PlanFile, as_typed
from orchestrator.views.output import say, say_document


def status(
    plan: PlanFile,
    snapshot: Annotated[
        bool, typer.Option("--snapshot", help="Show the snapshots instead: what a way back finds again.")
    ] = False,
    only: Only = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    json: Json = False,
) -> None:
    """Show where everything stands, what it waits for and until when. Reads only the journal; exits 0.

    With --snapshot: both objects, their security descriptors, every host value and every workload as they were before
    the first write and right before Complete, and what a way back found at its end. --only narrows that.

    Example: dmsa status plans/quickstart.yaml --json
    """
    import contextlib

    from orchestrator.cli.history import open_existing, refuse_other_plan
    from orchestrator.cli.recalled import glimpsed
    from orchestrator.cli.selection import select
    from orchestrator.model.run import RunState
    from orchestrator.planfile import load_plan
    from orchestrator.views.snapshot import snapshot_document, snapshot_text
    from orchestrator.views.status import status_document
    from orchestrator.views.summary import summary

    if only is not None and not snapshot:
        raise typer.BadParameter("--only goes with --snapshot; status shows the whole plan")
    loaded = load_plan(plan)
    chosen = select(loaded.plan, only)
    opened = open_existing(journal)
    with contextlib.closing(opened) if opened else contextlib.nullcontext():
        state = glimpsed(opened, loaded.plan.name) if opened else RunState(loaded.plan.name)
        driver = opened.holder() if opened else None
        refuse_other_plan(state, loaded)
        if snapshot:
            taken = snapshot_document(state, loaded.plan, loaded.digest, chosen)
        else:
            document = status_document(state, loaded.plan, loaded.digest, state.last_at)
    if snapshot:
        say_document(taken) if json else say(snapshot_text(taken))
        return
    if json:
        say_document(document)
        return
    say(summary(document, as_typed(plan, journal), driver.holder if driver else None))
