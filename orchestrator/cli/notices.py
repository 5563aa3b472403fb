"""``notices``: what people were told of a run, whom it reached, and whether it would reach them now."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, Json, MirrorPlace, PlanFile, Verbose, as_typed
from orchestrator.views.output import say, say_document

if TYPE_CHECKING:
    from orchestrator.model.run import RunState
    from orchestrator.planfile import Loaded
    from orchestrator.views.notices import Told


def notices(
    plan: PlanFile,
    test: Annotated[
        bool, typer.Option("--test", help="Send a test to each receiver of the plan, and say what it answered.")
    ] = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List what was told to the receivers under `notify`, what each has taken, and who does not answer since when.

    Reads only the journal; what is unsent, the next runner sends. With --test one message is posted to each receiver,
    and nothing is written down.

    Exit codes: 0 listed, and every test was taken; 4 a receiver did not take its test.

    Example: dmsa notices plans/quickstart.yaml --test
    """
    from orchestrator.cli.history import refuse_other_plan
    from orchestrator.cli.logs import configure
    from orchestrator.errors import Exit
    from orchestrator.planfile import load_plan
    from orchestrator.views.notices import notices_document, notices_text

    configure(verbose, "console")
    loaded = load_plan(plan)
    state, told = _told(loaded, journal)
    refuse_other_plan(state, loaded)
    typed = as_typed(plan, journal, mirror)
    receivers = state.notices.receivers.values()
    document = notices_document(loaded.plan, loaded.digest, told, receivers, typed)
    if test:
        document["test"] = _tried(loaded, journal, mirror)
    say_document(document) if json else say(notices_text(document, typed))
    if any(one["outcome"] != "taken" for one in document["test"] or ()):
        raise typer.Exit(int(Exit.HELD))


def _told(loaded: Loaded, place: str) -> tuple[RunState, Told]:
    """Fold the journal; before a run has begun, the receivers are those of the plan."""
    import contextlib

    from orchestrator.cli.history import open_existing
    from orchestrator.model.replay import fold_in
    from orchestrator.model.run import RunState
    from orchestrator.planfile import canonical
    from orchestrator.views.notices import Told

    state, told = RunState(loaded.plan.name), Told()
    opened = open_existing(place)
    with contextlib.closing(opened) if opened else contextlib.nullcontext():
        for row in opened.read() if opened else ():
            told.take_in(fold_in(state, row), row.at, state)
    told.end(state)
    if state.digest is None:
        state.notices.go_by(canonical(loaded.plan))
    return state, told


def _tried(loaded: Loaded, place: str, mirror: Path | None) -> list[dict[str, Any]]:
    """Post a test to every receiver at the same time, and wait for all answers."""
    from datetime import UTC, datetime

    from orchestrator.cli.compose import outbox_for
    from orchestrator.cli.selection import who
    from orchestrator.model.receiver import receiver_of
    from orchestrator.notices import trial_notice

    outbox = outbox_for(loaded, place, mirror)
    notice = trial_notice(loaded.plan, who(), datetime.now(UTC))
    names = list(dict.fromkeys(receiver_of(one.webhook) for one in loaded.plan.notify))
    for name in names:
        outbox.send(name, notice, 0)
    found: dict[str, dict[str, Any]] = {}
    while len(found) < len(names):
        for one in outbox.answers(60.0):
            answer = one.answer
            found[one.receiver] = {
                "receiver": one.receiver,
                "outcome": answer.outcome,
                "status": answer.status,
                "why": answer.why,
            }
    return [found[name] for name in names]
