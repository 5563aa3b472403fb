"""A whole cluster on loopback: PostgreSQL, RabbitMQ, a lab over the wire, and runners as processes of their own.

Each site logs on to hosts as somebody else, whatever host it calls: by that the far side's own record says whose runner
it was. All sites have the same plan; how hosts are reached is no part of what it says.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.cluster.definitions import DRIVER, user_of
from orchestrator.journal import open_journal
from orchestrator.lab.embedded import EmbeddedLab
from tests.cli.desk import hasten
from tests.cluster.hearing import eventually
from tests.postgres import PostgresServer
from tests.rabbit import PASSWORDS, Rabbit

SITES = ("emea", "apac")
DIRECTORY = "directory"
PROGRAM = (sys.executable, "-m", "orchestrator")
THRICE = (sys.executable, "-m", "tests.cluster.thrice")


def host_of(number: int) -> str:
    """Return the one host of a migration: every other one is emea's."""
    return f"{SITES[number % 2]}{number:03d}.corp.example"


def plan_of(migrations: int) -> dict[str, Any]:
    """Return a plan of one wave, each migration with one host, without its estate."""
    plan: dict[str, Any] = {
        "version": 1,
        "name": "several",
        "waves": [
            {
                "name": "all",
                "at_once": 40,
                "migrations": [
                    {
                        "account": f"CN=svc-{n:03d},OU=Service Accounts,DC=corp,DC=example",
                        "dmsa": {
                            "name": f"dmsa-{n:03d}",
                            "dns_host_name": f"dmsa-{n:03d}.corp.example",
                            "path": "OU=Managed,DC=corp,DC=example",
                        },
                        "hosts": [{"name": host_of(n), "services": [f"Svc{n:03d}"]}],
                    }
                    for n in range(migrations)
                ],
            }
        ],
    }
    hasten(plan)
    return plan


def estate_of(migrations: int) -> dict[str, Any]:
    """Return the estate of :func:`plan_of`; each site's runners log on as somebody of their own."""
    return {
        "name": "several",
        "domain": {"dns": "corp.example", "netbios": "CORP"},
        "clock": {"start": "2026-04-13T20:00:00Z"},
        "access": {"callers": [{"name": f"runner-{site}"} for site in SITES]},
        "dcs": [{"name": "dc01.corp.example"}],
        "ous": ["OU=Service Accounts,DC=corp,DC=example", "OU=Managed,DC=corp,DC=example"],
        "users": [{"dn": f"CN=svc-{n:03d},OU=Service Accounts,DC=corp,DC=example"} for n in range(migrations)],
        "hosts": [
            {"name": host_of(n), "services": [{"name": f"Svc{n:03d}", "log_on": f"CORP\\svc-{n:03d}"}]}
            for n in range(migrations)
        ],
    }


@dataclass
class Cluster:
    """Servers, lab and runners; everything ends with the context of :func:`cluster`."""

    folder: Path
    migrations: int
    postgres: PostgresServer
    rabbit: Rabbit
    lab: EmbeddedLab
    journal: str
    runners: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def plan(self, site: str) -> Path:
        """Write a plan as the runners of a site have it."""
        user, file = ("CORP\\operator", self.lab.state / "password")
        if site != DIRECTORY:
            user, file = (f"CORP\\runner-{site}", self.lab.state / "passwords" / f"runner-{site}")
        estate = {
            "simulated": True,
            "domain": "corp.example",
            "directory": {"endpoint": "dc01.corp.example", "server": "dc01.corp.example"},
            "addresses": self.lab.addresses,
            "sites": [{"name": name, "match": [f"{name}*"]} for name in SITES],
            "connections": [
                {
                    "match": "*",
                    "auth": "basic",
                    "username": user,
                    "password": f"${{file:{file}}}",
                    "tls": {"ca": str(self.lab.ca)},
                }
            ],
        }
        path = self.folder / f"plan-{site}.yaml"
        path.write_text(json.dumps({**plan_of(self.migrations), "estate": estate}))
        return path

    def start(self, name: str, *, program: tuple[str, ...] = PROGRAM) -> subprocess.Popen[bytes]:
        """Start a runner; its name is its site and a number, as in ``emea-1``."""
        site = name.partition("-")[0]
        user = DRIVER if site == DIRECTORY else user_of(site)
        words = ("runner", str(self.plan(site)), "--site", site)
        more = ("--lease", "5") if site == DIRECTORY else ()
        with (self.folder / f"{name}.log").open("ab") as log:
            self.runners[name] = subprocess.Popen(
                [*program, *words, *more, "--journal", self.journal, "--broker", self.rabbit.url(user)],
                env={**os.environ, "DMSA_BROKER_PASSWORD": PASSWORDS[user]},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.runners[name]

    def signal(self, name: str, number: int) -> None:
        self.runners[name].send_signal(number)
        if number == signal.SIGKILL:
            self.runners[name].wait()

    def said(self, name: str) -> str:
        """Return the end of what a runner has said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def arrived(self, cmdlet: str) -> int:
        """Return how often a cmdlet has arrived on the far side."""
        return (self.lab.state / "commands.jsonl").read_bytes().count(f'"cmdlet": "{cmdlet}"'.encode())

    def until_arrived(self, cmdlet: str, times: int) -> None:
        def there() -> bool:
            assert self.runners, "nobody runs"
            return self.arrived(cmdlet) >= times

        eventually(there, 3600)

    def is_driven(self) -> bool:
        """Whether somebody holds the journal's lease."""
        with contextlib.closing(open_journal(self.journal, create=False, read_only=True)) as journal:
            return journal.holder() is not None

    def outcomes(self) -> list[tuple[str, str | None]]:
        """Return the cmdlet of each write of the one migration, in order, with what came of it; None: nothing yet."""
        with contextlib.closing(open_journal(self.journal, create=False, read_only=True)) as journal:
            rows = list(journal.read())
        ends = iter([row.body["outcome"] for row in rows if row.kind == "attempt-finished"])
        return [(row.body["cmdlet"], next(ends, None)) for row in rows if row.kind == "attempt-started"]

    def callers(self) -> set[tuple[str, str]]:
        """Return who has opened shells at the hosts of which site, by the record of the hosts themselves."""
        rows = map(json.loads, (self.lab.state / "visits.jsonl").read_text().splitlines())
        return {
            (row["host"][:4], row["by"].rpartition("\\")[2].lower())
            for row in rows
            if row["what"] == "shell-opened" and row["host"][:4] in SITES
        }


@contextlib.contextmanager
def cluster(folder: Path, migrations: int, *weather: dict[str, Any]) -> Iterator[Cluster]:
    """Start everything but the runners, on an estate under this weather."""
    folder.mkdir(parents=True, exist_ok=True)
    estate = folder / "estate.yaml"
    estate.write_text(json.dumps({**estate_of(migrations), "weather": list(weather)}))
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer())
        rabbit = stack.enter_context(Rabbit(folder / "rabbitmq"))
        lab = stack.enter_context(EmbeddedLab(estate, folder / "lab"))
        found = Cluster(folder, migrations, postgres, rabbit, lab, postgres.journal())
        try:
            yield found
        finally:
            for runner in found.runners.values():
                runner.kill()
                runner.wait()
