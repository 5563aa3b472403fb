"""Options that several verbs share, each with its one definition."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

PlanFile: TypeAlias = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan file.")]
JournalPlace: TypeAlias = Annotated[
    str,
    typer.Option(
        "--journal",
        envvar="DMSA_JOURNAL",
        metavar="URL",
        help="Where the run is written down: a path, sqlite:///path, or postgresql://user@host/database.",
    ),
]
DEFAULT_JOURNAL = ".dmsa/journal.db"
MirrorPlace: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        envvar="DMSA_MIRROR",
        metavar="FILE",
        help="Write every row to this file too, on a second disk or share; a lost journal is rebuilt from it.",
    ),
]
BrokerPlace: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--broker",
        envvar="DMSA_BROKER",
        metavar="URL",
        help="Who rings the runners of several sites: amqps://user@host/vhost, with the password in "
        "DMSA_BROKER_PASSWORD_FILE or DMSA_BROKER_PASSWORD.",
    ),
]
DEFAULT_HOSTS_AT_ONCE = 32
HostsAtOnce: TypeAlias = Annotated[
    int,
    typer.Option(
        "--hosts-at-once",
        envvar="DMSA_HOSTS_AT_ONCE",
        min=1,
        max=500,
        metavar="N",
        help="How many hosts are called at the same time; domain controllers are not counted.",
    ),
]
DEFAULT_LOGONS_PER_SECOND = 20
LogonsPerSecond: TypeAlias = Annotated[
    int,
    typer.Option(
        "--logons-per-second",
        envvar="DMSA_LOGONS_PER_SECOND",
        min=1,
        max=1000,
        metavar="N",
        help="How many log-ons to hosts begin in any second, and to each domain controller's own endpoint.",
    ),
]
DEFAULT_LEASE = 15.0
LeaseSeconds: TypeAlias = Annotated[
    float,
    typer.Option(
        "--lease",
        envvar="DMSA_LEASE",
        min=1,
        max=300,
        metavar="SECONDS",
        help="With a journal in PostgreSQL: after so long without a sign of this runner another may take over.",
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log every event on stderr; show tracebacks.")
]
LogFormat: TypeAlias = Annotated[
    Literal["console", "json"], typer.Option("--log-format", help="How logs on stderr are written.")
]
Only: TypeAlias = Annotated[
    str | None, typer.Option("--only", metavar="WAVE|DMSA|ACCOUNT", help="Only this wave, dMSA, or account (DN).")
]
All: TypeAlias = Annotated[bool, typer.Option("--all", help="Every migration of the plan.")]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="Yes, every one; needed with --all.")]
As: TypeAlias = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Speak as somebody else; on a simulated estate only.")
]
AcceptPasswordRisk: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--accept-password-risk",
        help="Begin although the account's password changed since the snapshot, or has expired; kept in the journal.",
    ),
]
Reason: TypeAlias = Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")]


def as_typed(plan: Path, journal: str, mirror: Path | None = None) -> str:
    """Return plan, journal and mirror as they would be given to the next command."""
    words = [str(plan)] if journal == DEFAULT_JOURNAL else [str(plan), "--journal", journal]
    return shlex.join(words if mirror is None else [*words, "--mirror", str(mirror)])
