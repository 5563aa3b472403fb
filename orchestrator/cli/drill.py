"""``drill``: forward to a phase and back, timed, with a certificate; and the history of drills."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

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
    MirrorPlace,
    Only,
    PlanFile,
    Verbose,
    as_typed,
)

if TYPE_CHECKING:
    from orchestrator.cli.drill_stage import Stage
    from orchestrator.cli.there_and_back import Order, ThereAndBack
    from orchestrator.model.lifecycle import Phase
    from orchestrator.model.run import RunState
    from orchestrator.remote.traffic import Manners


def drill(
    plan: PlanFile,
    only: Only = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="PHASE", help="How far; default: as far as it goes without people.")
    ] = None,
    on: Annotated[
        Literal["lab"] | None,
        typer.Option("--on", help="lab: not on the real estate, but on one built from its snapshot."),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FILE", help="To this file too, .html or .json."),
    ] = None,
    history: Annotated[bool, typer.Option("--history", help="Show the drills that there were; do nothing.")] = False,
    reissue: Annotated[
        int | None,
        typer.Option("--reissue", min=1, metavar="N", help="Write drill N's certificate again; do nothing else."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for whatever is due, however far ahead.")] = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Try the way back before it is needed: forward to a phase and back, every leg timed, with a certificate.

    It begins only where all is well, and always goes back, however far it came. On a real estate only migrations with
    `drill: true` are drilled, by default to restarted; on a lab any, to completed. The same command goes on after an
    interruption. `dmsa journal verify --certificate FILE` checks the certificate.

    Exit codes: 0 restored, 4 a person is needed, 5 all as it was, but cut short, 6 another runner drives, 7 waiting.

    Example: dmsa drill plans/quickstart.yaml
    """
    from orchestrator.cli.certified import filed, show_history, suffix_of, unfiled
    from orchestrator.cli.drill_stage import lab_numbered, stage, stage_on_lab, stages_on_lab
    from orchestrator.cli.logs import configure
    from orchestrator.planfile import load_plan
    from orchestrator.remote.traffic import Manners

    configure(verbose, log_format)
    phase, wanted, loaded = _phase(to), suffix_of(certificate), load_plan(plan)
    if history:
        show_history(loaded, stages_on_lab(loaded, journal) if on else [stage(loaded, journal)], as_json=json)
        return
    options = [*(["--only", only] if only else []), *(["--to", to] if to else []), *(["--on", on] if on else [])]
    typed = " ".join(filter(None, (as_typed(plan, journal, mirror), shlex.join(options))))
    if reissue is not None:
        staged = lab_numbered(loaded, journal, reissue) if on else stage(loaded, journal)
        raise typer.Exit(filed(staged, reissue, wanted, as_json=json, again=True))
    staged = stage_on_lab(loaded, journal) if on else stage(loaded, journal)
    number = unfiled(staged, staged.state())
    if number is None:
        manners = Manners(hosts_at_once, logons_per_second)
        number = _drilled(staged, only, phase, typed, manners, watch=watch, mirror=mirror, as_json=json)
    else:
        typer.echo(f"Drill {number} had ended, and lacked its certificate. The same command begins another.", err=True)
    raise typer.Exit(filed(staged, number, wanted, as_json=json, again=False))


def _phase(to: str | None) -> Phase | None:
    from orchestrator.model.lifecycle import PATH

    found = next((phase for phase in PATH[1:] if phase.value == to), None)
    if to is not None and found is None:
        raise typer.BadParameter(f"--to {to}: expected one of {', '.join(PATH[1:])}")
    return found


def _drilled(
    staged: Stage,
    only: str | None,
    to: Phase | None,
    typed: str,
    manners: Manners,
    *,
    watch: bool,
    mirror: Path | None,
    as_json: bool,
) -> int:
    """Drill, or go on with the drill that is under way; return its number once it has ended."""
    from orchestrator.cli.drive import conduct
    from orchestrator.cli.history import refuse_collisions
    from orchestrator.cli.there_and_back import ThereAndBack

    order = _order(staged, only, to, as_json=as_json)
    refuse_collisions(staged.loaded, staged.place, order.ids)
    duty = ThereAndBack(order)
    state, signalled = conduct(
        staged.loaded,
        staged.place,
        order.ids,
        order.to,
        watch=watch,
        quiet=as_json,
        mirror=None if staged.rehearsed else mirror,
        duty=duty,
        terms=staged.terms,
        manners=manners,
        notifying=not staged.rehearsed,
    )
    if signalled:
        typer.echo(f"Stopped by {signal.Signals(signalled).name}. `dmsa drill {typed}` goes on from here.", err=True)
        raise typer.Exit(128 + signalled)
    if duty.troubles:
        _not_well(duty, typed)
    if state.drill is not None or state.digest != staged.loaded.digest:
        _not_ended(state, order, typed, amended=state.digest != staged.loaded.digest)
    return state.drills


def _order(staged: Stage, only: str | None, to: Phase | None, *, as_json: bool) -> Order:
    """Return what is to be drilled: what the journal says was begun, or else what the command says.

    Raises:
        InputInvalid: it may not be drilled, or something else was begun.
        PersonNeeded: it is in a run.
    """
    from datetime import UTC, datetime

    from orchestrator import __version__
    from orchestrator.cli.selection import who
    from orchestrator.cli.there_and_back import Order, refuse_unfree
    from orchestrator.engine.drill import furthest

    plan, state = staged.terms(staged.loaded.plan), staged.state()
    begun = state.drill
    if begun is not None:
        ids, phase = begun.migrations, begun.to
        staged.refuse_another(begun, only, to)
        if not as_json:
            typer.echo(f"Drill {begun.number} of {', '.join(ids)} to {phase} is under way, and goes on.", err=True)
    else:
        ids = staged.drillable(only)
        refuse_unfree(state, ids, as_typed(staged.loaded.path, staged.place))
        phase = to or furthest(plan, ids, patient=plan.is_lab)
    return Order(
        ids=ids,
        to=phase,
        by=who(),
        tool=__version__,
        clock=lambda: datetime.now(UTC),
        estate="lab" if plan.is_lab else "real",
        origin=staged.origin,
        number=staged.number,
    )


def _not_well(duty: ThereAndBack, typed: str) -> NoReturn:
    from orchestrator.errors import PersonNeeded

    said = "\n".join(f"  {id_}: {trouble}" for id_, troubles in duty.troubles.items() for trouble in troubles)
    raise PersonNeeded(
        f"no drill was begun, for not everything is well:\n{said}\nNothing was changed. Mend this first, then "
        f"`dmsa drill {typed}`; or drill the others with --only."
    )


def _not_ended(state: RunState, order: Order, typed: str, *, amended: bool) -> NoReturn:
    """Say what the drill waits for, and end with 7: what was begun is written down, and goes on."""
    waits = sorted(
        f"  {id_}: waits for {one.waiting_for}{_until(one.until)}: {one.detail}"
        for id_ in order.ids
        for one in state[id_].waits.values()
    )
    why = ["The plan was amended while it ran, and the runner stopped in good order."] if amended else waits
    said = "\n".join(["The drill has not ended; nothing failed.", *why])
    typer.echo(f"{said}\n`dmsa drill {typed}` goes on{' with the plan as amended' if amended else ''}.", err=True)
    raise typer.Exit(7)


def _until(until: object) -> str:
    from datetime import datetime

    from orchestrator.views.status import iso

    return f" until {iso(until)}" if isinstance(until, datetime) else ""
