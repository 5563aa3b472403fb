"""``status``: where everything stands, from the journal alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, Json, Only, as_typed
from orchestrator.views.output import say, say_document


def status(
    plan: Annotated[
        Path | None, typer.Argument(metavar="[PLAN]", help="The plan file; without it, every run of the journal.")
    ] = None,
    snapshot: Annotated[
        bool, typer.Option("--snapshot", help="Show the snapshots instead: what a way back finds again.")
    ] = False,
    only: Only = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    json: Json = False,
) -> None:
    """Show where everything stands, what it waits for and until when. Reads only the journal; exits 0.

    Of each wave also whether its windows are open, until when, and when they open next, at the last reading of estate
    time. Marks: waits (time or others come first), HELD (a person is needed), FAILED.

    With --snapshot: both objects, their security descriptors, every host value and every workload as they were before
    the first write and right before Complete, and what a way back found at its end. --only narrows that.

    Without PLAN: every run of the journal, one paragraph each.

    Example: dmsa status plans/quickstart.yaml --json
    """
    import contextlib

    from orchestrator.cli.history import open_existing, refuse_other_plan
    from orchestrator.cli.recalled import glimpsed
    from orchestrator.cli.selection import select
    from orchestrator.model.run import RunState
    from orchestrator.planfile import load_plan
    from orchestrator.views.page import say_page
    from orchestrator.views.status import status_document
    from orchestrator.views.summary import summary
    from orchestrator.views.working import working

    if plan is None:
        if snapshot or only is not None:
            raise typer.BadParameter("--snapshot and --only need a PLAN")
        _every_run(journal, as_json=json)
        return
    if only is not None and not snapshot:
        raise typer.BadParameter("--only goes with --snapshot; status shows the whole plan")
    loaded = load_plan(plan)
    chosen = select(loaded.plan, only)
    opened = open_existing(journal)
    with contextlib.closing(opened) if opened else contextlib.nullcontext(), working("reading", quiet=json):
        state = glimpsed(opened, loaded.plan.name) if opened else RunState(loaded.plan.name)
        driver = opened.holder() if opened else None
        refuse_other_plan(state, loaded)
        if snapshot:
            from orchestrator.views.snapshot import snapshot_document, snapshot_text

            taken = snapshot_document(state, loaded.plan, loaded.digest, chosen)
        else:
            document = status_document(state, loaded.plan, loaded.digest, state.last_at)
    if snapshot:
        say_document(taken) if json else say(snapshot_text(taken))
        return
    if json:
        say_document(document)
        return
    say_page(summary(document, as_typed(plan, journal), driver.holder if driver else None))


def _every_run(place: str, *, as_json: bool) -> None:
    import contextlib

    from orchestrator.cli.history import open_existing, runs_of
    from orchestrator.views.page import say_page
    from orchestrator.views.runs import runs_document, runs_text
    from orchestrator.views.working import working

    opened = open_existing(place)
    with contextlib.closing(opened) if opened else contextlib.nullcontext(), working("reading", quiet=as_json):
        runs = runs_of(opened) if opened else ()
        driver = opened.holder() if opened else None
        told = ((one.state, one.plan, one.unread) for one in runs)
        document = runs_document(told, driver.holder if driver else None)
    say_document(document) if as_json else say_page(runs_text(document, place))
