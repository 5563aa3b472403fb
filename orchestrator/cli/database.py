"""``journal create`` and ``upgrade``: the journal in a PostgreSQL database, made and kept up to date by its owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from orchestrator.views.output import say

if TYPE_CHECKING:
    from orchestrator.journal.postgres_schema import Granted
    from orchestrator.journal.postgres_server import Server

Database: TypeAlias = Annotated[
    str,
    typer.Option(
        "--journal", envvar="DMSA_JOURNAL", metavar="URL", help="The database: postgresql://owner@host/database."
    ),
]
RunnerRole: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--runner-role", metavar="NAME", help="May drive and speak: append rows, hold the lease; made where missing."
    ),
]
ReaderRole: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--reader-role", metavar="NAME", help="May only look: status, report, board; made where missing."),
]
SiteRole: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--site-role",
        metavar="SITE=NAME",
        help="May serve that site and nothing else: claim and hand in its calls; made where missing.",
    ),
]


def create(
    journal: Database, runner_role: RunnerRole = None, reader_role: ReaderRole = None, site_role: SiteRole = None
) -> None:
    """Begin a journal in a PostgreSQL database that is there, as whoever will own it. Nothing is overwritten.

    Roles get what they need and nothing that changes or removes a row, and timeouts, so that a runner that is cut off
    keeps no lock. They have no password: give them one, or a certificate, as your site does it.

    Example: dmsa journal create --journal postgresql://owner@localhost/dmsa --runner-role dmsa_runner
    """
    from orchestrator.journal.opening import database

    server = database(journal)
    from orchestrator.journal.postgres_schema import create as make

    roles, sites = _roles(runner_role, reader_role), _sites(site_role)
    make(server, roles)
    _let_serve(server, sites)
    say(f"{journal}: an empty journal{_told(roles, sites)}")


def upgrade(
    journal: Database, runner_role: RunnerRole = None, reader_role: ReaderRole = None, site_role: SiteRole = None
) -> None:
    """Bring the schema of a journal in PostgreSQL up to this version, and grant every role what it needs now.

    Runners of an older version refuse a journal that is newer than they are: end them first.

    Example: dmsa journal upgrade --journal postgresql://owner@localhost/dmsa --reader-role dmsa_reader
    """
    from orchestrator.journal.opening import database

    server = database(journal)
    from orchestrator.journal.postgres_schema import upgrade as bring_up

    roles, sites = _roles(runner_role, reader_role), _sites(site_role)
    applied = bring_up(server, roles)
    _let_serve(server, sites)
    done = f"applied {', '.join(applied)}" if applied else "up to date"
    say(f"{journal}: {done}{_told(roles, sites)}")


def _roles(runners: list[str] | None, readers: list[str] | None) -> list[Granted]:
    from orchestrator.journal.postgres_schema import Granted

    return [*(Granted("runner", name) for name in runners or ()), *(Granted("reader", name) for name in readers or ())]


def _sites(given: list[str] | None) -> list[tuple[str, str]]:
    """Return sites with the names of their roles."""
    found = []
    for words in given or ():
        site, equals, role = words.rpartition("=")
        if not (site and equals and role):
            raise typer.BadParameter(f"--site-role {words}: it is written SITE=NAME, such as emea=dmsa_emea")
        found.append((site, role))
    return found


def _let_serve(server: Server, sites: list[tuple[str, str]]) -> None:
    if sites:
        from orchestrator.journal.postgres_jobs import let_serve

        let_serve(server, sites)


def _told(roles: list[Granted], sites: list[tuple[str, str]]) -> str:
    may = {"runner": "may drive and speak", "reader": "may look"}
    said = [f"; {one.role} {may[one.kind]}" for one in roles]
    return "".join([*said, *(f"; {role} may serve site {site}" for site, role in sites)])
