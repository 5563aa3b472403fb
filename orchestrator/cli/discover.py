"""``discover``: where accounts are used, and a plan drafted from it. Everything is read, and nothing is changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestrator.cli.options import (
    DEFAULT_HOSTS_AT_ONCE,
    DEFAULT_LOGONS_PER_SECOND,
    HostsAtOnce,
    Json,
    LogFormat,
    LogonsPerSecond,
    Verbose,
)

if TYPE_CHECKING:
    from orchestrator.discovery import Discovered


def discover(
    account: Annotated[
        list[str] | None,
        typer.Option("--account", metavar="ACCOUNT", help="An account, by DN or name; as often as needed."),
    ] = None,
    accounts: Annotated[
        Path | None, typer.Option("--accounts", metavar="FILE", help="Accounts, one a line, or CSV with a header.")
    ] = None,
    hosts: Annotated[
        Path | None, typer.Option("--hosts", metavar="FILE", help="Hosts, one a line, or CSV with a header.")
    ] = None,
    under: Annotated[
        list[str] | None,
        typer.Option("--under", metavar="OU", help="Computers below this DN, from the directory; as often as needed."),
    ] = None,
    estate: Annotated[
        Path | None,
        typer.Option("--estate", metavar="FILE", help="A plan, or another YAML file, with the `estate:` to ask."),
    ] = None,
    lab: Annotated[Path | None, typer.Option("--lab", metavar="ESTATE", help="A simulated estate to ask.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="PLAN", help="Where the drafted plan is written.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Where everything that was found is written as CSV.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The plan's name; default: that of its file, else discovered.")
    ] = None,
    path: Annotated[
        str | None,
        typer.Option("--path", metavar="OU", help="Where the dMSAs are created; default: the domain's."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    hosts_at_once: HostsAtOnce = DEFAULT_HOSTS_AT_ONCE,
    logons_per_second: LogonsPerSecond = DEFAULT_LOGONS_PER_SECOND,
    json: Json = False,
    verbose: Verbose = False,
    log_format: LogFormat = "console",
) -> None:
    """Find out where accounts are used, and draft a plan.

    Each host is asked for services, scheduled tasks and application pools that run under the accounts, in any spelling;
    the directory for SPNs, delegation, groups, the last log-on and the password's age. Comments of the draft say what
    a person has to decide. It only reads.

    Exit codes: 0 everything was read, 3 an input cannot be used, 4 something was not read, or nothing was found.

    Example: dmsa discover --lab plans/estates/quickstart.yaml --account 'CN=svc-erp,OU=Service
    Accounts,DC=corp,DC=example' --hosts hosts.txt -o plan.yaml
    """
    from orchestrator.cli.discover_asking import discovered
    from orchestrator.cli.discover_input import accounts_of, estate_of_file, hosts_of, moved, trial, units_of
    from orchestrator.cli.logs import configure
    from orchestrator.cli.signals import Signals
    from orchestrator.remote.traffic import Manners
    from orchestrator.views.working import on_terminal, working

    configure(verbose, log_format)
    if not account and accounts is None:
        raise typer.BadParameter("name accounts: --account DN or name, or --accounts FILE")
    if hosts is None and not under:
        raise typer.BadParameter("name hosts: --hosts FILE, or --under OU")
    if (estate is None) == (lab is None):
        raise typer.BadParameter("name the estate: --estate FILE, or --lab ESTATE; one of them")
    if out is not None and csv is not None and out.resolve() == csv.resolve():
        raise typer.BadParameter("-o and --csv are the same file")
    _free([out, csv], force=force)
    title = _title(name, out)
    source = estate or lab
    assert source is not None
    block = estate_of_file(estate) if estate else {"lab": source.name}
    wanted = accounts_of(account or (), accounts)
    units = units_of(under or ())
    listed = hosts_of(hosts) if hosts else ()
    loaded = trial(block, wanted, listed, source.resolve().parent, path)
    signals = Signals()
    manners = Manners(hosts_at_once, logons_per_second)
    with signals.heard(), working("asking", quiet=json or not on_terminal()) as work:
        found = discovered(loaded, wanted, listed, units, signals, manners, work)
    if found is None:
        typer.echo("Stopped before everything was read. Nothing was changed, nothing was written.", err=True)
        raise typer.Exit(128 + signals.number)
    there = moved(block, source.resolve().parent, out.parent) if out else block
    _tell(found, there, _Files(out, csv, title, path, force), as_json=json)


@dataclass(frozen=True)
class _Files:
    out: Path | None
    csv: Path | None
    title: str
    path: str | None
    force: bool


def _free(files: list[Path | None], *, force: bool) -> None:
    """Refuse to write over something before anything is asked."""
    from orchestrator.errors import InputInvalid

    for file in files:
        if file is not None and not force and (file.exists() or file.is_symlink()):
            raise InputInvalid(f"{file} is there already; nothing was asked. --force writes over it.")
        if file is not None and not file.resolve().parent.is_dir():
            raise InputInvalid(f"{file} cannot be written: there is no such folder. Nothing was asked.")


def _title(name: str | None, out: Path | None) -> str:
    from orchestrator.errors import InputInvalid

    if name is not None and not re.fullmatch(r"[a-z0-9-]{1,64}", name):
        raise InputInvalid(f"--name {name}: expected 1 to 64 of a-z, 0-9 and -. Nothing was asked.")
    made = re.sub(r"[^a-z0-9]+", "-", out.stem.lower()).strip("-")[:64] if out else ""
    return name or made or "discovered"


def _tell(found: Discovered, estate: dict[str, Any], files: _Files, *, as_json: bool) -> None:
    """Write the files, print what was found, and end with what it asks of a person."""
    from orchestrator.discovery import draft
    from orchestrator.errors import InputInvalid
    from orchestrator.planfile import PlanInvalid, parse_plan
    from orchestrator.views.discovery import discovery_csv, discovery_document, discovery_text
    from orchestrator.views.output import say, say_document

    drafted = files.out if found.movable else None
    if drafted is not None:
        text = draft(found, estate, files.title, files.path)
        try:
            parse_plan(text.encode(), str(drafted))
        except PlanInvalid as invalid:
            told = "\n".join(dict.fromkeys(one.message for one in invalid.problems))
            raise InputInvalid(f"what was found makes no plan with this estate; nothing was written:\n{told}") from None
        _write(drafted, text, force=files.force)
    if files.csv is not None:
        _write(files.csv, discovery_csv(found), force=files.force, encoding="utf-8-sig")
    document = discovery_document(found, str(drafted) if drafted else None)
    if as_json:
        say_document(document)
    else:
        say(discovery_text(document))
    if files.out is not None and drafted is None:
        typer.echo(f"dmsa: there is nothing to move, so {files.out} was not written.", err=True)
    raise typer.Exit(document["exit"])


def _write(file: Path, text: str, *, force: bool, encoding: str = "utf-8") -> None:
    """Write a file whole, and over none that came meanwhile."""
    from orchestrator.errors import InputInvalid

    try:
        if not force:
            with file.open("x", encoding=encoding, newline="") as fresh:
                fresh.write(text)
            return
        beside = file.with_name(f"{file.name}.new")
        with beside.open("w", encoding=encoding, newline="") as fresh:
            fresh.write(text)
        beside.replace(file)
    except OSError as error:
        raise InputInvalid(f"{file} cannot be written: {error.strerror or error}. Nothing was changed.") from error
