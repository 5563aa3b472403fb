"""What the endpoints of one plan are narrowed to: a limit for each parameter that the plan says something about.

A limit is what a role file can hold a parameter to: a set of values, or an expression. Where the plan cannot say
which value will come (an objectGUID that does not exist yet, a dependent service, the inside of a hashtable), the
catalogue's own kind is the limit, and runbooks/jea.md lists it among what only the gate sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.model.dn import domain_dn, parse_dn
from orchestrator.model.host import split_task
from orchestrator.model.plan import Host, Migration, Plan
from orchestrator.remote.kinds import GUID, Kind, literally


@dataclass(frozen=True)
class Limit:
    """What one parameter is held to. Neither choices nor a pattern: any value; ``absent``: the plan never sends it."""

    choices: tuple[str, ...] = ()
    pattern: str | None = None
    absent: bool = False

    @classmethod
    def of(cls, kind: Kind) -> Limit:
        """Return the limit that the catalogue's kind is by itself."""
        return cls(kind.choices, kind.pattern)


ABSENT = Limit(absent=True)
Limits = Mapping[tuple[str, str], Limit]
"""By cmdlet and parameter."""

MIGRATION_CMDLETS = tuple(f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete", "Undo", "Reset"))


def one_of(values: Iterable[str]) -> Limit:
    """Return the limit to these values; to none at all if there are none."""
    found = tuple(sorted(set(values)))
    return Limit(found, "|".join(map(literally, found))) if found else ABSENT


def directory_limits(plan: Plan, domain: str) -> dict[tuple[str, str], Limit]:
    """Return what the plan says about the writes of the directory's endpoint."""
    migrations = tuple(plan.migrations())
    dmsas = tuple(migration.dmsa for migration in migrations)
    new = "New-ADServiceAccount"
    adds = any(plan.policy_of(migration.id).hosts_missing == "add" or migration.drill for migration in migrations)
    limits = {
        (new, "Name"): one_of(dmsa.name for dmsa in dmsas),
        (new, "DNSHostName"): one_of(dmsa.dns_host_name for dmsa in dmsas),
        (new, "Path"): one_of(dmsa.path for dmsa in dmsas if dmsa.path),
        (new, "Description"): one_of((f"dmsa run {plan.name}",)),
        (new, "KerberosEncryptionType"): _flags(name for dmsa in dmsas for name in dmsa.encryption),
        (new, "PrincipalsAllowedToRetrieveManagedPassword"): one_of(who for dmsa in dmsas for who in dmsa.principals),
        ("Set-ADObject", "Identity"): _or(_under(_first_names(migrations), domain), GUID),
    }
    for cmdlet in MIGRATION_CMDLETS:
        limits[cmdlet, "Identity"] = _under((f"CN={literally(dmsa.name)}" for dmsa in dmsas), domain)
        limits[cmdlet, "SupersededAccount"] = _under(_first_names(migrations), domain)
    if not adds:
        limits["Set-ADServiceAccount", "PrincipalsAllowedToRetrieveManagedPassword"] = ABSENT
    return limits


def _first_names(migrations: Iterable[Migration]) -> Iterator[str]:
    """Yield the expression of each account's relative name."""
    return (_relative_name(migration.account) for migration in migrations)


_HEX_RUN = re.compile(r"(?:\\[0-9A-Fa-f]{2})+")
_SPECIAL = frozenset(',+"\\<>;=# ')


def _relative_name(dn: str) -> str:
    """Return the expression of the first part of a distinguished name, in every spelling that RFC 4514 allows.

    The directory may escape a character otherwise than the plan does, and what is sent is the directory's spelling.
    """
    first = re.match(r"(?:\\.|[^\\,])*", dn, re.DOTALL)
    assert first is not None
    value = first[0].partition("=")[2]
    attribute = min(name for name, _ in parse_dn(dn)[0]).upper()
    plain = _HEX_RUN.sub(lambda run: bytes.fromhex(run[0].replace("\\", "")).decode(), value.strip())
    return f"{literally(attribute)}=" + "".join(map(_spelt, re.sub(r"\\(.)", r"\1", plain)))


def _spelt(character: str) -> str:
    if character not in _SPECIAL:
        return literally(character)
    return rf"(\\?{literally(character)}|\\{ord(character):02X})"


def _under(first: Iterable[str], domain: str) -> Limit:
    """Return the limit to objects of these names anywhere in the domain: accounts may be moved, not renamed."""
    names = "|".join(sorted(set(first)))
    return Limit(pattern=rf"({names}),(.+,)?{literally(domain_dn(domain))}")


def _or(limit: Limit, kind: Kind) -> Limit:
    return Limit(pattern=f"{limit.pattern}|{kind.pattern}")


def _flags(names: Iterable[str]) -> Limit:
    """Return the limit to any combination: an enumeration of flags shows itself as ``AES128, AES256``."""
    one = "|".join(literally(name) for name in sorted(set(names)))
    return Limit(pattern=f"({one})(, ({one}))*")


@dataclass(frozen=True)
class Workloads:
    """Everything that the plan names on one host, in whichever migration."""

    hosts: tuple[Host, ...]
    reboots: bool

    @property
    def discovers(self) -> bool:
        """Whether it is left to the host to say what runs there."""
        return any(host.workloads == "discover" for host in self.hosts)

    @property
    def services(self) -> tuple[str, ...]:
        """Names of services."""
        return tuple(name for host in self.hosts for name in host.services)

    @property
    def app_pools(self) -> tuple[str, ...]:
        """Names of application pools."""
        return tuple(name for host in self.hosts for name in host.app_pools)

    def tasks(self, *, run_only: bool = False) -> tuple[tuple[str, str], ...]:
        """Folder and name of scheduled tasks."""
        return tuple(split_task(task.path) for host in self.hosts for task in host.tasks if task.run or not run_only)


def workloads_of(plan: Plan) -> dict[str, Workloads]:
    """Return what the plan names on each host, by the host's name in lower case."""
    found: dict[str, Workloads] = {}
    for migration in plan.migrations():
        reboots = plan.policy_of(migration.id).reboot == "after_registry"
        for host in migration.hosts:
            known = found.get(host.name.lower(), Workloads((), reboots=False))
            found[host.name.lower()] = Workloads((*known.hosts, host), known.reboots or reboots)
    return found


def host_limits(workloads: Workloads) -> dict[tuple[str, str], Limit]:
    """Return what the plan says about one host. What is to be discovered cannot be narrowed."""
    if workloads.discovers:
        return {}
    limits = {(cmdlet, "Name"): one_of(workloads.services) for cmdlet in ("Get-Service", "Restart-Service")}
    for cmdlet in ("Get-WebAppPoolState", "Restart-WebAppPool"):
        limits[cmdlet, "Name"] = one_of(workloads.app_pools)
    for cmdlet in ("Get-ScheduledTask", "Get-ScheduledTaskInfo", "Export-ScheduledTask", "Start-ScheduledTask"):
        tasks = workloads.tasks(run_only=cmdlet == "Start-ScheduledTask")
        limits[cmdlet, "TaskPath"] = one_of(folder for folder, _ in tasks)
        limits[cmdlet, "TaskName"] = one_of(name for _, name in tasks)
    return limits
