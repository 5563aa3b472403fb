"""``lab serve`` and ``lab show``: a simulated estate on real WSMan ports, and what happened there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli.options import Json
from orchestrator.views.output import say, say_document

app = typer.Typer(help="The simulated estate.", no_args_is_help=True, rich_markup_mode=None)

State = Annotated[Path, typer.Option("--state", metavar="DIR", help="Where the lab keeps its state and record.")]


@app.command()
def serve(
    estate: Annotated[Path, typer.Argument(metavar="ESTATE", help="The estate file.")],
    state: State = Path(".dmsa/lab"),
    jea: Annotated[
        Path | None, typer.Option("--jea", metavar="DIR", help="JEA files: machines serve their endpoints.")
    ] = None,
    json: Json = False,
) -> None:
    """Serve a simulated estate until Ctrl-C, and print how to connect.

    Example: dmsa lab serve plans/estates/quickstart.yaml --state .dmsa/lab
    """
    from orchestrator.lab.serve import serve as serve_estate

    raise typer.Exit(serve_estate(estate, state, as_json=json, until_stdin_closes=False, jea=jea))


@app.command()
def show(
    state: State = Path(".dmsa/lab"),
    record: Annotated[bool, typer.Option("--record", help="Every command that arrived.")] = False,
    json: Json = False,
) -> None:
    """Show a lab's state, or with --record every command that arrived there.

    Example: dmsa lab show --state .dmsa/journal.db.lab --record
    """
    from orchestrator.errors import InputInvalid
    from orchestrator.lab.record import read_estate, read_record
    from orchestrator.views.lab import described, recorded

    try:
        found = read_record(state) if record else read_estate(state).describe()
    except FileNotFoundError:
        raise InputInvalid(
            f"{state} is no lab's state directory. `dmsa lab serve` and `dmsa run` (in <journal>.lab) make one."
        ) from None
    if json:
        say_document(found)
    else:
        say(recorded(found) if isinstance(found, list) else described(found))
