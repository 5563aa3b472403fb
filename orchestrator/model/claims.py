"""Whose account is whose: which migrations of every run of a journal have begun one and not ended it.

A migration claims its account with its snapshot, which is taken before anything is written, and gives it up only when
it has gone all the way back: one that is completed still holds it, for the dMSA's link points there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from orchestrator.model.before import SnapshotTaken
from orchestrator.model.event import Moved
from orchestrator.model.lifecycle import Phase
from orchestrator.model.switches import User

CLAIMING: tuple[type[Any], ...] = (SnapshotTaken, Moved)
"""The events that say who has an account. A release that lets another kind speak of it adds it here."""


@dataclass(slots=True)
class Claims:
    """Accounts by the migrations that have begun with them. Changed by :meth:`take_in` alone."""

    by: dict[User, UUID] = field(default_factory=dict)

    def copied(self) -> Claims:
        """Return the same, to fold other events into."""
        return replace(self, by=dict(self.by))

    def take_in(self, run: str, event: Any) -> None:
        """Fold an event of a run in; most say nothing of it. Never raises."""
        match event:
            case SnapshotTaken():
                self.by[User(run, event.migration)] = event.account_guid
            case Moved(dest=Phase.ROLLED_BACK):
                self.by.pop(User(run, event.migration), None)

    def others(self, account: UUID, run: str, migration: str) -> tuple[User, ...]:
        """Return who has this account beside one migration."""
        return tuple(sorted(user for user, guid in self.by.items() if guid == account and user != (run, migration)))
