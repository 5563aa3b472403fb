"""What is known about one migration from the journal. Nouns only; :mod:`orchestrator.model.fold` changes them.

Times are estate time (the pinned domain controller's); ``None`` where it could not be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

from orchestrator.model.before import Compared, SnapshotRepeated, SnapshotTaken
from orchestrator.model.event import DIRECTORY, AttemptStarted, BaselineRead, FaultSeen, UnknownHost, WorkloadSeen
from orchestrator.model.lifecycle import Intention, Pair, Phase, Trigger, Way
from orchestrator.model.words import AdoptAsked, AssertedDone

RESTARTS = {
    "Restart-Service": "service",
    "Restart-WebAppPool": "app-pool",
    "Start-Service": "service",
    "Start-ScheduledTask": "task",
}
"""Cmdlets after which a workload counts as touched by this attempt."""

MIGRATION_CMDLETS = frozenset(f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete", "Undo", "Reset"))


TURNED_AWAY = "turned-away"
"""Under which tries are counted for which a subject's endpoint had no room; beside ``read`` and ``write``."""


def thing(parameters: Mapping[str, object]) -> str:
    """Return what a write is about on its host: a service, a pool, a value, a key, or the full path of a task."""
    task = f"{parameters.get('TaskPath', '')}{parameters.get('TaskName', '')}"
    return str(parameters.get("Name") or parameters.get("Path") or task)


