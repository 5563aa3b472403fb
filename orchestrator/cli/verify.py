"""``verify``: is everything as the journal says? Everything is read again, and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from orchestrator.verification import Verified
    from orchestrator.views.working import Work


def verify(
    plan: PlanFile,
    only: Only = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Read everything again, on every domain controller and host, and tell what is not as the journal says.

    Drift in both directions, missing originals, half links, states that nobody asked for, values that a group policy
    set back, foreign hosts. It writes nothing, the journal included, and may run beside a runner.

    Exit codes: 0 as the journal says, 4 something could not be read, 5 something is not so, 7 a write is under way.

    Example: dmsa verify plans/quickstart.yaml
    """
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import select
    from orchestrator.cli.signals import Signals
    from orchestrator.planfile import load_plan
    from orchestrator.remote.traffic import Manners
    from orchestrator.views.output import say, say_document
    from orchestrator.views.verification import verification_document, verification_text
    from orchestrator.views.working import working

    configure(verbose, log_format)
    loaded = load_plan(plan)
    chosen = select(loaded.plan, only)
    signals = Signals()
    with signals.heard(), working("reading", quiet=json) as work:
        verified = _verified(loaded, journal, chosen, signals, Manners(hosts_at_once, logons_per_second), work)
    if verified is None:
        typer.echo("Stopped before everything was read. Nothing was changed.", err=True)
        raise typer.Exit(128 + signals.number)
    document = verification_document(verified, loaded.plan, loaded.digest)
    if json:
        say_document(document)
    else:
        say(verification_text(document, as_typed(plan, journal)))
    raise typer.Exit(document["exit"])


def _verified(
    loaded: Loaded, place: str, chosen: tuple[str, ...], signals: Signals, manners: Manners, work: Work
) -> Verified | None:
    """Read and judge what was chosen; None where a signal came first."""
    from orchestrator.cli.looking import journaled, reached
    from orchestrator.cli.readings import looked_at

    journaled(loaded, place)  # what is wrong with the journal is said before anything is asked
    with reached(loaded, place, signals, manners, work.at) as there:
        return looked_at(there.plan, chosen, there.clock.now(), there.readings, lambda: journaled(loaded, place))
