"""A host and the workloads on it: how they are asked for, and what an answer says.

One observation of a host is one pipeline. Its outputs come back unlabelled, so only statements whose output
names itself (by class, or by a name among its properties) share a pipeline; an application pool's state is a
bare word, and each pool is therefore asked for alone.

Health is a service's state and the start time of its process, never its log-on name: after Complete a service
keeps the old name (Microsoft Learn, dMSA FAQ).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from orchestrator.model.call import Cmdlet, Read, cmdlet
from orchestrator.model.directory import complaint
from orchestrator.model.escape import wql
from orchestrator.model.observation import Outcome, Record, Reply, Unreadable
from orchestrator.model.plan import Host

KERBEROS_PARENT = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos"
KERBEROS_KEY = KERBEROS_PARENT + r"\Parameters"
ENABLED = "DelegatedMSAEnabled"

FIRST_BUILD = 26100
"""Windows Server 2025 and Windows 11 24H2, the first that can use a dMSA (Microsoft Learn, dMSA overview)."""

_OS = ("BuildNumber", "ProductType", "LocalDateTime", "LastBootUpTime", "Caption")
_COMPUTER = ("Name", "Domain", "PartOfDomain", "DomainRole")
STARTS_WITH_HOST = "Auto"
"""The ``StartMode`` of a service that "is to be started automatically by the Service Control Manager during system
startup" (Microsoft Learn, Win32_Service).
"""
SERVICE_PROPERTIES = ("Name", "State", "StartMode", "StartName", "ProcessId")

T = TypeVar("T")


@dataclass(frozen=True)
class ServiceSeen:
    """A service, by ``Win32_Service``; ``dependents`` are the services that a restart takes along."""

    name: str
    state: str
    start_mode: str
    start_name: str | None
    pid: int
    dependents: tuple[str, ...] | None = None

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.state == "Running"


@dataclass(frozen=True)
class TaskSeen:
    """A scheduled task and its last run."""

    path: str
    state: str
    last_run: datetime | None
    last_result: int | None
    next_run: datetime | None


@dataclass(frozen=True)
class HostSeen:
    """What one host said. Parts that were not asked for are None or empty."""

    name: str
    build: int
    product_type: int
    caption: str
    local_time: datetime
    boot_time: datetime
    computer_name: str
    domain: str
    in_domain: bool
    domain_role: int
    key_exists: bool
    value: int | str | None
    services: Mapping[str, ServiceSeen]
    tasks: Mapping[str, TaskSeen]
    app_pools: Mapping[str, str]
    processes: Mapping[int, datetime]
    parent_exists: bool | None = None

    @property
    def enabled(self) -> bool:
        """Whether ``DelegatedMSAEnabled`` is the DWORD 1."""
        return isinstance(self.value, int) and not isinstance(self.value, bool) and self.value == 1


def split_task(path: str) -> tuple[str, str]:
    """Return the ``TaskPath`` and ``TaskName`` of a task's full path."""
    folder, _, name = path.rpartition("\\")
    return f"{folder}\\", name


def wql_or(attribute: str, values: Iterable[str | int]) -> str:
    """Return a WQL filter that is true for any of the values."""
    quoted = (str(value) if isinstance(value, int) else f"'{wql(value)}'" for value in values)
    return " OR ".join(f"{attribute}={value}" for value in quoted)


def registry_reads() -> tuple[Cmdlet, ...]:
    """Ask for the host-wide switch."""
    return (
        cmdlet("Test-Path", LiteralPath=KERBEROS_KEY),
        cmdlet("Get-ItemProperty", LiteralPath=KERBEROS_KEY, Name=ENABLED, ErrorAction="SilentlyContinue"),
    )