def spelled(cmdlet: str, parameters: Mapping[str, object]) -> str:
    """Return the name under which writes of one kind to one thing are counted."""
    return f"{cmdlet} {thing(parameters)}".strip()


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a migration stands still, since when, and what lets it go on."""

    reason: str
    detail: str
    release: str
    since: datetime | None
    subject: str = DIRECTORY
    by: str | None = None
    down: tuple[str, ...] = ()
    """Workloads at the subject that a way back leaves down."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What must come first, and until when at the earliest."""

    waiting_for: str
    until: datetime | None
    detail: str = ""
    fault: FaultSeen | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """Until when a subject may wait for one thing, and since when it does."""

    until: datetime
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write that was sent, or may have been. ``unsettled`` from an unknown outcome until somebody has looked."""

    started: AttemptStarted
    at: datetime | None
    unsettled: bool = False
    shell_ended: bool = False
    unsettled_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class HostProgress:
    """What has been proved at one host, for people; the steps decide from read-backs, not from this."""

    registry: str = "pending"
    rebooted: bool | None = None
    restarted: bool = False
    workloads: tuple[WorkloadSeen, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """A host that is gone for good: who says so, why, and since when."""

    by: str
    reason: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """Who was ever seen among the principals allowed to use the dMSA, and when first."""

    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    present: frozenset[str] = frozenset()
    hosts_present: frozenset[str] = frozenset()
    hosts_since: datetime | None = None
    read_at: datetime | None = None
    unknown: tuple[UnknownHost, ...] = ()
    """What is known of those that are no host of the plan."""

    def without_vanished(self) -> Ledger:
        """Return the ledger of a migration that a person let go on although somebody is gone: nobody is missed."""
        known = {one: at for one, at in self.first_seen.items() if one not in self.vanished}
        return replace(self, first_seen=known)

    @property
    def vanished(self) -> frozenset[str]:
        """Principals that were seen once and are gone."""
        present = {principal.lower() for principal in self.present}
        return frozenset(principal for principal in self.first_seen if principal.lower() not in present)

    @property
    def learned_at(self) -> datetime | None:
        """When the youngest principal was first seen."""
        return max(self.first_seen.values(), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationState:
    """Everything that is known about one migration from the journal."""

    id: str
    phase: Phase = Phase.PLANNED
    since: datetime | None = None
    intention: Intention = Intention.FORWARD
    way: Way | None = None
    password_risk_accepted: bool = False
    """Whether an operator let this way back begin although the password is not as the services hold it."""
    attempt: int = 1
    held: Hold | None = None
    failure: Literal["refused", "failed"] | None = None
    admitted: Trigger | None = None
    waits: Mapping[str, Waiting] = field(default_factory=dict)
    deadlines: Mapping[tuple[str, str], Limit] = field(default_factory=dict)
    """How long a subject may wait for one thing, from when it first did: a fault in between does not renew it."""
    tries: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How often a subject's read or write (``(subject, "read")``) has failed for now, or was turned away."""
    faults: Mapping[tuple[str, str], FaultSeen] = field(default_factory=dict)
    """What a write said went wrong (``(subject, spelled(...))``), until it is retried, its subject is done, or a
    person has spoken.
    """
    open: Mapping[str, Attempt] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    performed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    asked: Mapping[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    """The parameters with which each of them was sent last: a fault speaks of these, and of no others."""
    landed: frozenset[tuple[str, str]] = frozenset()
    """Writes of this phase whose success was acknowledged: the only proof of those that leave nothing to read."""
    wish: Pair | None = None
    reached: Pair | None = None
    sent: frozenset[str] = frozenset()
    """The migration cmdlets that this attempt has sent; whatever came of them."""
    touched: frozenset[tuple[str, str, str]] = frozenset()
    snapshot: SnapshotTaken | None = None
    snapshot_at: datetime | None = None
    repeated: SnapshotRepeated | None = None
    repeated_at: datetime | None = None
    """The same once more, as it was right before Complete."""
    compared: Compared | None = None
    """What the last way back found when it held everything against the snapshot."""
    dmsa_guid: UUID | None = None
    hosts: Mapping[str, HostProgress] = field(default_factory=dict)
    asserted: AssertedDone | None = None
    """The step that a person says was done by hand, until a read-back has agreed or contradicted."""
    adopting: AdoptAsked | None = None
    """Who asked to take it over, until it has entered a phase or a person is needed."""
    adopted: bool = False
    lost: Mapping[str, Lost] = field(default_factory=dict)
    """Hosts that count as done, because they are gone for good."""
    baselines: Mapping[str, BaselineRead] = field(default_factory=dict)
    ledger: Ledger = Ledger()
    converged_at: datetime | None = None
    registry_at: datetime | None = None
    anew_at: datetime | None = None

    @property
    def complete_sent(self) -> bool:
        """Whether Complete was sent in this attempt, or was about to be when everything was read once more, or may have
        been by whoever began what was adopted. An Undo makes nobody forget it.
        """
        return "Complete-ADServiceAccountMigration" in self.sent or self.repeated is not None or self.adopted

    @property
    def back_not_begun(self) -> bool:
        """Whether a way back stands before its first write, for want of an operator's word about the password."""
        reason = self.held.reason if self.held else None
        return self.intention is Intention.BACK and reason == "guard:account-password-stable"

    @property
    def in_flight(self) -> bool:
        """Whether the migration takes one of its wave's places (``design``: from admission to ``restarted`` or
        ``completed``, and on every way back; waiting for a task's next scheduled run does not count).
        """
        if self.phase in {Phase.PLANNED, Phase.ROLLED_BACK}:
            return False
        if self.intention is Intention.BACK:
            return True
        if self.admitted is None:
            return False
        return not self._rests

    @property
    def _rests(self) -> bool:
        """Whether all that is left to do is to wait for a task's run: no host is in the middle of its restarts."""
        if not self.waits or self.open or any(wait.waiting_for != "task-run" for wait in self.waits.values()):
            return False
        return all(host in self.waits or host in self.done or host in self.lost for host in self.baselines)

    @property
    def all_lost_since(self) -> datetime | None:
        """Since when no host is left that could prove anything; None while there is one."""
        if not self.lost or self.hosts.keys() - self.lost.keys():
            return None
        return max((one.since for one in self.lost.values() if one.since is not None), default=None)

    @property
    def vanished(self) -> frozenset[str]:
        """Principals that were seen once and are gone; a host that is known to be lost is no surprise."""
        lost = {host.lower() for host in self.lost}
        return frozenset(principal for principal in self.ledger.vanished if principal.lower() not in lost)

    @property
    def dwell_parts(self) -> Mapping[str, datetime | None]:
        """What the dwell counts from, each when it came: the pair on every copy, the last host's value read back, the
        last host of the plan seen among the principals; and where it began anew, an Undo or an amendment.
        """
        gone = self.all_lost_since
        return {
            "converged": self.converged_at,
            "registry": self.registry_at or gone,
            "allowed": self.ledger.hosts_since or gone,
            "anew": self.anew_at,
        }

    @property
    def dwell_started(self) -> datetime | None:
        """When the dwell began: the latest of its parts, once all three are there."""
        parts = self.dwell_parts
        if any(parts[name] is None for name in ("converged", "registry", "allowed")):
            return None
        return max(at for at in parts.values() if at is not None)


_T = TypeVar("_T")


def replaced(one: _T, **changes: Any) -> _T:
    """Return *one* with other values in some of its fields, as ``dataclasses.replace`` does.

    A migration's state three times as fast: making the next one is most of what folding a row takes.
    """
    if type(one) is not MigrationState:
        return replace(one, **changes)  # type: ignore[type-var]  # whoever calls has a dataclass
    after = object.__new__(MigrationState)
    for get, put in _COPIES:
        put(after, get(one))
    for name, value in changes.items():
        _PUTS[name](after, value)
    return after  # type: ignore[return-value]  # its type is _T here


_SLOTS = [getattr(MigrationState, one.name) for one in fields(MigrationState)]
_COPIES = [(slot.__get__, slot.__set__) for slot in _SLOTS]
_PUTS = {slot.__name__: slot.__set__ for slot in _SLOTS}
