"""One machine of the estate: build, registry, workloads, boot time and event log. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from orchestrator.lab.estate.spec import HostSpec, KerberosValue, PoolSpec, ServiceSpec, TaskSpec

DMSA_BUILD = 26100
"""Windows Server 2025 and Windows 11 24H2: the first builds that know dMSAs."""
KERBEROS_LOG = "Microsoft-Windows-Security-Kerberos/Operational"


@dataclass
class EventRecord:
    """One row of an event log."""

    log: str
    id: int
    at: datetime
    machine: str
    message: str
    data: Mapping[str, str] = field(default_factory=dict)
    number: int = 1
    """Its EventRecordID."""


@dataclass
class Service:
    """A Windows service and its process."""

    spec: ServiceSpec
    running: bool = False
    pid: int = 0
    started: datetime | None = None
    as_dmsa: bool = False
    """Whether its process logged on as a dMSA in place of its account."""
    exit_code: int = 0
    broken: int = 0
    """How many of the next starts fail for a reason of the service's own."""


@dataclass
class Task:
    """A scheduled task."""

    spec: TaskSpec
    last_run: datetime | None = None
    last_result: int = 267011  # SCHED_S_TASK_HAS_NOT_RUN

    @property
    def folder(self) -> str:
        """The task's folder, with backslashes at both ends."""
        return self.spec.path[: self.spec.path.rindex("\\") + 1]

    @property
    def name(self) -> str:
        """The task's name inside its folder."""
        return self.spec.path[self.spec.path.rindex("\\") + 1 :]

    def next_run(self, now: datetime) -> datetime | None:
        """When the schedule runs it next."""
        if self.spec.daily is None or not self.spec.enabled:
            return None
        today = datetime.combine(now.astimezone(UTC).date(), self.spec.daily, tzinfo=UTC)
        return today if today > now else today + timedelta(days=1)


@dataclass
class Pool:
    """An IIS application pool."""

    spec: PoolSpec
    started: bool = False
    as_dmsa: bool = False
    """Whether its worker process logged on as a dMSA in place of its account."""


class Machine:
    """A domain member or a domain controller."""

    def __init__(self, spec: HostSpec, address: str, boot: datetime, *, dc: str | None = None) -> None:
        self.spec = spec
        self.name = spec.name
        self.short = spec.name.partition(".")[0]
        """The machine's name without its domain."""
        self.names = frozenset({self.name.lower(), self.short.lower()})
        """Both, folded."""
        self.site = spec.site.lower()
        self.address = spec.address or address
        self.dc = dc
        self.switched: set[str] | None = None
        """Where its name goes when its switch changes; None while nobody follows."""
        self._kerberos: KerberosValue = spec.kerberos
        self.kerberos_parent = spec.kerberos != "no-key"
        self.event_log = spec.event_log
        self.boot = boot
        self.down_until: datetime | None = None
        self.services = {service.name.lower(): Service(service) for service in spec.services}
        self.tasks = {task.path.lower(): Task(task) for task in spec.tasks}
        self.pools = {pool.name.lower(): Pool(pool) for pool in spec.app_pools}
        self.events: list[EventRecord] = []
        self._last_pid = 1000
        log_ons = [service.log_on for service in spec.services] + [pool.log_on for pool in spec.app_pools]
        self.accounts = frozenset(map(folded_account, log_ons))
        """The account names, without their domains, under which something here may run."""

    @property
    def kerberos(self) -> KerberosValue:
        """The switch, ``DelegatedMSAEnabled``: its value, or what there is of its key."""
        return self._kerberos

    @kerberos.setter
    def kerberos(self, value: KerberosValue) -> None:
        self._kerberos = value
        if self.switched is not None:
            self.switched.add(self.name.lower())

    @property
    def capable(self) -> bool:
        """Whether this machine's Windows knows dMSAs and has them switched on."""
        return self.spec.build >= DMSA_BUILD and self.kerberos == 1

    def take_pid(self) -> int:
        """Return a process id that no process of this machine has had."""
        self._last_pid += 4
        return self._last_pid

    def dependents(self, service: Service) -> list[Service]:
        """Return the services that need this one, directly or through others."""
        found: dict[str, Service] = {}
        waiting = [service]
        while waiting:
            needed = waiting.pop().spec.name.lower()
            for other in self.services.values():
                needs = {name.lower() for name in other.spec.depends_on}
                if needed in needs and other.spec.name.lower() not in found:
                    found[other.spec.name.lower()] = other
                    waiting.append(other)
        return list(found.values())


@lru_cache(1 << 14)
def folded_account(log_on: str) -> str:
    """Return the account's name in a log-on name, without its domain and folded."""
    domain, _, sam = log_on.rpartition("\\")
    return (sam if domain else log_on.partition("@")[0]).lower()
