"""Where a run stands: a fold of its events, and nothing else.

``fold`` refuses an event that the law does not allow and then changes nothing; whoever appends folds first, so
that a journal never holds an illegal history and ``replay(journal) == live state`` always.

Each migration's state is frozen; :class:`RunState` replaces one state per event. Times are estate time (the
pinned domain controller's); ``None`` where it could not be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from orchestrator.model.event import (
    DIRECTORY,
    Admitted,
    AttemptFinished,
    AttemptSettled,
    AttemptStarted,
    BaselineRead,
    CallRefused,
    ControllersFound,
    Event,
    FaultSeen,
    Held,
    HostBefore,
    LedgerRead,
    Moved,
    Recovered,
    Released,
    RetryDue,
    RunBegan,
    RunnerLeft,
    RunnerTook,
    ShellEnded,
    SnapshotTaken,
    SubjectDone,
    WaitBegan,
    WayBackAsked,
    WorkloadSeen,
)
from orchestrator.model.lifecycle import IllegalMove, Intention, Pair, Phase, Trigger, Way, move
from orchestrator.model.observation import Outcome

RESTARTS = {
    "Restart-Service": "service",
    "Restart-WebAppPool": "app-pool",
    "Start-Service": "service",
    "Start-ScheduledTask": "task",
}
"""Cmdlets after which a workload counts as touched by this attempt."""

MIGRATION_CMDLETS = frozenset(f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete", "Undo", "Reset"))


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a migration stands still, since when, and what lets it go on."""

    reason: str
    detail: str
    release: str
    since: datetime | None
    subject: str = DIRECTORY
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What must come first, and until when at the earliest."""

    waiting_for: str
    until: datetime | None
    detail: str = ""
    fault: FaultSeen | None = None


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
class Ledger:
    """Who was ever seen among the principals allowed to use the dMSA, and when first."""

    first_seen: Mapping[str, datetime] = field(default_factory=dict)
    present: frozenset[str] = frozenset()
    hosts_present: frozenset[str] = frozenset()
    hosts_since: datetime | None = None
    read_at: datetime | None = None

    @property
    def vanished(self) -> frozenset[str]:
        """Principals that were seen once and are gone."""
        return frozenset(self.first_seen) - self.present

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
    attempt: int = 1
    held: Hold | None = None
    failure: Literal["refused", "failed"] | None = None
    admitted: Trigger | None = None
    waits: Mapping[str, Waiting] = field(default_factory=dict)
    tries: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How often a subject's read or write (``(subject, "read")``) has failed for now."""
    faults: Mapping[str, FaultSeen] = field(default_factory=dict)
    """The fault of the last write at a subject, until it is retried, done, or a person has spoken."""
    open: Mapping[str, Attempt] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    performed: Mapping[tuple[str, str], int] = field(default_factory=dict)
    wish: Pair | None = None
    reached: Pair | None = None
    sent: frozenset[str] = frozenset()
    """The migration cmdlets that this attempt has sent; whatever came of them."""
    touched: frozenset[tuple[str, str, str]] = frozenset()
    snapshot: SnapshotTaken | None = None
    originals: Mapping[str, HostBefore] = field(default_factory=dict)
    dmsa_guid: UUID | None = None
    hosts: Mapping[str, HostProgress] = field(default_factory=dict)
    baselines: Mapping[str, BaselineRead] = field(default_factory=dict)
    ledger: Ledger = Ledger()
    converged_at: datetime | None = None
    registry_at: datetime | None = None
    anew_at: datetime | None = None

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
        return not self.waits or any(wait.waiting_for != "task-run" for wait in self.waits.values())

    @property
    def dwell_started(self) -> datetime | None:
        """When the dwell began: the latest of convergence, the last host's registry and the last host allowed."""
        if self.converged_at is None or self.registry_at is None or self.ledger.hosts_since is None:
            return None
        moments = (self.converged_at, self.registry_at, self.ledger.hosts_since, self.anew_at)
        return max(moment for moment in moments if moment is not None)


