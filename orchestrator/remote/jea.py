"""What the JEA endpoints of a plan show: the catalogue, narrowed to what is asked in the course of this plan.

Every command and parameter comes out of the catalogue's rows and nothing is added, so that what the gate refuses here
is, as far as a role file can say it, refused there too. A role file knows a command's parameters but not its parameter
sets, and validates one value at a time (Microsoft Learn, JEA role capabilities); what that leaves open is on
runbooks/jea.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from orchestrator.model.plan import Plan
from orchestrator.remote import directory_cmdlets, host_cmdlets
from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.remote.jea_limits import (
    ABSENT,
    Limit,
    Limits,
    Workloads,
    directory_limits,
    host_limits,
    one_of,
    workloads_of,
)
from orchestrator.remote.kinds import literally
from orchestrator.remote.rows import Row

DIRECTORY = "DmsaDirectory"
"""Name of the endpoint, module and role on domain controllers."""
HOST = "DmsaHost"
"""The same on hosts."""
OTHER_CONTROLLERS = "other-domain-controllers"
"""Stands for every writable domain controller that the plan does not name."""

_MODULES = {
    "Get-KdsRootKey": "Kds",
    "Get-CimInstance": "CimCmdlets",
    "Get-WinEvent": "Microsoft.PowerShell.Diagnostics",
    "Get-WebAppPoolState": "WebAdministration",
    "Get-WebConfigurationProperty": "WebAdministration",
    "Restart-WebAppPool": "WebAdministration",
}
_REGISTRY = frozenset({"Test-Path", "Get-ItemProperty", "New-Item", "New-ItemProperty", "Remove-ItemProperty"})


class Part(StrEnum):
    """What an endpoint is for."""

    DIRECTORY = "the directory: reads and writes"
    COPY = "a copy of the directory: reads"
    HOST = "a host"


@dataclass(frozen=True)
class Shown:
    """One visible command and what its parameters are held to. ``row`` is where it comes from."""

    row: Row
    parameters: Mapping[str, Limit]

    @property
    def name(self) -> str:
        """The command's name on the endpoint."""
        return self.row.role_function or self.row.cmdlet

    @property
    def module(self) -> str:
        """The module that brings it."""
        return module_of(self.row.cmdlet)

    @property
    def is_function(self) -> bool:
        """Whether it goes under VisibleFunctions: the ScheduledTasks module has functions, and so have roles."""
        return self.row.role_function is not None or self.module == "ScheduledTasks"


@dataclass(frozen=True)
class Role:
    """Everything that one endpoint shows."""

    part: Part
    commands: tuple[Shown, ...]

    @property
    def name(self) -> str:
        """Name of endpoint, module and role file."""
        return HOST if self.part is Part.HOST else DIRECTORY

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules to import; none for an external program."""
        return tuple(sorted({shown.module for shown in self.commands} - {""}))

    @property
    def uses_registry(self) -> bool:
        """Whether a command reaches the registry through its provider."""
        return any(shown.row.cmdlet in _REGISTRY for shown in self.commands)


@dataclass(frozen=True)
class Domain:
    """Where the plan applies, as far as endpoints are concerned."""

    name: str
    endpoint: str
    server: str
    converge_on: tuple[str, ...] | None


def module_of(cmdlet: str) -> str:
    """Return the module that a cmdlet of the catalogue comes from; empty for an external program."""
    noun = cmdlet.partition("-")[2]
    if "ScheduledTask" in noun:
        return "ScheduledTasks"
    if noun.startswith("AD") or noun == "DmsaDescriptor":
        return "ActiveDirectory"
    return _MODULES.get(cmdlet, "Microsoft.PowerShell.Management" if noun else "")


class NotSeparable(ValueError):
    """A machine would need two endpoints, and a connection names one."""


def roles(plan: Plan, domain: Domain) -> dict[str, Role]:
    """Return the role of every machine that the plan has work for, by name in lower case.

    The pinned endpoint is the only one that may write to the directory. :data:`OTHER_CONTROLLERS` stands for the domain
    controllers that the plan does not name: they tell of themselves, and their copies are read where the plan leaves it
    to the domain which of them must agree.

    Raises:
        NotSeparable: a host of the plan is also where the directory is reached.
    """
    limits = directory_limits(plan, domain.name)
    hosts = workloads_of(plan)
    asks = {"probe": any(migration.drill for migration in plan.migrations())}
    asks["discover"] = any(workloads.discovers for workloads in hosts.values())
    found = {domain.endpoint.lower(): _pinned(limits, one_of((domain.server,)), asks)}
    for name in domain.converge_on or ():
        found.setdefault(name.lower(), _copy(limits, one_of((name,)), _OF_COPIES))
    others = _OF_COPIES if domain.converge_on is None else _OF_CONTROLLERS
    found[OTHER_CONTROLLERS] = _copy(limits, Limit(pattern=rf"[a-z0-9-]+\.{literally(domain.name)}"), others)
    for name, workloads in hosts.items():
        if name in found:
            raise NotSeparable(f"{name} is an endpoint of the directory and a host of the plan")
        found[name] = _host(workloads)
    return found


def _pinned(limits: Limits, server: Limit, asks: Mapping[str, bool]) -> Role:
    """Return what the pinned endpoint shows: the directory, its own build, its log-ons and, for a probe, its logs.

    *asks* says whether those ask here who do not with every plan.
    """
    rows = (*directory_cmdlets.ROWS, *_THEIR_OWN)
    return Role(Part.DIRECTORY, _at(server, _asked(rows, lambda user: asks.get(user, True)), limits))


def _copy(limits: Limits, server: Limit, users: frozenset[str]) -> Role:
    """Return what another domain controller shows to these users."""
    rows = (*directory_cmdlets.READS, *_THEIR_OWN)
    return Role(Part.COPY, _at(server, _asked(rows, lambda user: user in users), limits))


_OF_CONTROLLERS = frozenset({"every-controller", "no-other-use"})
"""Who asks every domain controller of the domain: how it is, and who logged on."""
_OF_COPIES = _OF_CONTROLLERS | {"every-step"}
"""Who asks those whose copies must agree: for the pair, too."""
_THEIR_OWN = (
    replace(CATALOGUE["Get-ItemProperty"], forms=(host_cmdlets.BUILD,)),
    replace(CATALOGUE["Get-WinEvent"], forms=(directory_cmdlets.LOGON_EVENTS, host_cmdlets.LOG_NAMES)),
)
"""Rows in the forms in which domain controllers are asked, beside those of the directory."""


def _at(server: Limit, rows: Iterable[Row], limits: Limits) -> tuple[Shown, ...]:
    """Hold the rows of the directory to one domain controller."""
    own = dict(limits)
    for row in directory_cmdlets.ROWS:
        own[row.cmdlet, "Server"] = own[row.cmdlet, "Target"] = server
    own["Get-ADObject", "Server"] = _with_catalog(server)
    return tuple(_shown(rows, own))


def _asked(rows: Iterable[Row], counts: Callable[[str], bool]) -> Iterator[Row]:
    """Yield the rows with those of their forms that a user who counts here sends."""
    for row in rows:
        forms = tuple(form for form in row.forms if any(map(counts, form.used_by or ())))
        if forms:
            yield replace(row, forms=forms)


def _with_catalog(server: Limit) -> Limit:
    """Let the domain controller's global catalog be asked as well."""
    both = tuple(f"{name}{port}" for name in server.choices for port in ("", ":3268"))
    return Limit(both, f"({server.pattern})(:3268)?")


