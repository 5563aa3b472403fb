"""``preview``: what would each step change? Predicted from what is there now; nothing is written."""

from __future__ import annotations

import contextlib
import json as json_
from pathlib import Path
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
)
from orchestrator.model.lifecycle import Phase

if TYPE_CHECKING:
    from orchestrator.cli.signals import Signals
    from orchestrator.journal import Row
    from orchestrator.planfile import Loaded
    from orchestrator.remote.traffic import Manners
    from orchestrator.views.working import Work


def preview(
    plan: PlanFile,
    only: Only = None,
    until: Annotated[Phase | None, typer.Option("--until", metavar="PHASE", help="No further than this phase.")] = None,
    ways_back: Annotated[
        bool, typer.Option("--ways-back/--no-ways-back", help="Also what rollback would change, from each phase.")
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Keep the prediction (JSON), to be held against the run."),
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="Hold a kept prediction against the journal.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="With --against: also what came as predicted.")] = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Tell what each step of each migration would change: which object, attribute or host value, from what to what.

    Also what restarts with what, whom each wave reaches, and the way back. It is read what a snapshot would hold; then
    the steps themselves go forward on a simulated estate made of it. It writes nothing, the journal included, and may
    run beside a runner. Afterwards --against tells what came otherwise; it asks no host.

    Exit codes: 0 all of it is predicted, 4 a migration would be held or something could not be read, 7 something would
    still wait; with --against 0 nothing came otherwise, 5 something did.

    Example: dmsa preview plans/quickstart.yaml -o predicted.json
    """
    import logging

    from orchestrator.cli.logs import configure
    from orchestrator.cli.signals import Signals
    from orchestrator.planfile import load_plan
    from orchestrator.remote.traffic import Manners
    from orchestrator.views.foretold import foretold_text
    from orchestrator.views.output import say, say_document
    from orchestrator.views.preview_text import preview_text
    from orchestrator.views.working import working

    configure(verbose, log_format, least=logging.CRITICAL)  # a simulated runner works here; its log is nobody's
    loaded = load_plan(plan)
    signals, manners = Signals(), Manners(hosts_at_once, logons_per_second)
    with signals.heard(), working("reading", quiet=json) as work:
        document = (
            _held(loaded, journal, against)
            if against
            else _predicted(loaded, journal, only, until, ways_back, signals, manners, work)
        )
    if document is None:
        typer.echo("Stopped before everything was read. Nothing was changed.", err=True)
        raise typer.Exit(128 + signals.number)
    if output is not None:
        _keep(output, document)
    if json:
        say_document(document)
    else:
        say(foretold_text(document, everything=everything) if against else preview_text(document))
    raise typer.Exit(document["exit"])


def _predicted(
    loaded: Loaded,
    place: str,
    only: str | None,
    until: Phase | None,
    ways_back: bool,
    signals: Signals,
    manners: Manners,
    work: Work,
) -> dict[str, Any] | None:
    """Read and predict; None where a signal came first."""
    from orchestrator.cli.looking import journaled, reached
    from orchestrator.cli.previewing import Asked, question
    from orchestrator.cli.selection import select
    from orchestrator.errors import InputInvalid, PersonNeeded
    from orchestrator.planfile import canonical
    from orchestrator.rehearsal.predicted import NoEstate, predicted
    from orchestrator.views.preview import preview_document

    chosen = select(loaded.plan, only)
    journaled(loaded, place)  # what is wrong with the journal is said before anything is asked
    with reached(loaded, place, signals, manners, work.at) as there:
        rows = _rows(place)
        at = there.clock.now()
        if at is None:
            raise PersonNeeded("estate time could not be read, so nothing can be predicted. Nothing was changed.")
        asked = Asked(there.plan, loaded.digest, canonical(loaded.plan), rows, chosen, until)
        found = question(asked, there.readings, at, there.clock.apart)
    if found is None:
        return None
    work.now("predicting")
    try:
        prediction = predicted(found, ways_back=ways_back)
    except NoEstate as invalid:
        raise InputInvalid(f"no estate can stand in for {loaded.plan.name}: {invalid}. Nothing was changed.") from None
    return preview_document(there.plan, loaded.digest, prediction)


def _rows(place: str) -> list[Row]:
    from orchestrator.cli.history import open_existing

    opened = open_existing(place)
    with contextlib.closing(opened) if opened else contextlib.nullcontext():
        return list(opened.read()) if opened else []


def _held(loaded: Loaded, place: str, file: Path) -> dict[str, Any]:
    """Hold a kept prediction against the journal."""
    from orchestrator.errors import InputInvalid
    from orchestrator.model.event import from_body
    from orchestrator.preview import held_against
    from orchestrator.views.foretold import foretold_document
    from orchestrator.views.preview import NoPreview, kept_preview

    try:
        document = json_.loads(file.read_text(encoding="utf-8"))
        kept = kept_preview(document)
        digest = document["digest"]
    except (OSError, UnicodeDecodeError, ValueError, NoPreview, KeyError) as strange:
        raise InputInvalid(f"{file} is no prediction that was kept: {strange}. Nothing was done.") from strange
    if digest != loaded.digest:
        raise InputInvalid(
            f"{file} was predicted for another plan (digest {digest[:12]}, {loaded.path} has {loaded.digest[:12]}). "
            "Nothing was done. A changed plan needs a prediction of its own."
        )
    rows = _rows(place)
    mine = [(row.seq, from_body(row.kind, row.body, row.version)) for row in rows if row.run == loaded.plan.name]
    last = rows[-1].seq if rows else 0
    if last < kept.head:
        raise InputInvalid(
            f"{file} was predicted with {kept.head} rows of the journal, and it has {last}. It is another."
        )
    found = held_against(kept, mine)
    return foretold_document(loaded.plan.name, loaded.digest, kept.began, (kept.head, last), found)


def _keep(file: Path, document: dict[str, Any]) -> None:
    from orchestrator.errors import InputInvalid

    try:
        file.write_text(json_.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputInvalid(f"{file} cannot be written: {error.strerror or error}. Nothing was changed.") from error
