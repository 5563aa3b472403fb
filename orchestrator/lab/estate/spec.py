"""The estate file: what a simulated domain consists of on its first day.

The file is YAML (``plans/estates/*.yaml``); these classes are its only definition. Everything that an
author may leave out has the default of an ordinary, healthy domain.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self, TypeAlias

import yaml
from pydantic import AwareDatetime, Field, ValidationError, model_validator

from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate.clock import LONGEST_JUMP
from orchestrator.lab.estate.descriptor_spec import DescriptorSpec
from orchestrator.lab.estate.quantities import Duration, Name, Spec, TimeOfDay
from orchestrator.lab.estate.sessions_spec import SessionsSpec
from orchestrator.lab.estate.weather_spec import Partition, ServiceBroken, WeatherSpec

FIRST_DMSA_BUILD = 26100


class EstateInvalid(ValueError):
    """The estate file is not one; ``problems`` holds every reason, each with the path of its key."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the estate file is invalid:\n" + "\n".join(f"  {problem}" for problem in problems))
        self.problems = problems


KerberosValue: TypeAlias = Literal["no-key", "absent", 0, 1]
"""``DelegatedMSAEnabled`` on a host: the value, no value in an existing key, or not even the key."""


class DomainSpec(Spec):
    """The domain, which is also its forest."""

    dns: Name
    netbios: Name
    recycle_bin: bool = True
    ticket_lifetime: Duration = timedelta(hours=10)
    """How often what runs renews its tickets (Microsoft Learn, "Maximum lifetime for user ticket": 10 hours)."""
    schema_version: int = 91
    max_password_age: Duration | None = timedelta(days=42)
    """When a password expires that may; null for never (Microsoft Learn, Maximum password age: 42 days)."""
    kds_root_key_age: Duration | None = timedelta(days=30)
    """How long before the clock's start a KDS root key became effective; null for a forest without one."""

    @property
    def dn(self) -> str:
        """The distinguished name of the domain."""
        return ",".join(f"DC={label}" for label in self.dns.split("."))


class ClockSpec(Spec):
    """When the estate's time begins, and how far it may jump."""

    start: AwareDatetime = datetime(2026, 1, 1, tzinfo=UTC)
    jump: Duration = Field(LONGEST_JUMP, gt=timedelta(0), description="How far time jumps at most while nobody acts.")


class OperatorSpec(Spec):
    """Somebody who may log on to the estate's endpoints, and what is allowed. Nobody listed may do everything."""

    name: Name = "operator"
    rights: frozenset[Literal["read", "read-dmsa", "write", "migrate", "hosts"]] = frozenset(
        {"read", "read-dmsa", "write", "migrate", "hosts"}
    )
    domain_admin: bool = True
    hidden: frozenset[Name] = frozenset()
    """Attributes that this one may not read: they are left out as if they were unset (MS-ADTS 3.1.1.3.1.3.1)."""


class CallerSpec(Spec):
    """Somebody who may log on beside the operator; the operator's own name here changes how they log on."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,20}$")]
    password_file: str | None = None
    """A file with the password, relative to the estate file; by default one is made up and kept in the state."""
    locked: bool = False
    remote: bool = True
    """Whether the endpoints let this account in, as members of Remote Management Users are."""


class AccessSpec(Spec):
    """How one logs on to the endpoints."""

    methods: Annotated[tuple[Literal["basic", "ntlm", "kerberos", "certificate"], ...], Field(min_length=1)] = (
        "basic",
    )
    http: bool = False
    """A second port for each host, without TLS: there ``ntlm`` and ``kerberos`` encrypt each message."""
    channel_binding: Literal["strict", "relaxed", "none"] = "strict"
    """What becomes of a log-on on TLS that is not bound to the host's certificate (WinRM: CbtHardeningLevel)."""
    keytab: str | None = None
    """A keytab with the keys of ``host/<name>`` for each host, relative to the estate file; for ``kerberos``."""
    callers: tuple[CallerSpec, ...] = ()

    @model_validator(mode="after")
    def _kerberos_has_keys(self) -> Self:
        if ("kerberos" in self.methods) != (self.keytab is not None):
            raise ValueError("kerberos among the methods and a keytab need each other")
        names = [caller.name.lower() for caller in self.callers]
        if len(set(names)) < len(names):
            raise ValueError("a caller is listed twice")
        return self


class DcSpec(Spec):
    """A domain controller."""

    name: Name
    address: str | None = None
    build: int = 26100
    ubr: int = 6584
    site: Name = "Default-First-Site-Name"
    writable: bool = True
    latency: Duration = timedelta(seconds=15)
    """How long a change takes between this DC and another; of the two DCs' values the longer counts."""
    security_log: Duration = timedelta(days=90)
    """How far back the Security log reaches."""
    security_log_readable: bool = True
    """Whether those who may log on may read the Security log."""
    global_catalog: bool = True
    clock_ahead: Duration = timedelta(0)
    """By how much its own clock is ahead of the estate's."""


