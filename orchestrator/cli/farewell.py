"""What a verb that moved migrations says at its end: where everything stands, and what to type next."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from orchestrator.model.run import RunState
    from orchestrator.planfile import Loaded


def amended_meanwhile(loaded: Loaded, state: RunState, plan: Path, typed: str, *, as_json: bool) -> NoReturn:
    """Say why the runner stopped, and end with 7: nothing failed, and what was begun is written down."""
    if as_json:
        from orchestrator.planfile import PlanInvalid, load_plan

        with contextlib.suppress(PlanInvalid):  # the file may hold the plan as amended, or something unfinished
            now = load_plan(plan)
            loaded = now if now.digest == state.digest else loaded
        report(loaded, state, typed, as_json=True, signalled=0)
    typer.echo(
        f"The plan was amended while this ran (its digest is {(state.digest or '')[:12]} now). The runner stopped in "
        "good order: what was in the air has ended, or is settled next time. "
        f"`dmsa run {typed}` goes on with the plan as amended.",
        err=True,
    )
    raise typer.Exit(7)


def report(
    loaded: Loaded, state: RunState, typed: str, *, as_json: bool, end: str | None = None, signalled: int
) -> None:
    from orchestrator.views.output import say_document
    from orchestrator.views.page import say_page
    from orchestrator.views.status import status_document
    from orchestrator.views.summary import summary

    document = status_document(state, loaded.plan, loaded.digest, state.last_at)
    if as_json:
        say_document(document)
        return
    if signalled:
        end = f"Stopped by {signal.Signals(signalled).name}. `dmsa run {typed}` goes on from here."
    say_page(summary(document, typed, end=end))
