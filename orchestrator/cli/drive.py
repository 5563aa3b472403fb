"""The verbs that move migrations: ``run`` forward, ``undo``, ``reset`` and ``rollback`` back."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.farewell import amended_meanwhile, report
from orchestrator.cli.options import (
    DEFAULT_HOSTS_AT_ONCE,
    DEFAULT_JOURNAL,
    DEFAULT_LEASE,
    DEFAULT_LOGONS_PER_SECOND,
    AcceptPasswordRisk,
    All,
    BrokerPlace,
    HostsAtOnce,
    JournalPlace,
    Json,
    LeaseSeconds,
    LogFormat,
    LogonsPerSecond,
    MirrorPlace,
    Only,
    PlanFile,
    Reason,
    Verbose,
    Yes,
    as_typed,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from orchestrator.conductor import Conductor
    from orchestrator.journal import Lease
    from orchestrator.model.event import Event
    from orchestrator.model.lifecycle import Phase
    from orchestrator.model.plan import Plan
    from orchestrator.model.run import RunState
    from orchestrator.planfile import Loaded
    from orchestrator.remote.traffic import Manners


def run(
    plan: PlanFile,
    only: Only = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="PHASE", help="Stop each migration at this phase.")
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Stay for weeks: until everything is completed, or rolled back."),
    ] = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    stand_by: Annotated[
        bool, typer.Option("--stand-by", help="With --watch: while another runner drives, wait, and then take over.")
    ] = False,
    lease: LeaseSeconds = DEFAULT_LEASE,
    broker: BrokerPlace = None,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Move forward everything that may move; the same command resumes after any interruption.

    Waits for what is due within ten minutes (on a lab estate, for everything that has a due time). With --watch it
    stays, also while everything is held or waits for people, and does what other terminals say on the same journal:
    hold, release, undo, reset, rollback.

    Exit codes: 0 done, 4 a person is needed, 5 failures, 6 another runner drives, 7 waiting.

    Example: dmsa run plans/quickstart.yaml
    """
    from orchestrator.cli.history import refuse_collisions
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import select
    from orchestrator.engine.outcome import exit_of
    from orchestrator.planfile import load_plan
    from orchestrator.remote.traffic import Manners

    configure(verbose, log_format)
    if stand_by and not watch:
        raise typer.BadParameter("--stand-by goes with --watch: a runner that takes over also stays")
    loaded = load_plan(plan)
    phase = _phase(until)
    chosen, manners = select(loaded.plan, only), Manners(hosts_at_once, logons_per_second)
    refuse_collisions(loaded, journal, chosen)
    state, signalled = conduct(
        loaded,
        journal,
        chosen,
        phase,
        watch=watch,
        quiet=json,
        mirror=mirror,
        manners=manners,
        stand_by=stand_by,
        lease=lease,
        broker=broker,
    )
    typed = as_typed(plan, journal, mirror)
    if state.digest != loaded.digest and not signalled:
        amended_meanwhile(loaded, state, plan, typed, as_json=json)
    code = exit_of(state, loaded.plan, chosen, phase)
    partly = code == 0 and exit_of(state, loaded.plan) != 0
    end = f"What was selected is done. `dmsa run {typed}` goes on with the rest." if partly else None
    report(loaded, state, typed, as_json=json, signalled=signalled, end=end)
    raise typer.Exit(128 + signalled if signalled else int(code))


