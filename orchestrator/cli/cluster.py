"""``cluster``: what a broker needs for a plan, and who is there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, BrokerPlace, JournalPlace, Json, PlanFile
from orchestrator.views.output import say, say_document

if TYPE_CHECKING:
    from orchestrator.remote.engine import SiteHealth
    from orchestrator.views.cluster import Found

app = typer.Typer(help="Runners of several sites.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def definitions(
    plan: PlanFile,
    vhost: Annotated[str, typer.Option("--vhost", metavar="NAME", help="The broker's virtual host.")] = "dmsa",
) -> None:
    """Print what a RabbitMQ needs for a plan: virtual host, queues and permissions, for `rabbitmqctl`.

    Each site's user may read its own queue and nothing else; the driver's may write to the queues and read none. The
    users are made before, each with its password: dmsa-driver, and dmsa-SITE for each site.

    Example: dmsa cluster definitions plans/erp.yaml > definitions.json
    """
    from orchestrator.cluster.definitions import definitions as wanted
    from orchestrator.model.sites import Sites
    from orchestrator.planfile import load_plan

    say_document(dict(wanted(Sites(load_plan(plan).plan).names, vhost)))


@app.command()
def status(
    plan: PlanFile,
    journal: JournalPlace = DEFAULT_JOURNAL,
    broker: BrokerPlace = None,
    json: Json = False,
) -> None:
    """Show who drives, which runners each site has, what waits for them, and what to do where somebody is missing.

    Runners show themselves in the journal's database; with --broker it also says who listens there and how many rings
    wait. Exits with 4 where somebody or something is missing.

    Example: dmsa cluster status plans/erp.yaml --journal postgresql://ops@db.corp.example/dmsa
    """
    from orchestrator.views.cluster import cluster_document, cluster_text

    document = cluster_document(_found(plan, journal, broker))
    say_document(document) if json else say(cluster_text(document))
    raise typer.Exit(document["exit"])


@app.command("try")
def try_(
    plan: PlanFile,
    runners: Annotated[int, typer.Option("--runners", min=1, max=4, metavar="N", help="How many for each site.")] = 1,
) -> None:
    """Run a plan with a simulated estate by runners of several sites, all on this machine: for trying out.

    Starts PostgreSQL and RabbitMQ from the installed packages, on loopback and in a temporary folder, the lab, and
    runners for each site; drives the run, shows it, and takes everything down at its end or on Ctrl-C.

    Example: dmsa cluster try plans/several-sites.yaml
    """
    from orchestrator.cli.trying import tried

    raise typer.Exit(tried(plan, runners))


def _found(plan: Path, journal: str, broker: str | None) -> Found:
    from orchestrator.cli.options import as_typed
    from orchestrator.cli.over_sites import refuse_a_file
    from orchestrator.journal import open_jobs, open_journal
    from orchestrator.model.sites import Sites
    from orchestrator.planfile import load_plan
    from orchestrator.views.cluster import Found

    loaded = load_plan(plan)
    refuse_a_file(journal)

    sites = Sites(loaded.plan)
    health, unheard = _asked(broker, sites.names) if broker else (None, None)
    with (
        closing(open_journal(journal, create=False, read_only=True)) as opened,
        closing(open_jobs(journal)) as jobs,
    ):
        return Found(
            plan=loaded.plan.name,
            typed=as_typed(plan, journal) + (f" --broker {broker}" if broker else ""),
            hosts={site: len(sites.hosts(site)) for site in sites.names},
            present=jobs.present(),
            oldest=jobs.oldest(),
            driver=opened.holder(),
            health=health,
            unheard=unheard,
        )


def _asked(broker: str, sites: tuple[str, ...]) -> tuple[Mapping[str, SiteHealth] | None, str | None]:
    from orchestrator.cli.ringing import engine_at
    from orchestrator.remote.engine import EngineUnreachable

    try:
        return engine_at(broker, "dmsa cluster status").health(sites), None
    except EngineUnreachable as error:
        return None, f"{error}"
