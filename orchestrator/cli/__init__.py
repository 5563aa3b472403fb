"""The command line: one file a group of verbs. The only room that exits, and that chooses adapters.

Nothing heavy is imported before a verb needs it, so that ``--help`` and ``check`` start at once.
"""

from __future__ import annotations

import io
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from orchestrator import __version__
from orchestrator.cli import (
    amend,
    approve,
    board,
    by_hand,
    cluster,
    discover,
    drill,
    drive,
    expect,
    jea,
    journal,
    lab,
    lifecycle,
    metrics,
    notices,
    plans,
    preflight,
    preview,
    probe,
    rehearse,
    report,
    runner,
    status,
    verify,
    words,
)

app = typer.Typer(
    name="dmsa",
    help="Move Active Directory service accounts to delegated Managed Service Accounts, in waves, and back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Begin with: dmsa run plans/quickstart.yaml (a simulated estate; nothing else is needed).",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"dmsa {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


_VERBS: tuple[Callable[..., None], ...] = (
    plans.check,
    plans.schema,
    preflight.preflight,
    preview.preview,
    drive.run,
    status.status,
    board.board,
    metrics.metrics,
    notices.notices,
    verify.verify,
    amend.amend,
    words.hold,
    words.release,
    words.release_host,
    approve.approve,
    by_hand.assert_done,
    by_hand.adopt,
    drive.undo,
    drive.reset,
    drive.rollback,
    runner.runner,
    jea.jea,
    lifecycle.lifecycle,
    probe.probe_windows,
    rehearse.rehearse,
    drill.drill,
    discover.discover,
    expect.expect,
    expect.reconcile,
    report.report,
)
for _verb in _VERBS:
    app.command()(_verb)
app.add_typer(journal.app, name="journal")
app.add_typer(lab.app, name="lab")
app.add_typer(cluster.app, name="cluster")


def main() -> None:
    """Run ``dmsa``. A foreseeable fault is one message and its exit code; the traceback is for ``-v``."""
    from orchestrator.errors import Exit, OrchestratorError

    # Names come from plans and directories; one that a terminal's encoding lacks must not stop a run.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except OrchestratorError as error:
        _fail(f"{error}", error.exit_code)
    except Exception as error:  # noqa: BLE001 - nobody is left to handle it; here it is at least said
        _fail(
            f"a defect in the program stopped it: {type(error).__name__}: {error}. What was done is in the journal; "
            "the same command goes on from there. With -v the traceback is shown.",
            Exit.DEFECT,
        )


def _fail(message: str, code: int) -> NoReturn:
    if not {"-v", "--verbose"}.isdisjoint(sys.argv):
        traceback.print_exc()
    typer.echo(f"dmsa: {message}", err=True)
    raise SystemExit(int(code))