@dataclass(frozen=True, slots=True)
class RegistryUse:
    """The host-wide value: what it was before any of ours needed it, and who needs it now."""

    original: HostBefore
    needed_by: frozenset[str]


@dataclass(slots=True)
class RunState:
    """All migrations of one run. Changed by :meth:`apply` alone, which raises before it changes anything."""

    run: str
    digest: str | None = None
    plan: dict[str, Any] | None = None
    controllers: tuple[str, ...] = ()
    migrations: dict[str, MigrationState] = field(default_factory=dict)
    registry: dict[str, RegistryUse] = field(default_factory=dict)
    refused: str | None = None
    last_at: datetime | None = None

    def __getitem__(self, id_: str) -> MigrationState:
        """Return the state of a migration; one that was never mentioned is ``planned``."""
        return self.migrations.get(id_) or MigrationState(id=id_)

    def apply(self, event: Event, at: datetime | None) -> None:
        """Fold one event in.

        Args:
            event: what happened.
            at: estate time, or None where it could not be read.

        Raises:
            IllegalMove: the law has no such move; the state is as it was.
        """
        id_ = getattr(event, "migration", None)
        if id_ is not None and type(event) in _FOLDS:
            before = self[id_]
            after = _FOLDS[type(event)](before, event, at, self)
            self._count_registry(event, after)
            self.migrations[id_] = after
        elif isinstance(event, RunBegan):
            self.digest, self.plan = event.digest, event.plan
        elif isinstance(event, ControllersFound):
            self.controllers = event.names
        elif isinstance(event, CallRefused):
            self.refused = event.detail
        elif isinstance(event, RunnerTook | RunnerLeft):
            self.refused = None
        self.last_at = at or self.last_at

    def needed_elsewhere(self, host: str, id_: str) -> frozenset[str]:
        """Return the other migrations that need the host's registry value."""
        use = self.registry.get(host.lower())
        return use.needed_by - {id_} if use else frozenset()

    def original(self, host: str, id_: str) -> HostBefore | None:
        """Return the host as it was before any of ours changed its registry value."""
        use = self.registry.get(host.lower())
        return use.original if use else self[id_].originals.get(host)

    def _count_registry(self, event: Event, after: MigrationState) -> None:
        if not isinstance(event, AttemptStarted | SubjectDone) or event.subject not in after.originals:
            return
        host = event.subject.lower()
        use = self.registry.get(host)
        if event.step is Trigger.REGISTRY:
            original = use.original if use else after.originals[event.subject]
            needed = (use.needed_by if use else frozenset()) | {after.id}
            self.registry[host] = RegistryUse(original, needed)
        elif event.step is Trigger.RESTORE and isinstance(event, SubjectDone) and use:
            needed = use.needed_by - {after.id}
            if needed:
                self.registry[host] = replace(use, needed_by=needed)
            else:
                del self.registry[host]


_Fold = Callable[[MigrationState, Any, datetime | None, RunState], MigrationState]


