"""The plan: what its author asked for, validated and frozen. The one definition of the plan format.

Keys, defaults and documentation of the YAML file are these classes' fields; the JSON Schema is generated from
them, the loader (:mod:`orchestrator.planfile`) reports positions for them. ``policy`` keys may stand in the
plan, on a wave and on a migration; :meth:`Plan.policy_of` merges them leaf by leaf.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from orchestrator.model.estate import Connection, Directory, Estate, Model, Site, Tls
from orchestrator.model.written import (
    Allowance,
    DnText,
    Duration,
    ExactName,
    HostName,
    Name,
    TaskPath,
    TimeOfDay,
    Webhook,
    parse_duration,
)

__all__ = [
    "Approvals",
    "Blackout",
    "Connection",
    "Day",
    "Directory",
    "Dmsa",
    "Duration",
    "Estate",
    "Failures",
    "Host",
    "Migration",
    "Model",
    "Name",
    "Notify",
    "Occasion",
    "Plan",
    "Policy",
    "Retry",
    "Site",
    "Task",
    "Tls",
    "Waiver",
    "Wave",
    "Window",
    "Windows",
    "merge",
    "parse_duration",
]

Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Occasion: TypeAlias = Literal[
    "wave-started", "held", "approval-needed", "window-missed", "completed", "rolled-back", "original-missing"
]


class Retry(Model):
    """When a transient fault is tried again."""

    attempts: int = Field(5, ge=1, description="How often it is tried in all.")
    first_wait: Duration = Field(timedelta(seconds=5), description="The first wait; each further one is longer.")
    longest_wait: Duration = Field(timedelta(minutes=5), description="No wait is longer.")


class Approvals(Model):
    """How many people must agree, and for how long their word counts."""

    start: int = Field(0, ge=0, description="Different people needed before Start.")
    complete: int = Field(0, ge=0, description="Different people needed before Complete.")
    valid_for: Duration = Field(timedelta(days=7), description="How long an approval counts.")
    keys: dict[Name, Name] | None = Field(
        None, description="Approver: public key; with keys, only signed approvals of these people count."
    )

    def __hash__(self) -> int:
        """Return a hash, keys or not; a mapping has none."""
        return hash((self.start, self.complete, self.valid_for, frozenset((self.keys or {}).items())))


class Policy(Model):
    """Defaults that a wave or a migration may override, leaf by leaf."""

    dwell: Duration = Field(
        timedelta(days=14), description="Hold time between Start and Complete; under 14d needs a waiver."
    )
    flat_for: Duration = Field(timedelta(days=7), description="How long no new host may have been learned.")
    ledger_every: Duration = Field(timedelta(hours=6), description="How often the ledger of hosts is read.")
    retry: Retry = Field(Retry(), description="How often and how soon a transient fault is tried again.")
    reboot: Literal["never", "after_registry"] = Field(
        "never", description="Whether hosts are rebooted once the registry value is set."
    )
    restart_after_complete: bool = Field(True, description="Restart every workload once more after Complete.")
    restart_takes: Duration = Field(
        timedelta(minutes=5), description="What one restart is expected to take, until enough were measured."
    )
    settle: Duration = Field(
        timedelta(seconds=60),
        description="Wait before looking after an unknown outcome; less only on a lab or a drill.",
    )
    converge_within: Duration = Field(timedelta(hours=12), description="How long replication may take.")
    register_within: Duration = Field(
        timedelta(hours=24), description="How long hosts may take to appear in the allowed principals."
    )
    on_failure: Literal["hold", "undo"] = Field("hold", description="What happens to a migration that fails.")
    rollback_by: Literal["undo", "reset"] = Field("undo", description="The way back that rollback takes.")
    approvals: Approvals = Field(Approvals(), description="How many people must agree.")
    hosts_missing: Literal["hold", "add"] = Field(
        "hold", description="Hosts not in the allowed principals after register_within: hold, or add what is fit."
    )
    require_change: bool = Field(False, description="Refuse to run without a change ticket.")


class Task(Model):
    r"""A scheduled task: its full path (``\Reports\Nightly``), and ``run`` where a run is a safe proof."""

    path: TaskPath = Field(description=r"Full path, such as \Reports\Nightly.")
    run: bool = Field(False, description="Run it as proof; default proof is its next scheduled run.")

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler.resolve_ref_schema(handler(schema))]}


class Host(Model):
    """A host that uses the account, and what runs under it there."""

    name: HostName = Field(description="Host name, as connections and sites match it.")
    services: tuple[ExactName, ...] = Field((), description="Names (not display names) of Windows services.")
    tasks: tuple[Task, ...] = Field((), description="Scheduled tasks.")
    app_pools: tuple[ExactName, ...] = Field((), description="IIS application pools.")
    workloads: Literal["discover"] | None = Field(
        None, description="discover: whatever the host reports as running under the account, in place of the lists."
    )

    @property
    def discovers(self) -> bool:
        """Whether the host itself says what runs there, and has not said it yet."""
        return self.workloads == "discover"


class Dmsa(Model):
    """The delegated Managed Service Account that supersedes the account."""

    name: ExactName = Field(description="Name, and with a $ the sAMAccountName; at most 15 characters.")
    dns_host_name: HostName = Field(description="DNS host name of the dMSA.")
    path: DnText | None = Field(None, description="OU or container it is created in; default: the domain's own.")
    encryption: tuple[Literal["RC4", "AES128", "AES256"], ...] = Field(
        ("AES256",), min_length=1, description="Kerberos encryption types."
    )
    principals: tuple[Name, ...] = Field((), description="Who may use the dMSA from the beginning.")


class Waiver(Model):
    """A guard that people decided to do without, and why."""

    guard: Name = Field(description="Id of the guard.")
    reason: Name = Field(description="Why it is safe to do without; stands in every report.")
    approved_by: tuple[Name, ...] = Field(min_length=1, description="Who must approve it before it counts.")


class Window(Model):
    """When work may begin. ``close`` at or before ``open`` means the next day."""

    days: tuple[Day, ...] = Field(min_length=1, description="Days on which it opens.")
    open: TimeOfDay = Field(description='Time of day, quoted: "22:00".')
    close: TimeOfDay = Field(description='Time of day, quoted: "04:00"; at or before open means the next day.')
    zone: Name = Field(description="Time zone by its IANA name, such as Europe/Berlin.")


class Windows(Model):
    """Different windows for the two halves of a migration."""

    start: Window | None = Field(None, description="For Start, registry and the first restart; default: any time.")
    complete: Window | None = Field(None, description="For Complete and the second restart; default: any time.")


class Blackout(Model):
    """Dates, inclusive, in the wave's zone, on which nothing begins."""

    model_config = ConfigDict(populate_by_name=True)

    from_: Annotated[date, Field(alias="from", description="First day, such as 2026-12-18.")]
    to: date = Field(description="Last day.")
    reason: str = Field("", description="Shown where work waits for it.")