class UserSpec(Spec):
    """A user account."""

    dn: Name
    sam: str | None = None
    upn: str | None = None
    description: str | None = None
    spns: tuple[Name, ...] = ()
    enabled: bool = True
    protected: bool = False
    pwd_last_set: AwareDatetime | None = None
    pwd_never_expires: bool = True
    encryption_types: int | None = 24
    admin_count: int | None = None
    unconstrained_delegation: bool = False
    protocol_transition: bool = False
    delegates_to: tuple[str, ...] = ()
    delegated_by: tuple[Name, ...] = ()
    """Distinguished names of who may delegate to it: resource-based constrained delegation."""
    authn_policy: Name | None = None
    authn_silo: Name | None = None
    """Names of an authentication policy and of a silo; the directory has each that is named, and the silo lists it."""
    rid: int | None = None
    kind: Literal["user", "inetOrgPerson"] = "user"
    last_log_on: AwareDatetime | None = None
    """What lastLogonTimestamp says on the first day, and goes on saying; by default three days before it."""
    ever_logged_on: bool = True
    locked: bool = False
    """Locked out after wrong passwords, until a person unlocks it."""
    expires: AwareDatetime | None = None
    """When the account expires; null for one that never does."""


class GroupSpec(Spec):
    """A security group; members are distinguished names."""

    dn: Name
    sam: str | None = None
    members: tuple[Name, ...] = ()
    rid: int | None = None


class DmsaSpec(Spec):
    """A dMSA that is there on the first day."""

    dn: Name
    state: Literal[0, 1, 2, 3] = 0
    supersedes: str | None = None
    """The DN of the account that it precedes; both sides of the link and the account's state are written."""
    linked_by: Literal["both", "dmsa", "account"] = "both"
    """Which of the two knows of the link. One alone is what somebody writes who may not write the other."""
    principals: tuple[Name, ...] = ()
    description: str | None = None
    encryption_types: int = 24


class ServiceSpec(Spec):
    """A Windows service."""

    name: Name
    display: str | None = None
    log_on: Name = "LocalSystem"
    state: Literal["Running", "Stopped"] = "Running"
    start_mode: Literal["Auto", "Manual", "Disabled"] = "Auto"
    depends_on: tuple[Name, ...] = ()


class TaskSpec(Spec):
    """A scheduled task; ``daily`` is a time of day in UTC, none for a task that runs on demand only."""

    path: Annotated[str, Field(pattern=r"^\\(.*\\)?[^\\]+$")]
    log_on: Name
    daily: TimeOfDay | None = None
    enabled: bool = True


class PoolSpec(Spec):
    """An IIS application pool."""

    name: Name
    log_on: Name = "ApplicationPoolIdentity"
    state: Literal["Started", "Stopped"] = "Started"


class ClusterResourceSpec(Spec):
    """A resource of the failover cluster that a host is a node of."""

    name: Name
    type: Name = "Generic Service"
    group: Name = "Available Storage"


