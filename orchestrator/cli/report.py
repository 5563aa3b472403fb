"""``report``: what is handed to auditors and managers, made of the journal alone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, Json, PlanFile, as_typed
from orchestrator.errors import InputInvalid

if TYPE_CHECKING:
    from orchestrator.cli.scratch import Scratch
    from orchestrator.planfile import Loaded
    from orchestrator.views.working import Work

_FORMS = ("html", "json", "csv")
_STDOUT = Path("-")


def report(
    plan: PlanFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="A name that ends with .html, .json or .csv; - is stdout."),
    ] = None,
    format_: Annotated[
        Literal["html", "json", "csv"] | None,
        typer.Option("--format", help="What it is written as, whatever the name; default: by the name, html to -."),
    ] = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    json: Json = False,
) -> None:
    """Write what happened, with its evidence, as one file: a page for screen and print, JSON, or a table (CSV).

    Made of the journal and the plan alone: nothing is asked of any host, and the same rows make the same bytes. Every
    row is held against the hash chain meanwhile. A file that is there is replaced once the new one is whole. May run
    beside a runner.

    Exit codes: 0 it is written, whatever it says; 3 no run of the plan is in the journal, a row is not what was
    written, or the file cannot be written.

    Example: dmsa report plans/quickstart.yaml -o report.html
    """
    from orchestrator.cli.scratch import Scratch
    from orchestrator.planfile import load_plan
    from orchestrator.views.output import say_lines
    from orchestrator.views.working import working

    form = _form(output, format_, as_json=json)
    loaded = load_plan(plan)
    with contextlib.closing(Scratch()) as scratch, working("reading rows", quiet=json) as work:
        document = _document(loaded, journal, work, scratch)
        work.now("writing the report")
        pieces = _written(document, form, as_typed(plan, journal))
        if output is None or output == _STDOUT:
            say_lines(pieces)
        else:
            _keep(output, pieces)
    if output is not None and output != _STDOUT:
        typer.echo(f"{output} written.", err=True)


def _form(output: Path | None, asked: str | None, *, as_json: bool) -> str:
    """Return what to write: what was asked for, else what the file's name says."""
    if as_json:
        if asked not in {None, "json"}:
            raise typer.BadParameter("--json is --format json", param_hint="--format")
        return "json"
    if output is None:
        raise typer.BadParameter("say where to: -o FILE, or -o - for stdout", param_hint="--output")
    if asked is not None:
        return asked
    if output == _STDOUT:
        return "html"
    form = output.suffix.lower().removeprefix(".")
    if form not in _FORMS:
        raise InputInvalid(
            f"--output {output}: the name must end with .html, .json or .csv, or --format must say which. "
            "Nothing was written."
        )
    return form


def _document(loaded: Loaded, place: str, work: Work, scratch: Scratch) -> dict[str, Any]:
    from orchestrator.cli.history import open_existing, refuse_other_plan
    from orchestrator.cli.journal import told_of
    from orchestrator.cli.recalled import without_collector
    from orchestrator.report.document import Checked, report_document
    from orchestrator.report.reading import Reading

    opened = open_existing(place)
    if opened is None:
        raise InputInvalid(f"there is no journal at {place}, so nothing has happened that a report could tell. {_RUN}")
    reading = Reading(loaded.plan.name, scratch)
    with contextlib.closing(opened), without_collector():
        verdict = opened.verify(told_of(reading.take_in, work, opened.head()))
    if not reading.rows:
        raise InputInvalid(f"the journal {place} has no run of {loaded.plan.name}. {_RUN}")
    refuse_other_plan(reading.state, loaded)
    checked = Checked(verdict.rows, verdict.hash, verdict.witnessed)
    work.now("going through the migrations")
    return report_document(reading, loaded.plan, loaded.digest, checked)


_RUN = "Nothing was written. `dmsa run` begins a run; --journal names another journal."


def _written(document: dict[str, Any], form: str, command: str) -> Iterator[bytes]:
    if form == "json":
        from orchestrator.report.as_json import as_json

        return as_json(document)
    if form == "csv":
        from orchestrator.report.flat import flat

        return flat(document)
    from orchestrator.report.page import page

    return page(document, command)


def _keep(file: Path, pieces: Iterable[bytes]) -> None:
    """Put the report in the place of what was there, whole, and on disk before this returns.

    Raises:
        InputInvalid: it cannot be written; what was there is as it was.
    """
    building = file.with_name(f".{file.name}.building")
    try:
        with building.open("wb") as out:
            out.writelines(pieces)
            out.flush()
            os.fsync(out.fileno())
        building.replace(file)
    except BaseException as error:
        with contextlib.suppress(OSError):
            building.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise InputInvalid(
            f"{file} cannot be written: {error.strerror or error}. What was there is as it was. Name another file."
        ) from error
