"""The JEA endpoints of a plan that ships, as files in a folder, for an operator who has no right of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.lab.estate.spec import EstateSpec, load_spec
from orchestrator.lab.jea import Registered
from orchestrator.model.plan import Plan
from orchestrator.planfile import load_plan
from orchestrator.remote.jea import Domain, Part, Role, roles
from orchestrator.remote.jea_files import Identity, files_of

ROOT = Path(__file__).parent.parent
DC = "dc01.corp.example"
DOMAIN = Domain("corp.example", DC, DC, None)
RUNNER = "CORP\\operator"


def plan(name: str = "quickstart") -> Plan:
    return load_plan(ROOT / "plans" / f"{name}.yaml").plan


def spec(name: str = "quickstart") -> EstateSpec:
    return load_spec((ROOT / "plans" / "estates" / f"{name}.yaml").read_text(encoding="utf-8"))


def nobody(estate: dict[str, Any]) -> None:
    """Take every right from the operator: what is done then is done by the endpoints' own accounts."""
    estate["operator"] = {"name": "operator", "rights": [], "domain_admin": False}


def files(found: dict[str, Role], name: str, runners: str = RUNNER) -> dict[str, str]:
    """Return the files of all machines, by their paths."""
    return {
        f"{machine}/{path}": text
        for machine, role in found.items()
        for path, text in files_of(
            role, Identity(runners, None if role.part is Part.HOST else "CORP\\dmsa-jea"), name
        ).items()
    }


def lay_out(folder: Path, name: str = "quickstart", runners: str = RUNNER) -> Path:
    """Write the files of a plan that ships."""
    write(folder, files(roles(plan(name), DOMAIN), name, runners))
    return folder


def write(folder: Path, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def registered(folder: Path, name: str = "quickstart") -> Registered:
    return Registered.of(spec(name), ROOT / "x", folder)


def less(text: str) -> Iterator[tuple[str, str]]:
    """Yield each thing that a file says, a line (all but the comments) or a whole entry, and the file without it."""
    given = text.splitlines(keepends=True)
    for place, line in enumerate(given):
        if not line.strip() or line.strip().startswith("#"):
            continue
        yield line.strip(), "".join(given[:place] + given[place + 1 :])
        if line.strip() == "@{" and line[0] == " ":
            end = given.index(line.replace("@{", "}"), place)
            yield f"the entry {given[place + 1].strip()}", "".join(given[:place] + given[end + 1 :])
