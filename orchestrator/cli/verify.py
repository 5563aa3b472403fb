"""``verify``: is everything as the journal says? Everything is read again, and nothing is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.options import (
    DEFAULT_JOURNAL,
    JournalPlace,
    Json,
    LogFormat,
    Only,
    PlanFile,
    Verbose,
    as_typed,
)

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrator.cli.signals import Signals
    from orchestrator.model.plan import Plan
    from orchestrator.model.run import RunState
    from orchestrator.planfile import Loaded
    from orchestrator.remote.transport import Transport
    from orchestrator.verification import Verified

PATIENCE = 5.0
"""Seconds for which threads are waited for whose hosts do not answer."""


def verify(
    plan: PlanFile,
    only: Only = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
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
    from orchestrator.views.output import say, say_document
    from orchestrator.views.verification import verification_document, verification_text

    configure(verbose, log_format)
    loaded = load_plan(plan)
    chosen = select(loaded.plan, only)
    signals = Signals()
    with signals.heard():
        verified = _verified(loaded, journal, chosen, signals)
    if verified is None:
        typer.echo("Stopped before everything was read. Nothing was changed.", err=True)
        raise typer.Exit(128 + signals.number)
    document = verification_document(verified, loaded.plan, loaded.digest)
    if json:
        say_document(document)
    else:
        say(verification_text(document, as_typed(plan, journal)))
    raise typer.Exit(document["exit"])


def _verified(loaded: Loaded, place: str, chosen: tuple[str, ...], signals: Signals) -> Verified | None:
    """Read and judge what was chosen; None where a signal came first."""
    from orchestrator.cli.readings import Readings, looked_at
    from orchestrator.remote.pool import CallPool

    _journaled(loaded, place)  # what is wrong with the journal is said before anything is asked
    stops: list[bool] = []
    with _estate(loaded, place) as (plan, transport, at):
        pool: CallPool[int] = CallPool(transport)
        try:
            with signals.stopping(lambda: stops.append(True)):
                readings = Readings(transport, pool, lambda: bool(stops))
                return looked_at(plan, chosen, at, readings, lambda: _journaled(loaded, place))
        finally:
            pool.close(0.0 if stops else PATIENCE)


def _journaled(loaded: Loaded, place: str) -> RunState:
    """Return where everything stands by the journal, which others may write to meanwhile.

    Raises:
        InputInvalid: its run goes by another plan.
    """
    from orchestrator.cli.history import open_existing, refuse_other_plan, replay

    opened = open_existing(place)
    with contextlib.closing(opened) if opened else contextlib.nullcontext():
        state, _ = replay(opened, loaded.plan.name)
    refuse_other_plan(state, loaded)
    return state


@contextlib.contextmanager
def _estate(loaded: Loaded, place: str) -> Iterator[tuple[Plan, Transport, datetime | None]]:
    """Reach the estate, and learn what time it is there; every session is closed afterwards."""
    from orchestrator.cli.compose import clock_for, estate_of, transport_for
    from orchestrator.remote.connection import Connections

    with estate_of(loaded, place) as resolved:
        transport = transport_for(resolved.plan, Connections(resolved.plan.estate, resolved.base))
        with contextlib.closing(transport):
            yield resolved.plan, transport, clock_for(resolved.plan, transport).ask()