def undo(
    plan: PlanFile,
    only: Only = None,
    all_: All = False,
    yes: Yes = False,
    reason: Reason = "",
    accept_password_risk: AcceptPasswordRisk = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    broker: BrokerPlace = None,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Go one phase back: from completed to the started side, from the started side to unlinked.

    Exit codes: 0 reached, 4 a person is needed, 5 something stays down, 7 waiting.

    Example: dmsa undo plans/quickstart.yaml --only dmsa-report --reason "service slow"
    """
    at_once = (hosts_at_once, logons_per_second)
    _go_back(
        _WayBack("undo", plan, only, all_, yes, reason, accept_password_risk, journal, mirror, at_once, broker),
        json,
        verbose,
        log_format,
    )


def reset(
    plan: PlanFile,
    only: Only = None,
    all_: All = False,
    yes: Yes = False,
    reason: Reason = "",
    accept_password_risk: AcceptPasswordRisk = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    broker: BrokerPlace = None,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Unlink the pair at once, from wherever it is linked.

    Exit codes: 0 reached, 4 a person is needed, 5 something stays down, 7 waiting.

    Example: dmsa reset plans/quickstart.yaml --only dmsa-report --reason "wrong account"
    """
    at_once = (hosts_at_once, logons_per_second)
    _go_back(
        _WayBack("reset", plan, only, all_, yes, reason, accept_password_risk, journal, mirror, at_once, broker),
        json,
        verbose,
        log_format,
    )


def rollback(
    plan: PlanFile,
    only: Only = None,
    all_: All = False,
    yes: Yes = False,
    reason: Reason = "",
    accept_password_risk: AcceptPasswordRisk = False,
    journal: JournalPlace = DEFAULT_JOURNAL,
    mirror: MirrorPlace = None,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    broker: BrokerPlace = None,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Go all the way back: accounts, hosts and services as they were, compared with the snapshot.

    Exit codes: 0 reached, 4 a person is needed, 5 something stays down, 7 waiting.

    Example: dmsa rollback plans/quickstart.yaml --all --yes
    """
    at_once = (hosts_at_once, logons_per_second)
    _go_back(
        _WayBack("rollback", plan, only, all_, yes, reason, accept_password_risk, journal, mirror, at_once, broker),
        json,
        verbose,
        log_format,
    )


@dataclass(frozen=True)
class _WayBack:
    """A way back as it was typed."""

    verb: str
    plan: Path
    only: str | None
    every: bool
    yes: bool
    reason: str
    accept_password_risk: bool
    journal: str
    mirror: Path | None
    at_once: tuple[int, int]
    broker: str | None


def _go_back(typed: _WayBack, json: bool, verbose: bool, log_format: str) -> None:
    verb, plan, journal, mirror = typed.verb, typed.plan, typed.journal, typed.mirror
    if (typed.only is None) == (not typed.every) or (typed.every and not typed.yes):
        raise typer.BadParameter(f"say which: `{verb} PLAN --only NAME`, or `{verb} PLAN --all --yes` for every one")
    from orchestrator.cli.backwards import ask_way_back, reached_of, way_back_end
    from orchestrator.cli.logs import configure
    from orchestrator.cli.selection import select
    from orchestrator.errors import Exit
    from orchestrator.model.lifecycle import Way
    from orchestrator.planfile import load_plan
    from orchestrator.remote.traffic import Manners

    configure(verbose, log_format)
    loaded = load_plan(plan)
    chosen = select(loaded.plan, typed.only)
    way = Way(verb)
    asked = ask_way_back(
        loaded, journal, chosen, way, typed.reason, mirror, accept_password_risk=typed.accept_password_risk
    )
    state, signalled = asked.state, 0
    if asked.ids and asked.driver is not None:
        typer.echo(f"{asked.driver} drives, and carries this out; waiting for it.", err=True)
        try:
            state = asked.wait()
        except KeyboardInterrupt:
            typer.echo(f"No longer waiting; {asked.driver} still carries it out.", err=True)
            raise typer.Exit(130) from None
    if asked.ids and reached_of(state, asked.ids, way) is Exit.WAITING:
        state, signalled = conduct(
            loaded,
            journal,
            asked.ids,
            None,
            watch=False,
            quiet=json,
            mirror=mirror,
            manners=Manners(*typed.at_once),
            broker=typed.broker,
        )
    code, again = reached_of(state, asked.ids, way), as_typed(plan, journal, mirror)
    if code is Exit.WAITING and state.digest != loaded.digest and not signalled:
        amended_meanwhile(loaded, state, plan, again, as_json=json)
    end = way_back_end(state, way, asked.ids, chosen, code)
    report(loaded, state, again, as_json=json, end=end, signalled=signalled)
    raise typer.Exit(128 + signalled if signalled else int(code))


def _phase(until: str | None) -> Phase | None:
    from orchestrator.model.lifecycle import PATH

    if until is None:
        return None
    for phase in PATH:
        if phase.value == until:
            return phase
    raise typer.BadParameter(f"--until {until}: expected one of {', '.join(PATH)}")


def conduct(
    loaded: Loaded,
    place: str,
    chosen: tuple[str, ...],
    until: Phase | None,
    *,
    watch: bool,
    quiet: bool,
    mirror: Path | None,
    enough: Callable[[RunState], bool] = lambda _run: False,
    duty: Callable[[Conductor], object] | None = None,
    terms: Callable[[Plan], Plan] = lambda plan: plan,
    manners: Manners | None = None,
    notifying: bool = True,
    stand_by: bool = False,
    lease: float = DEFAULT_LEASE,
    broker: str | None = None,
) -> tuple[RunState, int]:
    """Drive until nothing moves or it is *enough*, showing what happens; return the state and the signal that ended it.

    The signal is 0 where none did. *duty* is done instead of driving forward, the rest is as in ``conducting``. With
    *watch* it waits for whatever is due, and a runner without a duty of its own stays; with *stand_by* it waits also
    while another drives. *broker* rings the runners of other sites.
    """
    from orchestrator.cli.compose import conducting
    from orchestrator.cli.signals import Signals
    from orchestrator.cli.staying import Attendant, broken_on_the_way, in_spite_of_the_journal, standing_by
    from orchestrator.views.progress import watching

    signals = Signals()
    conductor: Conductor

    def notice(event: Event, at: datetime | None) -> None:
        progress.notice(event, at)
        if enough(conductor.state):
            conductor.stop()

    typed = as_typed(loaded.path, place, mirror)
    view = watching(terms(loaded.plan), quiet=quiet, chosen=chosen, until=until, command=typed)
    with signals.heard(), view as progress:
        attendant = Attendant(loaded.plan, chosen, until, progress.rest) if watch and duty is None else None

        def taking(acquire: Callable[[], Lease]) -> Lease:
            return standing_by(acquire, attendant) if stand_by and attendant else acquire()

        def drive() -> RunState:
            nonlocal conductor
            with (
                conducting(
                    loaded,
                    place,
                    chosen,
                    notice,
                    until,
                    watch=watch,
                    mirror=mirror,
                    terms=terms,
                    manners=manners,
                    notifying=notifying,
                    attending=attendant,
                    lease_for=lease,
                    taking=taking,
                    broker=broker,
                ) as conductor,
                signals.stopping(conductor.stop),
            ):
                progress.begin(conductor.state)
                with broken_on_the_way() if attendant else contextlib.nullcontext():
                    return conductor.run(duty)

        state = (
            drive() if attendant is None else in_spite_of_the_journal(drive, attendant, lambda: bool(signals.number))
        )
    if conductor.time_unread and not any(one.held for one in state.migrations.values()):
        typer.echo(
            f"Estate time could not be read: {conductor.time_unread}. Nothing that waits for a time, or for a window, "
            "goes on before it can be.",
            err=True,
        )
    return state, signals.number