def _without(mapping: Mapping[Any, Any], key: object) -> dict[Any, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _snapshot(state: MigrationState, event: SnapshotTaken, _at: datetime | None, run: RunState) -> MigrationState:
    originals = {
        host: use.original if (use := run.registry.get(host.lower())) else before
        for host, before in event.hosts.items()
    }
    hosts = {host: HostProgress() for host in event.hosts}
    return replace(state, snapshot=event, originals=originals, hosts=hosts)


def _admitted(state: MigrationState, event: Admitted, _at: datetime | None, _run: RunState) -> MigrationState:
    return replace(state, admitted=event.step, waits={})


def _started(state: MigrationState, event: AttemptStarted, at: datetime | None, _run: RunState) -> MigrationState:
    key = (event.subject, f"{event.cmdlet} {event.parameters.get('Name', '')}".strip())
    touched = state.touched
    if event.cmdlet in RESTARTS:
        name = event.parameters.get("Name") or f"{event.parameters.get('TaskPath')}{event.parameters.get('TaskName')}"
        touched |= {(event.subject, RESTARTS[event.cmdlet], str(name))}
    return replace(
        state,
        open={**state.open, event.subject: Attempt(event, at)},
        waits=_without(state.waits, event.subject),
        faults=_without(state.faults, event.subject),
        performed={**state.performed, key: state.performed.get(key, 0) + 1},
        wish=event.wish or state.wish,
        sent=state.sent | {event.cmdlet} if event.cmdlet in MIGRATION_CMDLETS else state.sent,
        touched=touched,
    )


def _finished(state: MigrationState, event: AttemptFinished, at: datetime | None, _run: RunState) -> MigrationState:
    if event.outcome is not Outcome.UNKNOWN:
        faults = {**state.faults, event.subject: event.fault} if event.fault else state.faults
        return replace(state, open=_without(state.open, event.subject), faults=faults)
    attempt = replace(state.open[event.subject], unsettled=True, unsettled_since=at)
    return replace(state, open={**state.open, event.subject: attempt})


def _shell_ended(state: MigrationState, event: ShellEnded, at: datetime | None, _run: RunState) -> MigrationState:
    attempt = replace(state.open[event.subject], shell_ended=True, unsettled_since=at)
    return replace(state, open={**state.open, event.subject: attempt})


def _settled(state: MigrationState, event: AttemptSettled, _at: datetime | None, _run: RunState) -> MigrationState:
    return replace(state, open=_without(state.open, event.subject), waits=_without(state.waits, event.subject))


def _baseline(state: MigrationState, event: BaselineRead, _at: datetime | None, _run: RunState) -> MigrationState:
    return replace(state, baselines={**state.baselines, event.host: event})


def _subject_done(state: MigrationState, event: SubjectDone, at: datetime | None, _run: RunState) -> MigrationState:
    state = replace(
        state,
        done=state.done | {event.subject},
        tries={key: count for key, count in state.tries.items() if key[0] != event.subject},
        faults=_without(state.faults, event.subject),
        waits=_without(state.waits, event.subject),
    )
    if event.subject == DIRECTORY:
        return replace(state, reached=event.pair or state.reached)
    host = state.hosts.get(event.subject, HostProgress())
    host = replace(
        host,
        registry=event.registry or host.registry,
        rebooted=host.rebooted if event.rebooted is None else event.rebooted,
        restarted=host.restarted or event.step in {Trigger.RESTART, Trigger.CONFIRM},
        workloads=host.workloads if event.workloads is None else event.workloads,
    )
    registry_at = at if event.step is Trigger.REGISTRY else state.registry_at
    return replace(state, hosts={**state.hosts, event.subject: host}, registry_at=registry_at)


def _ledger(state: MigrationState, event: LedgerRead, at: datetime | None, _run: RunState) -> MigrationState:
    before = state.ledger
    first_seen = dict(before.first_seen)
    for principal in event.principals:
        if at is not None:
            first_seen.setdefault(principal, at)
    hosts = frozenset(event.hosts_present)
    since = at if hosts - before.hosts_present or (before.hosts_since is None and hosts) else before.hosts_since
    ledger = Ledger(first_seen, frozenset(event.principals), hosts, since, at)
    return replace(state, ledger=ledger)


_ENDS_ADMISSION = {Phase.RESTARTED, Phase.COMPLETED, Phase.ROLLED_BACK}


def _moved(state: MigrationState, event: Moved, at: datetime | None, _run: RunState) -> MigrationState:
    if event.source is not state.phase:
        raise IllegalMove(state.phase, event.trigger, event.dest, event.pair)
    move(event.source, event.trigger, None, event.dest)
    again = event.source is Phase.ROLLED_BACK
    moved = replace(
        state,
        phase=event.dest,
        since=at,
        admitted=None if event.dest in _ENDS_ADMISSION else state.admitted,
        waits={},
        tries={},
        faults={},
        open={},
        done=frozenset(),
        performed={},
        baselines={},
        wish=None,
        reached=None,
        dmsa_guid=event.dmsa_guid or state.dmsa_guid,
        converged_at=at if event.dest is Phase.LINKED else state.converged_at,
        anew_at=at if event.dest is Phase.REOPENED else state.anew_at,
    )
    if again:
        moved = replace(moved, touched=frozenset())
    if again or event.dest is Phase.REOPENED:
        moved = replace(moved, sent=frozenset() if again else moved.sent - {"Complete-ADServiceAccountMigration"})
    return moved


def _waiting(state: MigrationState, event: WaitBegan, _at: datetime | None, _run: RunState) -> MigrationState:
    waiting = Waiting(event.waiting_for, event.until, event.detail)
    return replace(state, waits={**state.waits, event.subject: waiting})


def _retry(state: MigrationState, event: RetryDue, _at: datetime | None, _run: RunState) -> MigrationState:
    waiting = Waiting("retry", event.until, event.fault.message, event.fault)
    return replace(
        state,
        waits={**state.waits, event.subject: waiting},
        tries={**state.tries, (event.subject, event.of): event.tries},
        faults=_without(state.faults, event.subject),
    )


def _recovered(state: MigrationState, event: Recovered, _at: datetime | None, _run: RunState) -> MigrationState:
    return replace(state, tries=_without(state.tries, event.subject), waits=_without(state.waits, event.subject))


_NO_FAILURE = {"operator", "undone", "budget-spent"}


def _held(state: MigrationState, event: Held, at: datetime | None, _run: RunState) -> MigrationState:
    hold = Hold(event.reason, event.detail, event.release, at, event.subject, event.by)
    failure = state.failure
    admitted = state.admitted
    if event.reason.startswith("guard:") and "Start-ADServiceAccountMigration" not in state.sent:
        failure, admitted = "refused", None
    elif event.reason not in _NO_FAILURE:
        failure = "failed"
    return replace(state, held=hold, failure=failure, admitted=admitted)


def _released(state: MigrationState, event: Released, at: datetime | None, _run: RunState) -> MigrationState:
    released = replace(state, held=None, failure=None, waits={}, tries={}, faults={}, performed={})
    if not event.forward:
        return released
    if state.phase is Phase.ROLLED_BACK:
        return replace(
            released,
            intention=Intention.FORWARD,
            way=None,
            attempt=state.attempt + 1,
            snapshot=None,
            ledger=Ledger(),
            converged_at=None,
            registry_at=None,
            anew_at=None,
        )
    if state.phase is Phase.REOPENED:
        row = move(state.phase, Trigger.RELEASE, Pair.STARTED)
        return replace(released, phase=row.dest, since=at, intention=Intention.FORWARD, way=None)
    return released


def _way_back(state: MigrationState, event: WayBackAsked, _at: datetime | None, _run: RunState) -> MigrationState:
    if state.phase is Phase.PLANNED:
        move(state.phase, Trigger(event.way) if event.way is not Way.ROLLBACK else Trigger.UNDO)
    same_step = state.intention is Intention.BACK
    return replace(
        state,
        intention=Intention.BACK,
        way=event.way,
        held=None,
        waits={},
        tries={},
        faults={},
        performed={},
        done=state.done if same_step else frozenset(),
        baselines=state.baselines if same_step else {},
        wish=state.wish if same_step else None,
        reached=state.reached if same_step else None,
    )


_FOLDS: dict[type[Any], _Fold] = {
    SnapshotTaken: _snapshot,
    Admitted: _admitted,
    AttemptStarted: _started,
    AttemptFinished: _finished,
    ShellEnded: _shell_ended,
    AttemptSettled: _settled,
    BaselineRead: _baseline,
    SubjectDone: _subject_done,
    LedgerRead: _ledger,
    Moved: _moved,
    WaitBegan: _waiting,
    RetryDue: _retry,
    Recovered: _recovered,
    Held: _held,
    Released: _released,
    WayBackAsked: _way_back,
}