class Failures(Model):
    """How many migrations of the wave may fail before nothing new is admitted."""

    allow: Allowance = Field(0, description='A count, or a percentage in quotes ("5%"), rounded down.')


class Migration(Policy):
    """One superseded account, its dMSA, and every host that uses it."""

    account: DnText = Field(description="DN of the superseded account.")
    dmsa: Dmsa = Field(description="The dMSA that supersedes it.")
    hosts: tuple[Host, ...] = Field(min_length=1, description="Every host that uses the account.")
    waivers: tuple[Waiver, ...] = Field((), description="Guards that people decided to do without.")
    drill: bool = Field(False, description="A disposable pair, on which drills and short settling are allowed.")

    @property
    def id(self) -> str:
        """The dMSA's name: unique in the plan, short, and what people say."""
        return self.dmsa.name

    def host(self, name: str) -> Host:
        """Return the host of that name.

        Raises:
            KeyError: the migration has no such host.
        """
        return next(host for host in self.hosts if host.name == name)

    def waiver(self, guard: str) -> Waiver | None:
        """Return the waiver for a guard id, if there is one."""
        return next((waiver for waiver in self.waivers if waiver.guard == guard), None)


class Wave(Policy):
    """Migrations that are admitted together, under rules of their own."""

    name: Name = Field(description="The wave's name, as --only and --wave take it.")
    needs: tuple[Name, ...] | None = Field(
        None, description="Waves that must be met first; default: the wave above; [] for none."
    )
    at_once: int = Field(4, ge=1, description="How many migrations may be in flight.")
    failures: Failures = Field(Failures(), description="How many migrations may fail.")
    window: Window | None = Field(None, description="When work may begin; for Start and Complete alike.")
    windows: Windows | None = Field(None, description="Different windows for Start and Complete.")
    blackout: tuple[Blackout, ...] = Field((), description="Dates on which nothing begins.")
    migrations: tuple[Migration, ...] = Field(min_length=1, description="What is moved in this wave.")


