"""``status``: where everything stands, from the journal alone."""

from __future__ import annotations

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, Json, PlanFile, as_typed
from orchestrator.views.output import say, say_document


def status(plan: PlanFile, journal: JournalPlace = DEFAULT_JOURNAL, json: Json = False) -> None:
    """Show where everything stands, what it waits for and until when. Reads only the journal; exits 0.

    Example: dmsa status plans/quickstart.yaml --json
    """
    import contextlib

    from orchestrator.cli.history import open_existing, refuse_other_plan, replay
    from orchestrator.planfile import load_plan
    from orchestrator.views.status import status_document
    from orchestrator.views.summary import summary

    loaded = load_plan(plan)
    opened = open_existing(journal)
    with contextlib.closing(opened) if opened else contextlib.nullcontext():
        state, _ = replay(opened, loaded.plan.name)
        driver = opened.holder() if opened else None
    refuse_other_plan(state, loaded)
    document = status_document(state, loaded.plan, loaded.digest, state.last_at)
    if json:
        say_document(document)
        return
    say(summary(document, as_typed(plan, journal), driver.holder if driver else None))
