"""Which notices were raised, and who has yet to take them: a fold of the run's events, part of its state.

A notice stays unsent for each receiver that the plan names for its occasion until a row says that this one took it, or
that he never will.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.noticed import NoticeRaised, NoticeSent, NoticeUnsent, id_of
from orchestrator.model.receiver import receiver_of
from orchestrator.model.state import MigrationState

BACKLOG = 100
"""How many notices wait for one receiver at most; of older ones only their number is kept."""

Subject: TypeAlias = tuple[str, str]
"""What was told of whom: ``held`` and a migration, ``completed`` and one, ``approval-needed`` and wave and gate."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it is sent: the same id however often that is."""

    id: str
    raised: NoticeRaised
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Silent:
    """Since when a receiver has taken nothing, and what came of the last try that was written down."""

    since: datetime | None
    why: str
    for_good: bool


@dataclass(frozen=True, slots=True)
class Receiver:
    """What one receiver wants, and what he has not taken yet, the oldest first."""

    name: str
    on: frozenset[str]
    unsent: tuple[Notice, ...] = ()
    missed: int = 0
    """How many were dropped because the backlog was full, and he was not told so yet."""
    silent: Silent | None = None

    def wants(self, occasion: str) -> bool:
        """Whether notices of an occasion are for him. A missing original is a hold, too."""
        return occasion in self.on or (occasion == "original-missing" and "held" in self.on)

    def with_notice(self, notice: Notice) -> Receiver:
        """Return him with one more to take."""
        unsent = (*self.unsent, notice)
        dropped = max(0, len(unsent) - BACKLOG)
        return replace(self, unsent=unsent[dropped:], missed=self.missed + dropped)

    def without(self, notice: str) -> Receiver:
        """Return him without one that he took, or never will."""
        return replace(self, unsent=tuple(one for one in self.unsent if one.id != notice))


@dataclass(slots=True)
class Notices:
    """What was raised, and who has yet to take it.

    ``told`` is what was raised and is still so: it is not raised again. A hold that ended, or a migration that went on
    from ``rolled_back`` or ``completed``, is forgotten here, for the next time is another occasion.
    """

    raised: int = 0
    receivers: dict[str, Receiver] = field(default_factory=dict)
    told: dict[Subject, str] = field(default_factory=dict)

    def copied(self) -> Notices:
        """Return the same, to fold other events into."""
        return Notices(self.raised, dict(self.receivers), dict(self.told))

    def go_by(self, plan: Mapping[str, Any]) -> None:
        """Take in whom a plan names; who was named before keeps what he has not taken."""
        wanted: dict[str, frozenset[str]] = {}
        for one in plan.get("notify", ()):
            name = receiver_of(one["webhook"])
            wanted[name] = wanted.get(name, frozenset()) | frozenset(one["on"])
        self.receivers = {
            name: replace(self.receivers.get(name, Receiver(name, on)), on=on) for name, on in wanted.items()
        }

    def take_in(self, event: object, at: datetime | None, run: str, digest: str | None) -> None:
        """Fold in an event that is about notices; any other changes nothing."""
        match event:
            case NoticeRaised():
                self._raised(Notice(id_of(run, digest, event, at), event, at))
            case NoticeSent() if event.receiver in self.receivers:
                known = self.receivers[event.receiver].without(event.notice)
                missed = max(0, known.missed - event.missed)
                self.receivers[event.receiver] = replace(known, missed=missed, silent=None)
            case NoticeUnsent() if event.receiver in self.receivers:
                known = self.receivers[event.receiver]
                since = known.silent.since if known.silent else at
                known = replace(known, silent=Silent(since, event.why, event.for_good))
                self.receivers[event.receiver] = known.without(event.notice) if event.for_good else known
            case _:
                pass

    def changed(self, before: MigrationState, after: MigrationState) -> None:
        """Forget what was told of a migration and is no longer so."""
        if not self.told:
            return
        if before.held is not None and after.held is not before.held:
            self.told.pop(("held", after.id), None)
        if _rolled_back(before) and not _rolled_back(after):
            self.told.pop(("rolled-back", after.id), None)
        if _completed(before) and not _completed(after):
            self.told.pop(("completed", after.id), None)

    def began_anew(self) -> None:
        """Forget that a runner stopped at the safety rule: whoever drives now may be stopped by it again."""
        self.told.pop(("refused", ""), None)

    def _raised(self, notice: Notice) -> None:
        raised = notice.raised
        self.raised = raised.number
        for subject in subjects_of(raised):
            self.told[subject] = raised.about
        for name, receiver in self.receivers.items():
            if receiver.wants(raised.occasion):
                self.receivers[name] = receiver.with_notice(notice)


def subjects_of(raised: NoticeRaised) -> Iterable[Subject]:
    """Return what a notice tells of whom."""
    match raised.occasion:
        case "held" | "original-missing" if not raised.migrations:
            return [("refused", "")]
        case "held" | "original-missing":
            return [("held", one) for one in raised.migrations]
        case "rolled-back" | "completed":
            return [(raised.occasion, one) for one in raised.migrations]
        case "wave-started":
            return [(raised.occasion, raised.wave)]
        case _:
            return [(raised.occasion, f"{raised.wave} {raised.reason}")]


def _rolled_back(state: MigrationState) -> bool:
    return state.phase is Phase.ROLLED_BACK and state.intention is Intention.BACK


def _completed(state: MigrationState) -> bool:
    return state.phase is Phase.COMPLETED and state.intention is Intention.FORWARD