def host_reads(host: Host, also: Sequence[str] = ()) -> tuple[Read, ...]:
    """Ask a host about itself, its switch and the workloads of the plan.

    Args:
        host: the host of the plan.
        also: further services to look at (dependents of the plan's services).
    """
    services = (*host.services, *also)
    statements = [
        cmdlet("Get-CimInstance", ClassName="Win32_OperatingSystem", Property=_OS),
        cmdlet("Get-CimInstance", ClassName="Win32_ComputerSystem", Property=_COMPUTER),
        *registry_reads(),
    ]
    if services:
        statements.append(
            cmdlet(
                "Get-CimInstance",
                ClassName="Win32_Service",
                Filter=wql_or("Name", services),
                Property=SERVICE_PROPERTIES,
            )
        )
    if host.services:
        statements.append(cmdlet("Get-Service", Name=host.services, ErrorAction="SilentlyContinue"))
    for task in host.tasks:
        folder, name = split_task(task.path)
        statements += [
            cmdlet(asks, TaskPath=folder, TaskName=name, ErrorAction="SilentlyContinue")
            for asks in ("Get-ScheduledTask", "Get-ScheduledTaskInfo")
        ]
    pools = (Read(host.name, (cmdlet("Get-WebAppPoolState", Name=pool),)) for pool in host.app_pools)
    return (Read(host.name, tuple(statements)), *pools)


def absent(host: Host, found: HostSeen) -> list[str]:
    """Return the workloads that the plan names and the host does not have."""
    return [
        *(f"service {name}" for name in host.services if name.lower() not in found.services),
        *(f"task {task.path}" for task in host.tasks if task.path.lower() not in found.tasks),
        *(f"application pool {name}" for name in host.app_pools if name.lower() not in found.app_pools),
    ]


def services_read(host: str, names: Iterable[str]) -> Read:
    """Ask for services by name."""
    filter_ = wql_or("Name", sorted(names))
    return Read(
        host, (cmdlet("Get-CimInstance", ClassName="Win32_Service", Filter=filter_, Property=SERVICE_PROPERTIES),)
    )


def process_reads(host: str, pids: Iterable[int]) -> Read:
    """Ask when processes began."""
    return Read(
        host,
        (
            cmdlet(
                "Get-CimInstance",
                ClassName="Win32_Process",
                Filter=wql_or("ProcessId", sorted(pids)),
                Property=("ProcessId", "CreationDate"),
            ),
        ),
    )


def parent_read(host: str) -> Read:
    """Ask whether the parent of the switch's key exists; alone, for the answer is a bare word."""
    return Read(host, (cmdlet("Test-Path", LiteralPath=KERBEROS_PARENT),))


def host_seen(name: str, replies: Sequence[tuple[Read, Reply]]) -> HostSeen:
    """Read a host out of the replies to :func:`host_reads`, and to those that followed.

    Raises:
        Unreadable: something that was asked for is missing without an explanation.
    """
    for read, reply in replies:
        if reply.outcome is not Outcome.SUCCEEDED and not _of_pools(read):
            raise Unreadable(f"{name}: {complaint(reply)}")
    records = [record for _, reply in replies for record in reply.records]
    system = _one(name, records, "Win32_OperatingSystem")
    computer = _one(name, records, "Win32_ComputerSystem")
    value, key_exists, parent_exists = _switch(name, replies)
    return HostSeen(
        name=name,
        build=system.number("BuildNumber"),
        product_type=system.number("ProductType"),
        caption=system.text("Caption"),
        local_time=_moment(system, "LocalDateTime"),
        boot_time=_moment(system, "LastBootUpTime"),
        computer_name=computer.text("Name"),
        domain=computer.text("Domain"),
        in_domain=computer.need("PartOfDomain") is True,
        domain_role=computer.number("DomainRole"),
        key_exists=key_exists,
        value=value,
        services=_services(records),
        tasks=_tasks(records, _asked_for(replies)),
        app_pools=_app_pools(replies),
        processes={
            record.number("ProcessId"): _moment(record, "CreationDate")
            for record in records
            if record.kind == "Win32_Process"
        },
        parent_exists=parent_exists,
    )


def _one(name: str, records: Sequence[Record], kind: str) -> Record:
    found = [record for record in records if record.kind == kind]
    if not found:
        raise Unreadable(f"{name} did not answer for {kind}")
    return found[-1]


def _moment(record: Record, name: str) -> datetime:
    value = record.need(name)
    if not isinstance(value, datetime):
        raise Unreadable(f"{record.kind}.{name} is not a time")
    return value


