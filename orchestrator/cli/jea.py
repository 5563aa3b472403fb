"""``jea``: the files of the JEA endpoints that a plan needs, and no wider ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.options import Json, PlanFile
from orchestrator.views.output import say, say_document

if TYPE_CHECKING:
    from orchestrator.planfile import Loaded
    from orchestrator.remote.jea import Domain, Role

_ACCOUNT = r"[^\\@\"/\[\]:;|=,+*?<>\x00-\x1f]{1,104}"


def jea(
    plan: PlanFile,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where the files are written.")],
    runners: Annotated[
        str | None,
        typer.Option("--runners", metavar="NAME", help=r"Who may connect: an account or group, DOMAIN\name."),
    ] = None,
    run_as: Annotated[
        str | None,
        typer.Option("--run-as", metavar="GMSA", help=r"As whom the directory's endpoints work: a gMSA, DOMAIN\name."),
    ] = None,
    host_run_as: Annotated[
        str | None,
        typer.Option("--host-run-as", metavar="GMSA", help="The same for hosts; default: a virtual account."),
    ] = None,
    json: Json = False,
) -> None:
    r"""Write role capabilities and session configurations that show what the plan needs, machine by machine.

    Nothing is sent anywhere; runbooks/jea.md says how to register them, which rights the accounts need, and what only
    the program's own gate holds back. Without the options: DOMAIN\dmsa-runners may connect, the directory's endpoints
    work as DOMAIN\dmsa-jea.

    Example: dmsa jea plans/quickstart.yaml -o .dmsa/jea --runners 'CORP\operator'
    """
    from orchestrator.errors import InputInvalid
    from orchestrator.planfile import load_plan
    from orchestrator.remote.jea import NotSeparable, Part, roles
    from orchestrator.remote.jea_files import Identity, files_of

    loaded = load_plan(plan)
    domain, short = _domain(loaded)
    who = _account("--runners", runners or f"{short}\\dmsa-runners")
    managed = _account("--run-as", run_as or f"{short}\\dmsa-jea")
    on_hosts = _account("--host-run-as", host_run_as) if host_run_as else None
    try:
        found = roles(loaded.plan, domain)
    except NotSeparable as error:
        raise InputInvalid(f"{error}, and one JEA endpoint cannot be both. Nothing was written.") from None
    files = {
        f"{machine}/{name}": text
        for machine, role in found.items()
        for name, text in files_of(
            role, Identity(who, on_hosts if role.part is Part.HOST else managed), loaded.plan.name
        ).items()
    }
    left = _write(out, files)
    if json:
        say_document(_document(loaded, found, files, left))
    else:
        say(_page(out, found, files, left, who, managed, on_hosts))


def _domain(loaded: Loaded) -> tuple[Domain, str]:
    """Return where the plan applies, and the domain's short name (for a real one: what it most likely is)."""
    from orchestrator.errors import InputInvalid
    from orchestrator.remote.jea import Domain

    estate = loaded.plan.estate
    if estate.lab is not None:
        return _of_lab(loaded.directory / estate.lab)
    if estate.domain is None or estate.directory is None:
        raise InputInvalid("the plan's estate names no domain or no directory; nothing was written")
    directory = estate.directory
    name = estate.domain.lower().rstrip(".")
    return Domain(name, directory.endpoint, directory.server, directory.converge_on), name.partition(".")[0].upper()


def _of_lab(file: Path) -> tuple[Domain, str]:
    from orchestrator.errors import InputInvalid
    from orchestrator.lab.estate.spec import EstateInvalid, load_spec
    from orchestrator.remote.jea import Domain

    try:
        spec = load_spec(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, EstateInvalid) as error:
        raise InputInvalid(f"{file} cannot be used: {error}. Nothing was written.") from error
    controller = spec.first_controller.name
    return Domain(spec.domain.dns.lower(), controller, controller, None), spec.domain.netbios


def _account(option: str, given: str) -> str:
    if re.fullmatch(rf"{_ACCOUNT}\\{_ACCOUNT}", given) is None:
        raise typer.BadParameter(f"{option} {given}: expected DOMAIN\\name")
    return given


def _write(out: Path, files: dict[str, str]) -> list[str]:
    """Write the files; return what else of this kind was there before and is no part of the plan (any more)."""
    from orchestrator.errors import InputInvalid

    try:
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"{path.name}.new")
            # PowerShell 5.1 reads a file without a byte order mark in the machine's own code page.
            fresh.write_text(text, encoding="utf-8-sig", newline="\r\n")
            fresh.replace(path)
    except OSError as error:
        raise InputInvalid(f"{out} cannot be written to: {error}. Do not use what is there.") from error
    there = {path.relative_to(out).as_posix() for kind in ("pssc", "psrc", "psd1") for path in out.rglob(f"*.{kind}")}
    return sorted(there - files.keys())


def _document(loaded: Loaded, found: dict[str, Role], files: dict[str, str], left: list[str]) -> dict[str, object]:
    endpoints = [
        {
            "machine": machine,
            "configuration": role.name,
            "commands": [shown.name for shown in role.commands],
            "files": [name for name in files if name.startswith(f"{machine}/")],
        }
        for machine, role in found.items()
    ]
    return {"plan": loaded.plan.name, "digest": loaded.digest, "endpoints": endpoints, "left": left}


def _page(
    out: Path,
    found: dict[str, Role],
    files: dict[str, str],
    left: list[str],
    who: str,
    managed: str,
    on_hosts: str | None,
) -> str:
    wide = max(map(len, found))
    lines = [
        f"{machine:<{wide}}  {role.name:<13}  {len(role.commands):>2} commands  {role.part.value}"
        for machine, role in found.items()
    ]
    works = f"the directory's endpoints work as {managed}, hosts as {on_hosts or 'a virtual account'}"
    lines += [
        "",
        f"{len(files)} files in {out}. {who} may connect; {works}.",
        "Next: runbooks/jea.md (register them, give the accounts their rights, name `configuration` in connections).",
    ]
    if left:
        lines += ["", "Not of this plan, and left as they were:", *(f"  {name}" for name in left)]
    return "\n".join(lines)