def _host(workloads: Workloads) -> Role:
    rows = (row for row in host_cmdlets.ROWS if _has_use_for(row, workloads))
    asked = _asked(rows, lambda user: workloads.discovers if user == "discover" else user not in _ELSEWHERE)
    return Role(Part.HOST, tuple(_shown(asked, host_limits(workloads))))


_ELSEWHERE = _OF_CONTROLLERS | {"probe"}
"""Who asks domain controllers alone."""


def _has_use_for(row: Row, workloads: Workloads) -> bool:
    """Say whether the plan can need this row on this host."""
    if row.cmdlet == "Restart-Computer":
        return workloads.reboots
    if row.cmdlet == "Start-ScheduledTask":
        return bool(workloads.tasks(run_only=True))  # of what was found the next scheduled run is the proof
    if workloads.discovers:
        return True
    if row.cmdlet == "Export-ScheduledTask":
        return True  # without a name, for every task: who runs what is asked of each host
    if module_of(row.cmdlet) == "ScheduledTasks":
        return bool(workloads.tasks())
    if module_of(row.cmdlet) == "WebAdministration":
        return bool(workloads.app_pools)
    return bool(workloads.services) or not row.cmdlet.endswith("-Service")


def _shown(rows: Iterable[Row], limits: Limits) -> Iterator[Shown]:
    for row in rows:
        found: dict[str, Limit] = {}
        for form in row.forms:
            for name, kind in {**form.required, **form.optional}.items():
                found[name] = _either(found.get(name, ABSENT), limits.get((row.cmdlet, name), Limit.of(kind)))
        if row.cmdlet == "wevtutil":  # its role function takes nothing
            found = {}
        yield Shown(row, _one_way({name: limit for name, limit in found.items() if not limit.absent}))


def _either(one: Limit, other: Limit) -> Limit:
    """Return what two parameter sets let through together: a role file does not know which one is meant."""
    if one.absent or other.absent or one == other:
        return other if one.absent else one
    choices = tuple(dict.fromkeys(one.choices + other.choices)) if one.choices and other.choices else ()
    unbound = one.pattern is None or other.pattern is None
    return Limit(choices, None if unbound else f"{one.pattern}|{other.pattern}")


def _one_way(limits: dict[str, Limit]) -> dict[str, Limit]:
    """Hold all parameters of a command to sets, or all to patterns.

    A command cannot have both; where it does, patterns override sets (Microsoft Learn, JEA role capabilities).
    """
    if any(limit.pattern is not None and not limit.choices for limit in limits.values()):
        return {name: replace(limit, choices=()) for name, limit in limits.items()}
    return {name: replace(limit, pattern=None) for name, limit in limits.items()}
