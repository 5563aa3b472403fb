"""Cross-checks on where the plan applies and how it is reached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase, translate

from orchestrator.model.plan import Connection, Estate, Plan
from orchestrator.model.sites import DIRECTORY
from orchestrator.planfile.crosschecks.finding import Finding, migrations_of
from orchestrator.planfile.problem import Loc

_NEEDED = {
    "domain": "the DNS name of the domain",
    "directory": "endpoint and server",
    "connections": 'at least one entry, such as {match: "*", auth: kerberos}',
}
_GLOB = frozenset("*?[")
_LONGEST_HOST = 255
_MOST_GLOBS = 500
_WITHOUT_JEA = "microsoft.powershell"


def lab_alone(plan: Plan) -> Iterator[Finding]:
    """A simulated estate file says everything itself, but not which runner serves which of its hosts."""
    others = plan.estate.model_fields_set - {"lab", "sites"}
    if plan.estate.lab is None:
        return
    for key in Estate.model_fields:
        if key in others:
            hint = "leave it out; or leave out lab, and name a real estate"
            yield Finding(("estate", key), f"estate.lab excludes {key}", hint)


def estate_incomplete(plan: Plan) -> Iterator[Finding]:
    """Without a simulated estate, the real one must be named in full."""
    if plan.estate.lab is not None:
        return
    for key, what in _NEEDED.items():
        if not getattr(plan.estate, key):
            message = f"the key {key} is missing: {what}"
            yield Finding(("estate", key), message, "or name a simulated estate: lab", ("estate",))


def second_hop(plan: Plan) -> Iterator[Finding]:
    """If the cmdlets run on one host and speak to another, that host needs something to speak with.

    A credential does not travel twice (Microsoft Learn, "Making the second hop in PowerShell Remoting"): it is
    delegated, or a JEA endpoint's run-as account is used instead.
    """
    directory = plan.estate.directory
    if directory is None or directory.endpoint.casefold() == directory.server.casefold():
        return
    if next(patterns(plan), None) is not None:
        return
    found = _connection(plan.estate, directory.endpoint)
    if found is None:
        return
    index, connection = found
    if not connection.delegate and connection.configuration.casefold() == _WITHOUT_JEA:
        message = f"{directory.endpoint} speaks to {directory.server}, a second hop without delegation"
        hint = f"in connections[{index}]: delegate: true, or a JEA configuration; or endpoint = server"
        yield Finding(("estate", "directory", "server"), message, hint, ("estate", "connections"))


def patterns(plan: Plan) -> Iterator[Finding]:
    """Patterns on host names are few enough, and short enough, to be tried on every host."""
    globs = set()
    for loc, pattern in _patterns(plan.estate):
        if len(pattern) > _LONGEST_HOST:
            yield Finding(loc, f"a pattern of {len(pattern):,} characters", f"a host name has at most {_LONGEST_HOST}")
        if _GLOB.intersection(pattern):
            globs.add(pattern.casefold())
            if len(globs) == _MOST_GLOBS + 1:
                message = f"there are more than {_MOST_GLOBS} patterns with * or ?"
                yield Finding(loc, message, "let one stand for more hosts, or name hosts in full")


def _patterns(estate: Estate) -> Iterator[tuple[Loc, str]]:
    for index, connection in enumerate(estate.connections):
        yield ("estate", "connections", index, "match"), connection.match
    for index, site in enumerate(estate.sites):
        for place, pattern in enumerate(site.match):
            yield ("estate", "sites", index, "match", place), pattern


def host_unreachable(plan: Plan) -> Iterator[Finding]:
    """Every host that is spoken to has a connection, and a site to be served from; the directory has its own."""
    estate = plan.estate
    if next(patterns(plan), None) is not None:
        return
    reached = _Matcher(one.match for one in estate.connections)
    served = _Matcher(one for site in estate.sites for one in site.match)
    for loc, host in _hosts(plan):
        if estate.connections and not reached.fits(host):
            yield Finding(
                loc, f"no connection matches {host}", 'add one, such as match: "*"', ("estate", "connections")
            )
        if estate.sites and loc[0] != "estate" and not served.fits(host):
            yield Finding(loc, f"no site serves {host}", 'add one, such as match: ["*"]', ("estate", "sites"))


def _hosts(plan: Plan) -> Iterator[tuple[Loc, str]]:
    """Yield every host of the plan once, where it is first named."""
    places: dict[str, Loc] = {}
    directory = plan.estate.directory
    if directory is not None:
        places[directory.endpoint] = ("estate", "directory", "endpoint")
        for index, name in enumerate(directory.converge_on or ()):
            places.setdefault(name, ("estate", "directory", "converge_on", index))
    for loc, _, migration in migrations_of(plan):
        for index, host in enumerate(migration.hosts):
            places.setdefault(host.name, (*loc, "hosts", index, "name"))
    for name, place in places.items():
        yield place, name


def witness(plan: Plan) -> Iterator[Finding]:
    """A second witness is somebody who can be asked, and by whom the runner is known."""
    directory = plan.estate.directory
    if directory is None or directory.witness == "none" or next(patterns(plan), None) is not None:
        return
    loc: Loc = ("estate", "directory", "witness")
    if plan.estate.simulated:
        yield Finding(loc, "a lab behind TCP does not answer LDAP", "leave witness out", ("estate", "simulated"))
    told = set()
    for host in (directory.server, *(directory.converge_on or ())):
        index, connection = _connection(plan.estate, host) or (-1, None)
        if connection is None or index in told:
            continue
        told.add(index)
        where = ("estate", "connections", index)
        if connection.auth in {"ntlm", "certificate"}:
            message = f"{host} is reached with auth: {connection.auth}, which does not log on by LDAP"
            hint = "auth: kerberos, negotiate or basic for the domain controllers; or witness: none"
            yield Finding(loc, message, hint, where)


def site_twice(plan: Plan) -> Iterator[Finding]:
    """A runner names its site; `directory` is the domain controllers' and has no entry."""
    seen: set[str] = set()
    for index, site in enumerate(plan.estate.sites):
        if site.name.casefold() == DIRECTORY:
            hint = "choose another name"
            yield Finding(("estate", "sites", index, "name"), f"{site.name} is the domain controllers' own site", hint)
        if site.name.casefold() in seen:
            yield Finding(("estate", "sites", index, "name"), f"there are two sites {site.name}", "merge them")
        seen.add(site.name.casefold())


