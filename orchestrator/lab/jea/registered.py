"""The endpoints of an estate's machines, as ``dmsa jea PLAN -o DIR`` lays their files out.

``DIR/<machine>/`` holds what is copied to that machine: session configurations (.pssc, each registered under its own
name) and modules with role capabilities. ``DIR/other-domain-controllers/`` is for those that have no folder.
``Microsoft.PowerShell`` is always there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from orchestrator.lab.command import Request
from orchestrator.lab.estate.spec import EstateSpec
from orchestrator.lab.jea.datafile import DataFileInvalid
from orchestrator.lab.jea.endpoint import Endpoint
from orchestrator.lab.jea.role import Role, read_manifest, read_role, read_session

PLAIN = "microsoft.powershell"
_OTHER_CONTROLLERS = "other-domain-controllers"


class Entry(StrEnum):
    """Whether somebody comes in."""

    OPEN = "open"
    UNKNOWN = "unknown"
    """The machine has no configuration of that name."""
    DENIED = "denied"
    """The configuration has no role for the caller."""


@dataclass(frozen=True)
class Registered:
    """Every JEA endpoint of an estate, by machine and name, both folded."""

    endpoints: Mapping[tuple[str, str], Endpoint] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, machines: Iterable[str], controllers: Iterable[str]) -> Registered:
        """Read the folders of these machines; *controllers* are the domain controllers among them.

        Raises:
            DataFileInvalid: a file is not what it should be, or is missing.
        """
        domain_controllers = {name.lower() for name in controllers}
        found: dict[tuple[str, str], Endpoint] = {}
        if not folder.is_dir():
            raise DataFileInvalid(str(folder), 0, "there is no such folder of JEA files")
        for machine in map(str.lower, machines):
            place = folder / machine
            if machine in domain_controllers and not place.is_dir():
                place = folder / _OTHER_CONTROLLERS
            for file in sorted(place.glob("*.pssc")):
                found[machine, file.stem.lower()] = _endpoint(file)
        if not found:
            raise DataFileInvalid(str(folder), 0, "it has no session configuration for any machine of this estate")
        return cls(found)

    @classmethod
    def of(cls, spec: EstateSpec, estate_file: Path, folder: Path | None = None) -> Registered:
        """Read the folder given, or else the one that the estate file names, relative to itself; none for neither.

        Raises:
            DataFileInvalid: a file in the folder is not what it should be, or is missing.
        """
        if folder is None and spec.jea is None:
            return cls()
        place = folder or (estate_file.resolve().parent / str(spec.jea)).resolve()
        controllers = [dc.name for dc in spec.dcs]
        return cls.read(place, (*controllers, *(host.name for host in spec.hosts)), controllers)

    @property
    def machines(self) -> tuple[str, ...]:
        """The machines that have a JEA endpoint."""
        return tuple(dict.fromkeys(machine for machine, _ in self.endpoints))

    def configuration_of(self, machine: str) -> str | None:
        """Return the name of a machine's JEA endpoint; None if it has none."""
        return next((each.name for (host, _), each in self.endpoints.items() if host == machine.lower()), None)

    def entry(self, host: str, configuration: str, principal: str, is_in: Callable[[str, str], bool]) -> Entry:
        """Say whether a caller is let in; *is_in* says whether an account is, or belongs to, an account or group."""
        if configuration.lower() == PLAIN:
            return Entry.OPEN
        endpoint = self.endpoints.get((host.lower(), configuration.lower()))
        if endpoint is None:
            return Entry.UNKNOWN
        return Entry.OPEN if is_in(principal, endpoint.session.runners) else Entry.DENIED

    def through(self, request: Request) -> Request:
        """Return what a pipeline has become behind its endpoint."""
        endpoint = self.endpoints.get((request.host.lower(), request.configuration.lower()))
        return request if endpoint is None else endpoint.through(request)


def _endpoint(file: Path) -> Endpoint:
    session = read_session(_text(file), str(file))
    return Endpoint(file.stem, session, _role(file.parent, session.role))


def _role(modules: Path, name: str) -> Role:
    """Return the role capability of that name, which must be in a module beside the session configuration."""
    for file in sorted(modules.glob(f"*/RoleCapabilities/{name}.psrc")):
        module = file.parent.parent
        manifest = module / f"{module.name}.psd1"
        if manifest.is_file():
            read_manifest(_text(manifest), str(manifest))
            return read_role(_text(file), str(file))
    raise DataFileInvalid(str(modules), 0, f"no module there has the role capability {name}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataFileInvalid(str(file), 0, f"it cannot be read ({type(error).__name__})") from None
