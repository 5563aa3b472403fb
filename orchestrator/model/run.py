"""Where a run stands: a fold of its events, and nothing else.

:meth:`RunState.apply` refuses an event that the law does not allow and then changes nothing; whoever appends folds
first, so that a journal never holds an illegal history and ``replay(journal) == live state`` always.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestrator.model.before import HostBefore, HostSnapshotTaken, SnapshotTaken
from orchestrator.model.drilled import DrillBegan, DrillEnded, DrillTurned
from orchestrator.model.event import (
    AttemptFinished,
    AttemptSettled,
    AttemptStarted,
    CallRefused,
    ControllersFound,
    Event,
    RunBegan,
    RunnerTook,
    ShellEnded,
    ShellGone,
    ShellOpened,
    SubjectDone,
)
from orchestrator.model.fold import FOLDS
from orchestrator.model.lifecycle import IllegalEvent, Trigger
from orchestrator.model.observation import Outcome
from orchestrator.model.state import MigrationState
from orchestrator.model.words import Amended, HostReleased


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
    shells: dict[UUID, str] = field(default_factory=dict)
    """Shells that may be open, and at which endpoints: ours, or left behind by a runner that died."""
    refused: str | None = None
    driver: str | None = None
    """Who drove last, or drives."""
    last_at: datetime | None = None
    restoring: dict[str, str] = field(default_factory=dict)
    """Hosts (in small letters) whose switch a write is putting back right now, or may be, and for which migration."""
    restored_at: dict[str, datetime] = field(default_factory=dict)
    """When such a write last ended at a host: what was read there before says nothing about its switch."""
    drills: int = 0
    """How many drills were begun."""
    drill: DrillBegan | None = None
    """The drill that is under way."""
    turned: DrillTurned | None = None
    """How far it came, once it is on its way back."""
    touched: list[str] = field(default_factory=list)
    """The migrations that events were about, in the order of the events."""
    _planned: dict[str, MigrationState] = field(default_factory=dict, repr=False, compare=False)

    def __getitem__(self, id_: str) -> MigrationState:
        """Return the state of a migration; one that was never mentioned is ``planned``."""
        state = self.migrations.get(id_)
        if state is None:
            state = self._planned.setdefault(id_, MigrationState(id=id_))
        return state

    def copied(self) -> RunState:
        """Return the same state, to fold other events into."""
        known = {one.name: getattr(self, one.name) for one in fields(self)}
        return RunState(
            **{name: copy(value) if type(value) in {dict, list} else value for name, value in known.items()}
        )

    def apply(self, event: Event, at: datetime | None) -> None:
        """Fold one event in.

        Args:
            event: what happened.
            at: estate time, or None where it could not be read.

        Raises:
            IllegalEvent: the law has no such move, or a write ends that was never begun; the state is as it was.
        """
        fold = FOLDS.get(type(event))
        if fold is not None:
            id_ = event.migration  # type: ignore[union-attr]  # every event that has a fold is about one
            after = fold(self[id_], event, at)
            if isinstance(event, SnapshotTaken):
                after = replace(after, originals=self._originals(event.hosts))
            elif isinstance(event, HostSnapshotTaken):
                after = replace(after, originals={**after.originals, **self._originals({event.host: event.before})})
            self._count_registry(event, after)
            self._watch_restoring(event, self[id_], at)
            self.migrations[id_] = after
            self.touched.append(id_)
        elif isinstance(event, RunBegan | Amended):
            self.digest, self.plan = event.digest, event.plan
        elif isinstance(event, ControllersFound):
            self.controllers = event.names
        elif isinstance(event, CallRefused):
            self.refused = event.detail
        elif isinstance(event, RunnerTook):
            self.refused, self.driver = None, event.by
        elif isinstance(event, ShellOpened):
            self.shells[event.shell] = event.endpoint
        if isinstance(event, ShellGone | ShellEnded):
            self.shells.pop(event.shell, None)
        self._follow_drill(event)
        self.last_at = at or self.last_at

    def left_open(self) -> dict[UUID, str]:
        """Return the shells that may be open, and those of writes whose outcome nobody knows, with their endpoints.

        (A journal that was begun before every shell was written down knows of the latter only.)
        """
        writes = [attempt for state in self.migrations.values() for attempt in state.open.values()]
        lost = {one.started.shell: one.started.endpoint for one in writes if not one.shell_ended}
        return lost | self.shells

    def needs(self, host: str, id_: str) -> bool:
        """Return whether a migration needs the host's registry value, from its first write there on."""
        use = self.registry.get(host.lower())
        return use is not None and id_ in use.needed_by

    def needed_elsewhere(self, host: str, id_: str) -> frozenset[str]:
        """Return the other migrations that need the host's registry value."""
        use = self.registry.get(host.lower())
        return use.needed_by - {id_} if use else frozenset()

    def original(self, host: str, id_: str) -> HostBefore | None:
        """Return the host as it was before any of ours changed its registry value."""
        use = self.registry.get(host.lower())
        return use.original if use else self[id_].originals.get(host)

    def _originals(self, hosts: Mapping[str, HostBefore]) -> dict[str, HostBefore]:
        """Return hosts as they were before any of ours needed their registry value."""
        uses = {host: self.registry.get(host.lower()) for host in hosts}
        return {host: use.original if (use := uses[host]) else before for host, before in hosts.items()}

    def _count_registry(self, event: Event, after: MigrationState) -> None:
        if isinstance(event, HostReleased):
            self._needs_no_longer(event.host.lower(), after.id)
        if not isinstance(event, AttemptStarted | SubjectDone) or event.subject not in after.originals:
            return
        host = event.subject.lower()
        use = self.registry.get(host)
        adopted = isinstance(event, SubjectDone) and event.step is Trigger.ADOPT and event.registry is not None
        if event.step is Trigger.REGISTRY or adopted:
            original = use.original if use else after.originals[event.subject]
            needed = (use.needed_by if use else frozenset()) | {after.id}
            self.registry[host] = RegistryUse(original, needed)
        elif event.step is Trigger.RESTORE and isinstance(event, SubjectDone):
            self._needs_no_longer(host, after.id)

    def _watch_restoring(self, event: Event, before: MigrationState, at: datetime | None) -> None:
        if isinstance(event, AttemptStarted) and event.step is Trigger.RESTORE:
            self.restoring[event.subject.lower()] = before.id
        elif isinstance(event, AttemptSettled) or (
            isinstance(event, AttemptFinished) and event.outcome is not Outcome.UNKNOWN
        ):
            host = event.subject.lower()
            if before.open[event.subject].started.step is Trigger.RESTORE and self.restoring.pop(host, "") and at:
                self.restored_at[host] = at

    def _follow_drill(self, event: Event) -> None:
        if not isinstance(event, DrillBegan | DrillTurned | DrillEnded):
            return
        number = self.drill.number if self.drill else None
        if isinstance(event, DrillBegan):
            if number is not None:
                raise IllegalEvent(f"drill {number} of {self.run} is under way")
            self.drills, self.drill, self.turned = event.number, event, None
        elif number != event.number:
            raise IllegalEvent(f"drill {event.number} of {self.run} is not under way")
        elif isinstance(event, DrillTurned):
            self.turned = event
        else:
            self.drill = self.turned = None

    def _needs_no_longer(self, host: str, id_: str) -> None:
        use = self.registry.pop(host, None)
        if use and use.needed_by - {id_}:
            self.registry[host] = replace(use, needed_by=use.needed_by - {id_})
