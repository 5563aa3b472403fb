"""The operator's words: ``hold``, ``release`` and ``release-host``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, As, JournalPlace, MirrorPlace, Only, PlanFile, Verbose, as_typed
from orchestrator.views.output import say

if TYPE_CHECKING:
    from orchestrator.model.run import RunState
    from orchestrator.model.state import MigrationState


def hold(
    plan: PlanFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")],
    only: Only = None,
    as_: As = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    verbose: Verbose = False,
) -> None:
    """Let nothing new begin for these migrations until they are released; a write that has left may still end.

    Without --only the whole plan. A runner on the same journal obeys at once; without one the next run does. What is
    held already, by whomever, stays as it is.

    Example: dmsa hold plans/quickstart.yaml --only main --reason "incident 4711"
    """
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.history import refuse_other_plan
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import select, speaker
    from orchestrator.model.event import Event, Held
    from orchestrator.model.lifecycle import FINAL
    from orchestrator.planfile import load_plan

    configure(verbose, "console")
    loaded = load_plan(plan)
    chosen, by = select(loaded.plan, only), speaker(loaded.plan, as_)

    fresh: list[str] = []

    def words(state: RunState) -> list[Event]:
        refuse_other_plan(state, loaded)
        fresh[:] = [id_ for id_ in chosen if state[id_].held is None and state[id_].phase not in FINAL]
        return [Held(migration=id_, reason="operator", detail=reason, release=_release(id_), by=by) for id_ in fresh]

    state = append_words(journal, loaded.plan.name, words, mirror)
    for id_ in chosen:
        say(f"{id_}: {_how_held(state[id_], fresh=id_ in fresh)}")
    _say_who_obeys(journal, state, tuple(fresh))


def release(
    plan: PlanFile,
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")],
    only: Only = None,
    forward: Annotated[
        bool,
        typer.Option("--forward", help="Turn a way back around: from reopened, or from rolled_back a new attempt."),
    ] = False,
    as_: As = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    verbose: Verbose = False,
) -> None:
    """Let held migrations go on: a runner on the same journal moves them at once, without one `dmsa run` does.

    Without --only the whole plan.

    Example: dmsa release plans/quickstart.yaml --only dmsa-report --reason "app01 is back"
    """
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.history import driver_of, refuse_other_plan
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import select, speaker
    from orchestrator.errors import PersonNeeded
    from orchestrator.model.event import Event, Released
    from orchestrator.model.lifecycle import Intention, Phase
    from orchestrator.planfile import load_plan
    from orchestrator.views.summary import advice

    configure(verbose, "console")
    loaded = load_plan(plan)
    chosen, by = select(loaded.plan, only), speaker(loaded.plan, as_)
    typed = as_typed(plan, journal, mirror)
    released: list[str] = []

    def may(state: MigrationState) -> bool:
        back = state.intention is Intention.BACK
        if forward and back and state.phase not in {Phase.REOPENED, Phase.ROLLED_BACK} and not state.back_not_begun:
            raise PersonNeeded(
                f"{state.id} is {state.phase} on its way back; forward it can only go from reopened or rolled_back. "
                f"Nothing was done. `dmsa rollback {typed} --only {state.id}` ends the way back first."
            )
        if not forward and state.held and state.held.reason == "undone":
            raise PersonNeeded(
                f"{state.id} was undone as asked. Nothing was done. Say where it shall go: "
                f"{advice(state.held.release, typed)}"
            )
        return state.held is not None or (forward and back)

    def words(state: RunState) -> list[Event]:
        refuse_other_plan(state, loaded)
        released[:] = [id_ for id_ in chosen if may(state[id_])]
        return [
            Released(migration=id_, by=by, reason=reason, forward=forward and state[id_].intention is Intention.BACK)
            for id_ in released
        ]

    state = append_words(journal, loaded.plan.name, words, mirror)
    driver = driver_of(journal)
    for id_ in chosen:
        phase = state[id_].phase
        freed = f"released; {driver or f'`dmsa run {typed}`'} goes on from {phase}"
        say(f"{id_}: {freed if id_ in released else f'not held: it is {phase}'}")


def release_host(
    plan: PlanFile,
    host: Annotated[str, typer.Argument(metavar="HOST", help="The host that is gone for good.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")],
    as_: As = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    verbose: Verbose = False,
) -> None:
    """Mark a host as lost: it counts as done from here on, also on the way back, and what is left there is named.

    Takes a second person: not the one who ran the last runner.

    Example: dmsa release-host plans/quickstart.yaml app02.corp.example --reason "scrapped, CHG4711" --as ann
    """
    from orchestrator.cli.backwards import append_words
    from orchestrator.cli.history import refuse_other_plan
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import speaker
    from orchestrator.errors import PersonNeeded
    from orchestrator.model.event import Event
    from orchestrator.model.words import HostReleased
    from orchestrator.planfile import load_plan

    configure(verbose, "console")
    loaded = load_plan(plan)
    by, typed = speaker(loaded.plan, as_), as_typed(plan, journal, mirror)
    lost: list[tuple[str, str]] = []

    def words(state: RunState) -> list[Event]:
        refuse_other_plan(state, loaded)
        lost[:] = _written_down(state, host)
        if not lost:
            raise PersonNeeded(
                f"no migration that is under way knows {host}. Nothing was done. A host of a migration that has not "
                f"begun is taken out of the plan: change the file, then `dmsa amend {typed}`."
            )
        if state.driver is not None and state.driver.casefold() == by.casefold():
            raise PersonNeeded(
                f"{by} ran this last, and it takes a second person to say that {host} is gone for good. Nothing was "
                "done."
            )
        return [
            HostReleased(migration=id_, host=name, by=by, reason=reason)
            for id_, name in lost
            if name not in state[id_].lost
        ]

    state = append_words(journal, loaded.plan.name, words, mirror)
    for id_, name in lost:
        held = state[id_].held
        goes_on = f"still held ({held.reason})" if held else f"`dmsa run {typed}` goes on without it"
        say(f"{id_}: {name} is lost; {goes_on}")


def _how_held(state: MigrationState, *, fresh: bool) -> str:
    """Say how a migration stands after the word; that of a second operator is not added to that of the first."""
    held = state.held
    if held is None:
        return f"not held: it is {state.phase}"
    if fresh:
        return f"held ({held.reason}): {held.detail}"
    by = f" by {held.by}" if held.by else ""
    return f"held already{by} ({held.reason}): {held.detail}. Your word was not added: one release lets it go on"


def _say_who_obeys(journal: str, state: RunState, ids: tuple[str, ...]) -> None:
    """Say who drives, and which writes had left before the word."""
    from orchestrator.cli.history import driver_of

    driver = driver_of(journal)
    if driver is None or not ids:
        return
    left = [
        f"{attempt.started.cmdlet} on {attempt.started.endpoint}" for id_ in ids for attempt in state[id_].open.values()
    ]
    say(f"{driver} drives, and begins nothing new for {'it' if len(ids) == 1 else 'them'}.")
    if left:
        say(f"Under way, and may still end: {', '.join(left)}.")


def _written_down(state: RunState, host: str) -> list[tuple[str, str]]:
    """Return the migrations that know a host and still have something to do, or may have, with the host's spelling."""
    from orchestrator.model.lifecycle import Phase

    return [
        (one.id, name)
        for one in state.migrations.values()
        if one.phase is not Phase.ROLLED_BACK and one.snapshot is not None
        for name in one.snapshot.hosts
        if name.lower() == host.lower()
    ]


def _release(id_: str) -> str:
    return f"`dmsa release PLAN --only {id_} --reason TEXT`"
