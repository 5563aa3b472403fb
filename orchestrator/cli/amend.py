"""``amend``: a changed plan, held against the run; accepted, it is the plan that the run goes by."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, As, JournalPlace, Json, MirrorPlace, PlanFile, Verbose, as_typed
from orchestrator.views.output import say, say_document


def amend(
    plan: PlanFile,
    accept: Annotated[bool, typer.Option("--accept", help="Let the run go by this plan; needs --reason.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")] = "",
    as_: As = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show how a changed plan differs from the one the run began with, and what follows; accept it.

    Without --accept nothing is written. A runner that drives stops in good order when the plan is amended. Exit codes:
    0 shown or accepted, 3 refused.

    Example: dmsa amend plans/quickstart.yaml --accept --reason "app05 joins"
    """
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import speaker
    from orchestrator.engine.amendment import Amendment, amendment
    from orchestrator.errors import InputInvalid
    from orchestrator.model.event import Event
    from orchestrator.model.run import RunState
    from orchestrator.planfile import as_kept, canonical, load_plan
    from orchestrator.views.amendment import amendment_document, amendment_text

    if accept and not reason:
        raise typer.BadParameter("--accept needs --reason TEXT: who reads the journal later wants to know why")
    configure(verbose, "console")
    loaded = load_plan(plan)
    after, by = canonical(loaded.plan), speaker(loaded.plan, as_)
    shown: list[tuple[str, Amendment]] = []

    def words(state: RunState) -> list[Event]:
        if state.digest is None or state.plan is None:
            raise InputInvalid(f"no run of {loaded.plan.name} has begun: nothing to amend. `dmsa run` begins one")
        found = amendment(state, as_kept(state.plan), after)
        shown[:] = [(state.digest, found)]
        if not accept or found.refusals or state.digest == loaded.digest:
            return []
        return found.events(loaded.digest, after, by, reason)

    append_words(journal, loaded.plan.name, words, mirror)
    before, found = shown[0]
    typed = as_typed(plan, journal, mirror)
    accepted = accept and not found.refusals and before != loaded.digest
    document = amendment_document(loaded.plan.name, (before, loaded.digest), found, accepted=accepted, typed=typed)
    if json:
        say_document(document)
    else:
        say(amendment_text(document, found.changes, typed))
    raise typer.Exit(document["exit"])
