"""``board``: the live page, read-only."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import DEFAULT_JOURNAL, JournalPlace, as_typed

if TYPE_CHECKING:
    from orchestrator.board.door import Key
    from orchestrator.board.follower import Follower
    from orchestrator.board.serving import Place

SHORTEST = 32
"""How many characters a token has at least: nobody counts how often one is guessed."""


def board(
    plans: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PLAN...]", help="The plan files; without any, every run of the journal."),
    ] = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 for any that is free.")] = 8443,
    names: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="HOST[:PORT]", help="A name under which browsers reach it; several are possible."
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="The certificate, with its chain (PEM).")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key (PEM).")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", metavar="FILE", help="The file that holds the token.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="REFERENCE",
            help="Or where else: '${env:NAME}', '${file:PATH}', '${keyring:SERVICE/USER}'.",
        ),
    ] = None,
    journal: JournalPlace = DEFAULT_JOURNAL,
) -> None:
    """Serve a live page of where everything stands, for browsers; it only reads, and nothing can be changed from it.

    It follows the journal, also one that another process writes or will begin. What needs a person is told with the
    exact command. It listens on this machine only; at any other address it needs a certificate and a token.

    Exit codes: 2 it would be reached from elsewhere without TLS or token; 3 plan, certificate, token or address cannot
    be used; 130 and 143 after SIGINT and SIGTERM.

    Example: dmsa board plans/quickstart.yaml --port 8443
    """
    if importlib.util.find_spec("starlette") is None or importlib.util.find_spec("uvicorn") is None:
        from orchestrator.errors import InputInvalid

        raise InputInvalid("the board needs the extra `web`: pip install 'dmsa-orchestrator[web]'")
    from orchestrator.board.serving import Place, serve
    from orchestrator.views.output import say

    place = Place(host, port, tuple(names or ()), tls_cert, tls_key)
    key = _key(token, token_file)
    place = _allowed(place, key)
    follower = _follower(plans or [], journal)
    number = serve(follower, place, key, lambda url: say(f"{url} shows {journal}; Ctrl-C ends it"))
    raise typer.Exit(128 + number if number else 0)


def _allowed(place: Place, key: Key | None) -> Place:
    """Refuse to be reached from elsewhere unprotected; return under which names it is reached."""
    from dataclasses import replace

    if (place.certificate is None) != (place.key is None):
        raise typer.BadParameter("--tls-cert and --tls-key go together")
    if place.is_loopback:
        return place
    missing = [
        what
        for what, given in (("--tls-cert and --tls-key", place.certificate), ("--token-file or --token", key))
        if given is None
    ]
    if missing:
        raise typer.BadParameter(
            f"--host {place.host} is reached from other machines, where anybody could read along or look: give "
            f"{' and '.join(missing)}, or listen at 127.0.0.1"
        )
    if place.names:
        return place
    if place.host in {"0.0.0.0", "::", ""}:  # noqa: S104 - recognised, not bound
        raise typer.BadParameter(
            f"--host {place.host} has no name of its own: give --name, the name under which browsers reach the board"
        )
    return replace(place, names=(f"[{place.host}]" if ":" in place.host else place.host,))


def _key(reference: str | None, file: Path | None) -> Key | None:
    """Return the token, looked up where it is kept."""
    import re

    from orchestrator.board.door import Key
    from orchestrator.errors import InputInvalid
    from orchestrator.remote.connection import Unconfigured, secret_of

    if reference is not None and file is not None:
        raise typer.BadParameter("--token and --token-file are two places for one token; give one")
    if file is not None:
        reference = f"${{file:{file}}}"
    if reference is None:
        return None
    if not re.fullmatch(r"\$\{(env:[^{}]+|file:[^{}]+|keyring:[^{}/]+/[^{}]+)\}", reference):
        raise typer.BadParameter(
            "--token is a reference, never the token, which others could see in the list of processes: "
            "'${env:NAME}', '${file:PATH}' or '${keyring:SERVICE/USER}', in single quotes"
        )
    try:
        found = secret_of("the board", "token", reference, Path.cwd()).reveal().strip()
    except Unconfigured as wrong:
        raise InputInvalid(f"{wrong.fault.message}. {wrong.fault.remedy}.") from wrong
    if len(found) < SHORTEST:
        raise InputInvalid(
            f"the token has {len(found)} characters, and needs {SHORTEST}. `openssl rand -hex 32` makes one."
        )
    return Key(found)


def _follower(plans: list[Path], journal: str) -> Follower:
    from orchestrator.board.follower import Follower, Source, Wanted
    from orchestrator.cli.history import open_existing
    from orchestrator.cli.recalled import recalled
    from orchestrator.errors import InputInvalid
    from orchestrator.journal import in_database, journal_file
    from orchestrator.planfile import load_plan

    def identity() -> object:
        if in_database(journal):
            return None  # another one has another history, which its first look finds
        try:
            found = journal_file(journal).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    loaded = [load_plan(path) for path in plans]
    twice = {one.plan.name for one in loaded if [two.plan.name for two in loaded].count(one.plan.name) > 1}
    if twice:
        raise InputInvalid(f"two of the plan files have the same name: {', '.join(sorted(twice))}")
    wanted = [Wanted(one.plan.name, as_typed(one.path, journal), one.plan, one.digest) for one in loaded]
    source = Source(journal, lambda: open_existing(journal, read_only=True), recalled, identity)
    return Follower(source, wanted, lambda _name: as_typed(Path("PLAN"), journal))
