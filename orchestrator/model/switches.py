"""The host-wide switch, counted over every run of a journal: what it was before any of ours, and who needs it now.

``DelegatedMSAEnabled`` belongs to a host, not to an account, and a journal may hold the runs of several plans. While a
migration of any of them needs the value it is kept; the last one to leave puts back what was there before the first.
What must be known for that of another run is little, and is folded here from its rows: what each migration wrote down
of a host, who set the value, who put it back, and who is putting it back right now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from orchestrator.model.before import HostBefore, HostSnapshotTaken, SnapshotTaken
from orchestrator.model.event import AttemptFinished, AttemptSettled, AttemptStarted, SubjectDone
from orchestrator.model.lifecycle import Trigger
from orchestrator.model.observation import Outcome
from orchestrator.model.words import HostReleased


class User(NamedTuple):
    """A migration of one of the journal's runs."""

    run: str
    migration: str


@dataclass(frozen=True, slots=True)
class RegistryUse:
    """The host-wide value: what it was before any of ours needed it, and who needs it now."""

    original: HostBefore
    needed_by: frozenset[User]


SPEAKING: tuple[type[Any], ...] = (
    SnapshotTaken,
    HostSnapshotTaken,
    AttemptStarted,
    AttemptFinished,
    AttemptSettled,
    SubjectDone,
    HostReleased,
)
"""The events that say something of a host's switch. A release that lets another kind speak of it adds it here."""


@dataclass(slots=True)
class Switches:
    """The switches of all hosts; hosts are known by their name in small letters. Changed by :meth:`take_in` alone."""

    uses: dict[str, RegistryUse] = field(default_factory=dict)
    befores: dict[User, Mapping[str, HostBefore]] = field(default_factory=dict)
    """The hosts of each migration, as they were before any of ours needed their value."""
    restoring: dict[str, User] = field(default_factory=dict)
    """Hosts whose switch a write is putting back right now, or may be, and for which migration."""
    restored_at: dict[str, datetime] = field(default_factory=dict)
    """When such a write last ended at a host: what was read there before says nothing about its switch."""
    unread: str | None = None
    """The first row of another run that this version cannot read. Who needs a value is not known from there on."""

    def copied(self) -> Switches:
        """Return the same, to fold other events into."""
        return replace(
            self,
            uses=dict(self.uses),
            befores=dict(self.befores),
            restoring=dict(self.restoring),
            restored_at=dict(self.restored_at),
        )

    def take_in(self, run: str, event: Any, at: datetime | None) -> None:
        """Fold an event of a run in; most say nothing of a switch. Never raises: what is illegal is not asked here."""
        if not isinstance(event, SPEAKING):
            return
        user = User(run, event.migration)
        match event:
            case SnapshotTaken():
                self.befores[user] = {host: self._original(host, seen) for host, seen in event.hosts.items()}
            case HostSnapshotTaken():
                before = {event.host: self._original(event.host, event.before)}
                self.befores[user] = {**self.befores.get(user, {}), **before}
            case HostReleased():
                self._needs_no_longer(event.host.lower(), user)
            case AttemptStarted() | SubjectDone():
                self._count(user, event)
            case _:
                self._watch_the_end(user, event, at)

    def _original(self, host: str, seen: HostBefore) -> HostBefore:
        use = self.uses.get(host.lower())
        return use.original if use else seen

    def _count(self, user: User, event: AttemptStarted | SubjectDone) -> None:
        before, host = self.befores.get(user, {}).get(event.subject), event.subject.lower()
        if before is None:
            return
        adopted = isinstance(event, SubjectDone) and event.step is Trigger.ADOPT and event.registry is not None
        if event.step is Trigger.REGISTRY or adopted:
            use = self.uses.get(host, RegistryUse(before, frozenset()))
            self.uses[host] = replace(use, needed_by=use.needed_by | {user})
        elif event.step is Trigger.RESTORE:
            if isinstance(event, SubjectDone):
                self._needs_no_longer(host, user)
            else:
                self.restoring[host] = user

    def _watch_the_end(self, user: User, event: AttemptFinished | AttemptSettled, at: datetime | None) -> None:
        known = isinstance(event, AttemptSettled) or event.outcome is not Outcome.UNKNOWN
        host = event.subject.lower()
        if known and self.restoring.get(host) == user:
            del self.restoring[host]
            if at is not None:
                self.restored_at[host] = at

    def _needs_no_longer(self, host: str, user: User) -> None:
        use = self.uses.pop(host, None)
        if use and use.needed_by - {user}:
            self.uses[host] = replace(use, needed_by=use.needed_by - {user})
