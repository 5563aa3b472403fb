"""``runner``: serve a site of a cluster; of the directory's site, drive."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import (
    DEFAULT_HOSTS_AT_ONCE,
    DEFAULT_JOURNAL,
    DEFAULT_LEASE,
    DEFAULT_LOGONS_PER_SECOND,
    BrokerPlace,
    HostsAtOnce,
    JournalPlace,
    LeaseSeconds,
    LogFormat,
    LogonsPerSecond,
    PlanFile,
    Verbose,
)

if TYPE_CHECKING:
    from orchestrator.model.sites import Sites
    from orchestrator.planfile import Loaded
    from orchestrator.remote.traffic import Manners

DEFAULT_SLOTS = 32
"""As many as hosts are called at the same time."""


def runner(
    plan: PlanFile,
    site: Annotated[str, typer.Option("--site", metavar="NAME", help="A site of the plan, or directory.")],
    slots: Annotated[
        int, typer.Option("--slots", min=1, max=500, metavar="N", help="How many calls it carries at the same time.")
    ] = DEFAULT_SLOTS,
    journal: JournalPlace = DEFAULT_JOURNAL,
    broker: BrokerPlace = None,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    lease: LeaseSeconds = DEFAULT_LEASE,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Serve a site: carry the calls to its hosts, for whoever drives. It decides nothing and writes no history.

    With --site directory it drives, as `dmsa run --watch --stand-by`: one such runner at a time, the others wait to
    take over. SIGTERM ends it in good order: it hears nothing new, and what is under way ends.

    Exit codes: 0 told to end, and ended in good order; of the directory's site those of `dmsa run`.

    Example: dmsa runner plans/erp.yaml --site emea --journal postgresql://emea@db.corp.example/dmsa
    """
    from orchestrator.cli.logs import configure
    from orchestrator.cli.over_sites import refuse_a_file
    from orchestrator.errors import InputInvalid
    from orchestrator.model.sites import DIRECTORY, Sites
    from orchestrator.planfile import load_plan
    from orchestrator.remote.traffic import Manners

    configure(verbose, log_format)
    loaded = load_plan(plan)
    sites, manners = Sites(loaded.plan), Manners(hosts_at_once, logons_per_second)
    if site not in {DIRECTORY, *sites.names}:
        names = ", ".join([*sites.names, DIRECTORY])
        raise InputInvalid(f"--site {site}: {loaded.plan.name} has no such site. It has {names}. Nothing was done.")
    if broker is None:
        raise typer.BadParameter("a runner needs --broker (or DMSA_BROKER): by it, it hears what there is to do")
    refuse_a_file(journal)
    if site == DIRECTORY:
        from orchestrator.cli.drive import run

        run(
            plan,
            watch=True,
            stand_by=True,
            journal=journal,
            broker=broker,
            hosts_at_once=hosts_at_once,
            logons_per_second=logons_per_second,
            lease=lease,
            verbose=verbose,
            log_format=log_format,
        )
    _serve(loaded, sites, site, slots, journal, broker, manners)


def _serve(loaded: Loaded, sites: Sites, site: str, slots: int, place: str, broker: str, manners: Manners) -> None:
    from orchestrator.cli.notify_socket import NotifySocket
    from orchestrator.cli.ringing import engine_at
    from orchestrator.cli.selection import this_runner
    from orchestrator.cli.signals import Signals
    from orchestrator.clock import lasting
    from orchestrator.cluster.hand import Hand
    from orchestrator.cluster.serving import serve
    from orchestrator.errors import InputInvalid
    from orchestrator.journal import open_jobs
    from orchestrator.remote.connection import Connections
    from orchestrator.remote.psrp import PsrpTransport
    from orchestrator.remote.traffic import Traffic

    plan = loaded.plan
    if plan.estate.lab is not None:
        raise InputInvalid(
            f"the estate of {plan.name} is a lab inside of the runner that drives, which no other can reach. Nothing "
            "was done. `dmsa lab serve` makes one that several runners reach."
        )
    connections = Connections(plan.estate, loaded.directory)
    signals, alive = Signals(), NotifySocket()

    def until() -> bool:
        alive.beats()
        return bool(signals.number)

    with (
        signals.heard(),
        contextlib.closing(PsrpTransport(connections.settings, clock=lasting, traffic=Traffic(manners))) as transport,
        contextlib.closing(open_jobs(place)) as jobs,
        contextlib.closing(engine_at(broker, f"{this_runner()} site {site}")) as engine,
    ):
        hand = Hand(plan.name, site, sites, jobs, transport, this_runner())
        many = len(sites.hosts(site))
        typer.echo(f"dmsa: serves site {site} of {plan.name}: {many} hosts, {slots} slots", err=True)
        with signals.stopping(hand.drain):
            serve(hand, jobs, engine, slots, until)
    typer.echo(f"dmsa: site {site} is no longer served from here; nothing is under way", err=True)