class HostSpec(Spec):
    """A domain member."""

    name: Name
    address: str | None = None
    build: int = 26100
    ubr: int = 6584
    client: bool = False
    """A workstation edition instead of a server."""
    site: Name = "Default-First-Site-Name"
    kerberos: KerberosValue = "absent"
    event_log: bool = False
    registers: bool = True
    """False for one that never adds itself to a dMSA's principals, though it could use it: what logs on there takes
    another way than Kerberos, or the host has not been restarted since its switch was set."""
    listening: bool = True
    """False for a host that exists but offers no endpoint."""
    boots_in: Duration = timedelta(seconds=90)
    clock_ahead: Duration = timedelta(0)
    """By how much the machine's own clock is ahead of the estate's."""
    encryption_types: int | None = 28
    """What its computer account says of Kerberos encryption types; a machine that joins a domain writes it."""
    services: tuple[ServiceSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    app_pools: tuple[PoolSpec, ...] = ()
    cluster: tuple[ClusterResourceSpec, ...] | None = None
    """The resources of its failover cluster; null for a host that is no node of one."""

    @model_validator(mode="after")
    def _dependencies_exist(self) -> Self:
        known = {service.name.lower() for service in self.services}
        if len(known) < len(self.services):
            raise ValueError(f"{self.name} has a service twice")
        for service in self.services:
            for needed in service.depends_on:
                if needed.lower() not in known:
                    raise ValueError(f"service {service.name} depends on {needed}, which {self.name} does not have")
        return self


class OtherUse(Spec):
    """A client outside the listed hosts that keeps using an account, seen only in the DCs' Security logs."""

    account: Name
    address: Name
    workstation: Name
    protocol: Literal["kerberos", "ntlm"] = "kerberos"
    every: Duration = timedelta(hours=1)
    dc: Name | None = None
    """The domain controller that lets it in; the first that answers by default."""
    ended: Duration | None = None
    """How long before the clock's start it was for the last time; by default it goes on."""


class Switches(Spec):
    """Behaviours of Windows that no document settles; each can be had both ways.

    The defaults are the most plausible reading of Microsoft's pages, not knowledge.
    """

    undo_enables_account: bool = True
    undo_restores_spns: bool = True
    undo_removes_copies: bool = True
    undo_clears_membership: bool = False
    reset_restores: bool = False
    reset_clears_membership: bool = False
    reset_of_unlinked: Literal["refuse", "nothing"] = "refuse"
    complete_refuses_empty_membership: bool = False
    start_refuses_disabled_account: bool = True
    batch_goes_on_after_error: bool = False
    second_hop: bool = False


class EstateSpec(Spec):
    """Everything about a simulated estate on its first day."""

    name: str = "estate"
    seed: int = 1
    jea: Name | None = Field(
        None, description="Folder of JEA files (`dmsa jea PLAN -o DIR`), relative to this file; machines serve them."
    )
    domain: DomainSpec
    clock: ClockSpec = ClockSpec()
    operator: OperatorSpec = OperatorSpec()
    access: AccessSpec = AccessSpec()
    dcs: Annotated[tuple[DcSpec, ...], Field(min_length=1)]
    ous: tuple[Name, ...] = ()
    users: tuple[UserSpec, ...] = ()
    groups: tuple[GroupSpec, ...] = ()
    dmsas: tuple[DmsaSpec, ...] = ()
    descriptors: tuple[DescriptorSpec, ...] = ()
    hosts: tuple[HostSpec, ...] = ()
    other_use: tuple[OtherUse, ...] = ()
    switches: Switches = Switches()
    reads_go_elsewhere: bool = Field(
        False, description="Reads come from the first domain controller's copy, whatever `-Server` says."
    )
    sessions: SessionsSpec = SessionsSpec()
    weather: tuple[WeatherSpec, ...] = ()

    @property
    def first_controller(self) -> DcSpec:
        """The domain controller that a plan for this estate is pinned to: the first that knows the operation."""
        return next((dc for dc in self.dcs if dc.writable and dc.build >= FIRST_DMSA_BUILD), self.dcs[0])

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        machines = [*(dc.name.lower() for dc in self.dcs), *(host.name.lower() for host in self.hosts)]
        for name in machines:
            if machines.count(name) > 1:
                raise ValueError(f"{name} appears twice among dcs and hosts")
        if not any(dc.writable for dc in self.dcs):
            raise ValueError("dcs: at least one must be writable")
        for number, rule in enumerate(self.weather):
            self._weather_meets(rule, f"weather[{number}]")
        named = [user.dn for user in self.users] + [group.dn for group in self.groups]
        for dn in (*self.ous, *named, *(dmsa.dn for dmsa in self.dmsas)):
            if not names.is_under(dn, self.domain.dn):
                raise ValueError(f"{dn} is not below {self.domain.dn}")
        return self

    def _weather_meets(self, rule: WeatherSpec, where: str) -> None:
        controllers = {form for dc in self.dcs for form in _forms(dc.name)}
        hosts = {form: host for host in self.hosts for form in _forms(host.name)}
        wanted = getattr(rule, "host", None)
        if wanted is not None and wanted.lower() not in {*controllers, *hosts}:
            raise ValueError(f"{where}: there is no machine {wanted}")
        if isinstance(rule, Partition) and rule.host.lower() not in controllers:
            raise ValueError(f"{where}: {rule.host} is no domain controller")
        if isinstance(rule, ServiceBroken):
            host = hosts.get(rule.host.lower())
            if host is None or rule.service.lower() not in {service.name.lower() for service in host.services}:
                raise ValueError(f"{where}: {rule.host} has no service {rule.service}")


def release_of(build: int) -> str:
    """Return the year in the name of a Windows Server of a build."""
    return "2025" if build >= FIRST_DMSA_BUILD else "2022" if build >= 20348 else "2019"


def _forms(name: str) -> tuple[str, str]:
    return name.lower(), name.lower().partition(".")[0]


def load_spec(text: str) -> EstateSpec:
    """Read an estate file.

    Raises:
        EstateInvalid: it is not YAML, or not an estate; every problem is named.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise EstateInvalid([f"not YAML: {error}"]) from error
    try:
        return EstateSpec.model_validate(data)
    except ValidationError as error:
        raise EstateInvalid([_problem(item["loc"], item["msg"]) for item in error.errors()]) from error


def _problem(location: tuple[int | str, ...], message: str) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    return f"{path}: {message}" if path else message