class Notify(Model):
    """Where notices go."""

    webhook: Webhook = Field(
        description="URL that receives a POST for each notice; better a reference to it, for it is a secret."
    )
    on: tuple[Occasion, ...] | None = Field(None, min_length=1, description="For what; default: everything.")
    format: Literal["plain", "slack", "teams"] | None = Field(
        None, description="What the receiver understands; default: by the URL's host, else plain."
    )


class Plan(Model):
    """Everything that one run is about."""

    version: Literal[1] = Field(description="Version of this format: 1.")
    name: str = Field(pattern=r"^[a-z0-9-]{1,64}$", description="Names the run in the journal: a-z, 0-9 and -.")
    description: str = Field("", description="Shown in every report.")
    change: str | None = Field(None, description="The change ticket; shown in every report.")
    owner: str | None = Field(None, description="Who answers for the run; shown in every report.")
    estate: Estate = Field(description="Where the plan applies.")
    policy: Policy = Field(Policy(), description="Defaults for every wave and migration.")
    notify: tuple[Notify, ...] = Field((), description="Where notices go.")
    waves: tuple[Wave, ...] = Field(min_length=1, description="What is moved, in which order, under which rules.")

    @cached_property
    def _index(self) -> dict[str, tuple[Wave, Migration, Policy]]:
        index = {}
        for wave in self.waves:
            of_wave = merge(self.policy, wave)  # one object for all that override nothing
            for migration in wave.migrations:
                plain = migration.model_fields_set.isdisjoint(Policy.model_fields)
                index[migration.id] = wave, migration, of_wave if plain else merge(self.policy, wave, migration)
        return index

    def migrations(self) -> Iterator[Migration]:
        """Yield every migration, in the order of the file."""
        return (migration for wave in self.waves for migration in wave.migrations)

    def migration(self, id_: str) -> Migration:
        """Return a migration by its id (the dMSA's name)."""
        return self._index[id_][1]

    def wave_of(self, id_: str) -> Wave:
        """Return the wave a migration belongs to."""
        return self._index[id_][0]

    def policy_of(self, id_: str) -> Policy:
        """Return the policy of a migration: plan, then wave, then migration, merged leaf by leaf."""
        return self._index[id_][2]

    def needs_of(self, wave: Wave) -> tuple[str, ...]:
        """Return the waves that must be met first: ``needs``, or the wave above."""
        return self._needs[wave.name]

    @cached_property
    def _needs(self) -> dict[str, tuple[str, ...]]:
        above: tuple[str, ...] = ()
        needs = {}
        for wave in self.waves:
            needs[wave.name] = above if wave.needs is None else wave.needs
            above = (wave.name,)
        return needs

    @property
    def is_lab(self) -> bool:
        """Whether the estate is simulated, embedded or behind TCP."""
        return self.estate.lab is not None or self.estate.simulated


def merge(*layers: Policy) -> Policy:
    """Merge policies leaf by leaf; a later layer wins where it says something."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for name in layer.model_fields_set & Policy.model_fields.keys():
            value = getattr(layer, name)
            if isinstance(value, Model):
                value = {
                    **merged.get(name, {}),
                    **{leaf: getattr(value, leaf) for leaf in value.model_fields_set},
                }
            merged[name] = value
    return Policy.model_validate(merged)