def credentials(plan: Plan) -> Iterator[Finding]:
    """What authenticates by a certificate or a password has one."""
    needed = {"certificate": ("certificate",), "basic": ("username", "password"), "ntlm": ("username", "password")}
    for index, connection in enumerate(plan.estate.connections):
        at = ("estate", "connections", index)
        missing = [key for key in needed.get(connection.auth, ()) if getattr(connection, key) is None]
        if missing:
            yield Finding((*at, "auth"), f"{connection.auth} needs {' and '.join(missing)}", "", at)


def without_tls(plan: Plan) -> Iterator[Finding]:
    """Without TLS only what encrypts each message is carried."""
    for index, connection in enumerate(plan.estate.connections):
        if connection.transport == "http" and connection.auth in {"basic", "certificate"}:
            message = f"{connection.auth} does not go over http, where anybody could read along"
            hint = "leave transport out, or use kerberos, negotiate or ntlm"
            yield Finding(("estate", "connections", index, "transport"), message, hint)


def _connection(estate: Estate, host: str) -> tuple[int, Connection] | None:
    return next(((index, one) for index, one in enumerate(estate.connections) if _matches(host, one.match)), None)


class _Matcher:
    """All patterns at once; those that are plain names, of which there may be thousands, are looked up."""

    def __init__(self, patterns: Iterable[str]) -> None:
        folded = dict.fromkeys(pattern.casefold() for pattern in patterns)
        self._names = {pattern for pattern in folded if not _GLOB.intersection(pattern)}
        globs = [translate(pattern) for pattern in folded if pattern not in self._names]
        self._globs = re.compile("|".join(globs)) if globs else None

    def fits(self, host: str) -> bool:
        """Say whether one of them fits."""
        host = host.casefold()
        return host in self._names or (self._globs is not None and self._globs.match(host) is not None)


def _matches(host: str, pattern: str) -> bool:
    if not _GLOB.intersection(pattern):
        return host.casefold() == pattern.casefold()
    return fnmatchcase(host.casefold(), pattern.casefold())
