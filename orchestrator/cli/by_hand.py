"""What was done by hand or elsewhere, taken into the run on a read-back's evidence: ``assert-done``, ``adopt``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    DEFAULT_JOURNAL,
    As,
    JournalPlace,
    Json,
    LogFormat,
    MirrorPlace,
    PlanFile,
    Verbose,
    as_typed,
)

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.model.run import RunState
    from orchestrator.model.state import MigrationState
    from orchestrator.planfile import Loaded

One = Annotated[str, typer.Option("--only", metavar="DMSA|ACCOUNT", help="Which one: its dMSA, or its account (DN).")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")]
_LOOK_EVERY = 0.5


def assert_done(
    plan: PlanFile,
    only: One,
    step: Annotated[str, typer.Option("--step", metavar="STEP", help="The step that was done by hand.")],
    reason: Why,
    as_: As = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Say that a step was done by hand: it counts if a read-back agrees, and nothing is done on the word alone.

    Steps: start, registry, restart, complete, confirm, undo, reset, restore.

    Exit codes: 0 it counts, 4 it does not (the migration is held with what was seen), 7 it could not be seen yet.

    Example: dmsa assert-done plans/quickstart.yaml --only dmsa-report --step start --reason "done at the console"
    """
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.history import refuse_other_plan
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import speaker
    from orchestrator.engine.asserted import why_not
    from orchestrator.errors import PersonNeeded
    from orchestrator.model.event import Event
    from orchestrator.model.lifecycle import Trigger, Way
    from orchestrator.model.words import AssertedDone
    from orchestrator.planfile import load_plan

    if step not in list(Trigger):
        raise typer.BadParameter(f"--step {step}: there is no such step")
    configure(verbose, log_format)
    loaded = load_plan(plan)
    id_, by, trigger = _one(loaded, only), speaker(loaded.plan, as_), Trigger(step)

    def words(state: RunState) -> list[Event]:
        refuse_other_plan(state, loaded)
        not_so = why_not(state[id_], trigger, Way(loaded.plan.policy_of(id_).rollback_by))
        if not_so:
            raise PersonNeeded(f"{id_}: {not_so}. Nothing was done.")
        return [AssertedDone(migration=id_, step=trigger, by=by, reason=reason)]

    append_words(journal, loaded.plan.name, words, mirror)
    said = "{id} is {phase}: the read-back agrees."
    _carry_out(loaded, plan, journal, mirror, id_, lambda one: one.asserted is not None, said, as_json=json)


def adopt(
    plan: PlanFile,
    only: One,
    reason: Why,
    as_: As = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Take over a pair that somebody started by hand, or whose journal is lost, at the phase that its read-back proves.

    Works on an empty journal too. Writes nothing but the account's protection from deletion. The dwell begins now.

    Exit codes: 0 taken over, 4 a person is needed, 7 it could not all be seen yet.

    Example: dmsa adopt plans/quickstart.yaml --only dmsa-report --reason "the runner's disk is lost"
    """
    from orchestrator import __version__
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.history import refuse_collisions, refuse_other_plan
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import speaker
    from orchestrator.errors import PersonNeeded
    from orchestrator.model.driven import RunBegan
    from orchestrator.model.event import Event
    from orchestrator.model.lifecycle import Phase
    from orchestrator.model.words import AdoptAsked
    from orchestrator.planfile import canonical, load_plan

    configure(verbose, log_format)
    loaded = load_plan(plan)
    id_, by = _one(loaded, only), speaker(loaded.plan, as_)
    refuse_collisions(loaded, journal, (id_,))

    def words(state: RunState) -> list[Event]:
        refuse_other_plan(state, loaded)
        one = state[id_]
        if one.phase is not Phase.PLANNED or (one.snapshot is not None and not one.snapshot.late):
            raise PersonNeeded(f"{id_} is {one.phase} in this journal: it was begun here. Nothing was done.")
        asked = AdoptAsked(migration=id_, by=by, reason=reason)
        if state.digest is not None:
            return [asked]
        began = RunBegan(digest=loaded.digest, plan=canonical(loaded.plan), by=by, tool=__version__)
        return [began, asked]

    append_words(journal, loaded.plan.name, words, mirror, create=True)
    said = "{id} is {phase} now, by what was read back."
    _carry_out(loaded, plan, journal, mirror, id_, lambda one: one.adopting is not None, said, as_json=json)


def _one(loaded: Loaded, only: str) -> str:
    from orchestrator.cli.selection import select
    from orchestrator.errors import InputInvalid

    chosen = select(loaded.plan, only)
    if len(chosen) != 1:
        raise InputInvalid(f"--only {only} names {len(chosen)} migrations, and this is about one. Nothing was done.")
    return chosen[0]


def _carry_out(
    loaded: Loaded,
    plan: Path,
    place: str,
    mirror: Path | None,
    id_: str,
    open_: Callable[[MigrationState], bool],
    said: str,
    *,
    as_json: bool,
) -> None:
    """Have a word carried out by whoever drives, or drive until it is; then say what came of it, and exit."""
    from orchestrator.cli.drive import conduct
    from orchestrator.cli.farewell import report
    from orchestrator.errors import Exit

    state, signalled = _wait(loaded, place, id_, open_), 0
    if open_(state[id_]) and state[id_].held is None:
        state, signalled = conduct(
            loaded,
            place,
            (id_,),
            None,
            watch=False,
            quiet=as_json,
            mirror=mirror,
            enough=lambda run: not open_(run[id_]),
        )
    one, typed = state[id_], as_typed(plan, place, mirror)
    code = Exit.WAITING if open_(one) else Exit.DONE
    if state.refused:
        code = Exit.REFUSED
    elif one.held is not None and one.held.reason != "undone":
        code = Exit.HELD
    end = said.format(id=id_, phase=one.phase) if code is Exit.DONE else f"{id_}: see above."
    if code is Exit.WAITING:
        end = f"{id_}: it could not be seen yet. `dmsa run {typed}` looks again."
    report(loaded, state, typed, as_json=as_json, end=end, signalled=signalled)
    raise typer.Exit(128 + signalled if signalled else int(code))


def _wait(loaded: Loaded, place: str, id_: str, open_: Callable[[MigrationState], bool]) -> RunState:
    """Wait until whoever drives has carried the word out, or has gone; return at once where nobody drives."""
    from orchestrator.cli.history import open_existing, replay
    from orchestrator.errors import InputInvalid

    told = False
    while True:
        journal = open_existing(place)
        if journal is None:
            raise InputInvalid(f"the journal {place} is gone")
        with contextlib.closing(journal):
            state, _ = replay(journal, loaded.plan.name)
            driver = journal.holder()
        if driver is None or not open_(state[id_]):
            return state
        if not told:
            typer.echo(f"{driver.holder} drives, and carries this out; waiting for it.", err=True)
            told = True
        time.sleep(_LOOK_EVERY)
