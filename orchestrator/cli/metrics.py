"""``metrics``: how runs stand, as Prometheus reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace
from orchestrator.views.output import say_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestrator.cli.history import OneRun
    from orchestrator.journal import Journal
    from orchestrator.planfile import Loaded


def metrics(
    plans: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PLAN]...", help="Plan files; without any, each run of the journal."),
    ] = None,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE.prom", help="Where to write; - is standard output.")
    ] = "-",
    each: Annotated[
        bool, typer.Option("--each", help="A series for each migration too, with its dMSA's name as a label.")
    ] = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
) -> None:
    """Write how runs stand in Prometheus' text format: waves, phases, holds, waits, windows, ledgers, retries.

    Reads only the journal; exits 0. A FILE is replaced whole, readable for all, as the textfile collector of the node
    exporter wants it; call it every minute, beside a runner or without one. A journal that is not there yet is one
    without runs. Labels name plans, waves and the program's own words, no account or host, unless --each is given.

    Example: dmsa metrics plans/quickstart.yaml -o dmsa.prom
    """
    import contextlib

    from orchestrator.cli.history import open_existing
    from orchestrator.planfile import load_plan
    from orchestrator.views.metrics import JournalSeen, metrics_text
    from orchestrator.views.working import working

    loaded = [load_plan(plan) for plan in dict.fromkeys(plans or ())]
    opened = open_existing(journal)
    with contextlib.closing(opened) if opened else contextlib.nullcontext(), working("reading"):
        runs = list(_chosen(opened, loaded))
        about = JournalSeen(
            rows=opened.head() if opened else 0,
            driven=bool(opened and opened.holder()),
            unreadable=sum(one.unread is not None for one in runs),
        )
        found = [(one.state, one.plan) for one in runs if one.plan is not None]
        text = metrics_text(found, None, journal=about, each=each)
    if output == "-":
        say_lines([text.encode()])
    else:
        _replace(Path(output), text)


def _chosen(opened: Journal | None, loaded: list[Loaded]) -> Iterator[OneRun]:
    """Yield the runs of these plans, or every run; of a plan that has not begun, its beginning.

    Raises:
        InputInvalid: a run goes by another plan than the file has.
    """
    from orchestrator.cli.history import OneRun, refuse_other_plan, runs_of
    from orchestrator.model.run import RunState

    runs = {one.state.run: one for one in (runs_of(opened) if opened else ())}
    if not loaded:
        yield from runs.values()
    for one in loaded:
        run = runs.get(one.plan.name) or OneRun(RunState(one.plan.name), one.plan)
        if run.unread is None:
            refuse_other_plan(run.state, one)
        yield run


def _replace(file: Path, text: str) -> None:
    """Put the text in the place of what was there, whole: whoever reads meanwhile reads the one or the other.

    Raises:
        InputInvalid: it cannot be written.
    """
    from orchestrator.errors import InputInvalid

    beside = file.with_name(f"{file.name}.new")  # no .prom: the collector does not read it
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.chmod(0o644)  # the exporter is another user
        beside.replace(file)
    except OSError as error:
        raise InputInvalid(f"{file} cannot be written: {error}. What was there is as it was.") from error