def _switch(name: str, replies: Sequence[tuple[Read, Reply]]) -> tuple[int | str | None, bool, bool | None]:
    """Return the value, whether its key exists, and whether the key's parent does (None: not asked)."""
    value: int | str | None = None
    exists: dict[str, bool] = {}
    for read, reply in replies:
        for statement in read.statements:
            if statement.name == "Test-Path":
                answers = [record.value for record in reply.records if isinstance(record.properties.get(""), bool)]
                if len(answers) != 1:
                    raise Unreadable(f"{name} did not say whether {statement.parameters['LiteralPath']} exists")
                exists[str(statement.parameters["LiteralPath"])] = answers[0] is True
        for record in reply.records:
            if record.has(ENABLED) and record.has("PSPath"):
                found = record.need(ENABLED)
                value = found if isinstance(found, int) else str(found)
    if KERBEROS_KEY not in exists:
        raise Unreadable(f"{name} was not asked for {KERBEROS_KEY}")
    return value, exists[KERBEROS_KEY], exists.get(KERBEROS_PARENT)


def _services(records: Sequence[Record]) -> dict[str, ServiceSeen]:
    dependents = {
        record.text("Name").lower(): _names(record, "DependentServices")
        for record in records
        if record.kind == "ServiceController"
    }
    services = {}
    for record in records:
        if record.kind == "Win32_Service":
            name = record.text("Name")
            services[name.lower()] = ServiceSeen(
                name=name,
                state=record.text("State"),
                start_mode=record.text("StartMode"),
                start_name=record.text("StartName") if record.get("StartName") is not None else None,
                pid=record.number("ProcessId"),
                dependents=dependents.get(name.lower()),
            )
    return services


def _names(record: Record, name: str) -> tuple[str, ...]:
    """Return the names in a property of nested services, which arrive as objects or as their names."""
    value = record.need(name)
    items = value if isinstance(value, tuple) else () if value is None else (value,)
    names = []
    for item in items:
        text = item.get("Name") if isinstance(item, Mapping) else item
        if not isinstance(text, str) or ("." in text and text.startswith("System.")):
            raise Unreadable(f"{record.kind}.{name} came back without names")
        names.append(text)
    return tuple(names)


def _asked_for(replies: Sequence[tuple[Read, Reply]]) -> set[str]:
    """Return the paths of the tasks that were asked for their last run: others that are named were only counted."""
    asked = (one for read, _ in replies for one in read.statements if one.name == "Get-ScheduledTaskInfo")
    return {f"{one.parameters['TaskPath']}{one.parameters['TaskName']}".lower() for one in asked}


def _tasks(records: Sequence[Record], asked: set[str]) -> dict[str, TaskSeen]:
    states: dict[str, Record] = {}
    runs: dict[str, Record] = {}
    for record in records:
        if record.kind in {"MSFT_ScheduledTask", "MSFT_TaskDynamicInfo"}:
            path = record.text("TaskPath") + record.text("TaskName")
            (states if record.kind == "MSFT_ScheduledTask" else runs)[path.lower()] = record
    return {key: _task(record, runs.get(key)) for key, record in states.items() if key in asked}


def _task(record: Record, run: Record | None) -> TaskSeen:
    path = record.text("TaskPath") + record.text("TaskName")
    if run is None:
        raise Unreadable(f"the task {path} came back without its last run")
    return TaskSeen(
        path=path,
        state=record.text("State"),
        last_run=_moment(run, "LastRunTime") if run.get("LastRunTime") is not None else None,
        last_result=run.number("LastTaskResult") if run.get("LastTaskResult") is not None else None,
        next_run=_moment(run, "NextRunTime") if run.get("NextRunTime") is not None else None,
    )


def _of_pools(read: Read) -> bool:
    """Whether a pipeline asks of application pools alone: that it fails says nothing of the host."""
    return read.statements[0].name in {"Get-WebAppPoolState", "Get-WebConfigurationProperty"}


def _pool(read: Read) -> str | None:
    statement = read.statements[0]
    return str(statement.parameters["Name"]) if statement.name == "Get-WebAppPoolState" else None


def _app_pools(replies: Sequence[tuple[Read, Reply]]) -> dict[str, str]:
    pools = {}
    for read, reply in replies:
        name = _pool(read)
        if name and reply.records:
            record = reply.records[-1]
            pools[name.lower()] = record.text("Value" if record.has("Value") else "")
    return pools
