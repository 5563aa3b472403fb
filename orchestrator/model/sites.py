"""Which site serves an endpoint: a host's by the plan's patterns, and one that is reserved for the directory."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from orchestrator.model.plan import Plan
from orchestrator.model.witness import WITNESS

DIRECTORY: Final = "directory"
"""The site of every domain controller. Its runners drive: one at a time, the others stand by."""
MAIN: Final = "main"
"""The site of every host where a plan names none."""


class Sites:
    """The sites of a plan.

    A machine that is no host of the plan is one of the directory, and so is a host that the plan names as its
    endpoint or to converge on: domain controllers are found while a run is under way, hosts are not.
    """

    def __init__(self, plan: Plan) -> None:
        directory = plan.estate.directory
        own = {name.lower() for name in ((directory.endpoint, *(directory.converge_on or ())) if directory else ())}
        hosts = dict.fromkeys(host.name.lower() for migration in plan.migrations() for host in migration.hosts)
        patterns = tuple((site.name, site.match) for site in plan.estate.sites) or ((MAIN, ("*",)),)
        self._of = {host: _first(patterns, host) for host in hosts if host not in own}
        self.names = tuple(name for name, _ in patterns)
        """The sites of hosts, in the order of the plan."""

    def of(self, endpoint: str) -> str:
        """Return the site that serves an endpoint; the first whose pattern fits, as letters of either case."""
        return DIRECTORY if endpoint.startswith(WITNESS) else self._of.get(endpoint.lower(), DIRECTORY)

    def hosts(self, site: str) -> tuple[str, ...]:
        """Return the hosts of a site, in lower case, in the order of the plan."""
        return tuple(host for host, its in self._of.items() if its == site)


def _first(patterns: Iterable[tuple[str, tuple[str, ...]]], host: str) -> str:
    for name, match in patterns:
        if any(fnmatchcase(host, pattern.lower()) for pattern in match):
            return name
    raise ValueError(f"no site of the plan serves {host}")
