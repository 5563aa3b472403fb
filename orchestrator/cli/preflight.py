"""``preflight``: may these migrations begin? Every guard is asked, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import (
    DEFAULT_HOSTS_AT_ONCE,
    DEFAULT_JOURNAL,
    DEFAULT_LOGONS_PER_SECOND,
    HostsAtOnce,
    JournalPlace,
    Json,
    LogFormat,
    LogonsPerSecond,
    Only,
    PlanFile,
    Verbose,
    as_typed,
)

if TYPE_CHECKING:
    from orchestrator.cli.signals import Signals
    from orchestrator.planfile import Loaded
    from orchestrator.remote.traffic import Manners
    from orchestrator.views.working import Work


def preflight(
    plan: PlanFile,
    only: Only = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what passed, too, guard by guard.")] = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Ask every guard that stands before the next gate of each migration, and tell what each found and why.

    Before prepare for what has not begun, before Start for what is prepared, before Complete for what is on its way
    there. What could not be read is unknown, and unknown refuses. It writes nothing, the journal included, and may run
    beside a runner.

    Exit codes: 0 nothing stands in the way, 4 a guard refuses or could not be answered, 7 only time or people's
    approvals are missing.

    Example: dmsa preflight plans/quickstart.yaml
    """
    from orchestrator.cli.history import refuse_collisions
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import select
    from orchestrator.cli.signals import Signals
    from orchestrator.planfile import load_plan
    from orchestrator.remote.traffic import Manners
    from orchestrator.views.output import say, say_document
    from orchestrator.views.preflight import preflight_text
    from orchestrator.views.working import working

    configure(verbose, log_format)
    loaded = load_plan(plan)
    chosen = select(loaded.plan, only)
    refuse_collisions(loaded, journal, chosen)
    signals = Signals()
    with signals.heard(), working("reading", quiet=json) as work:
        document = _asked(loaded, journal, chosen, signals, Manners(hosts_at_once, logons_per_second), work)
    if document is None:
        typer.echo("Stopped before everything was read. Nothing was changed.", err=True)
        raise typer.Exit(128 + signals.number)
    if json:
        say_document(document)
    else:
        say(preflight_text(document, as_typed(plan, journal), everything=everything))
    raise typer.Exit(document["exit"])


def _asked(
    loaded: Loaded, place: str, chosen: tuple[str, ...], signals: Signals, manners: Manners, work: Work
) -> dict[str, Any] | None:
    """Read what the guards ask for and return what they say; None where a signal came first."""
    from orchestrator.cli.looking import journaled, reached
    from orchestrator.engine.preflight import Asked, asked, asks, next_gate, strays
    from orchestrator.engine.waves import admissible
    from orchestrator.model.case import Case
    from orchestrator.model.observation import Unreadable
    from orchestrator.views.preflight import preflight_document

    run = journaled(loaded, place)
    with reached(loaded, place, signals, manners, work.at) as there:
        plan, at = there.plan, there.clock.now()
        gates = {id_: next_gate(run[id_]) for id_ in chosen}
        cases = {id_: Case.of(run, plan, id_, at, there.clock.apart) for id_, gate in gates.items() if gate}
        stages = {id_: gate for id_, gate in gates.items() if gate}
        seen = there.readings.all_of(tuple(cases), lambda id_, known: asks(cases[id_], stages[id_], known), at)
        if seen is None:
            return None
        waves = admissible(run, plan, at, chosen)
        found = {id_: asked(case, stages[id_], seen[id_], waves.get(id_)) for id_, case in cases.items()}
        found |= {id_: Asked(None, (), None) for id_ in chosen if id_ not in cases}
        try:
            stray = next((strays(case, seen[id_]) for id_, case in cases.items()), ())
        except Unreadable as unread:
            return preflight_document(plan, loaded.digest, at, run, found, str(unread))
        return preflight_document(plan, loaded.digest, at, run, found, stray)
