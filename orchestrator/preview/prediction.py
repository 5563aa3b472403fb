"""What is predicted: each write in its order, and what it changes, from what to what. Nouns, and no verbs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from orchestrator.model.host import ENABLED
from orchestrator.model.lifecycle import Phase, Trigger

__all__ = ["ENABLED", "Change", "Ending", "Obstacle", "Prediction", "Restart", "Sent", "WayBack", "unknown_guid"]


def unknown_guid(id_: str) -> str:
    """Return what stands for the objectGUID of a dMSA that is yet to be created."""
    return f"<objectGUID of {id_}>"


@dataclass(frozen=True)
class Change:
    """One attribute of an object, or one value of a host. None: it is unset, or not there.

    ``object`` is ``account``, ``dmsa``, ``container <DN>`` or ``host <name>``. Of a descriptor, and of who may retrieve
    the password, ``before`` and ``after`` are only the entries that go and come.
    """

    object: str
    name: str
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Restart:
    """Something at a host that is stopped and starts again; ``along``: what goes down and comes back with it."""

    host: str
    kind: Literal["service", "app-pool", "task", "computer"]
    name: str
    along: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sent:
    """One write of the runner, or (without a cmdlet) what a host or the directory does by itself because of it."""

    migration: str
    step: Trigger
    subject: str
    cmdlet: str
    parameters: Mapping[str, Any] = field(hash=False)
    changes: tuple[Change, ...] = ()
    restarts: tuple[Restart, ...] = ()


@dataclass(frozen=True)
class Obstacle:
    """Why nothing, or nothing more, is predicted of a migration. ``unknown``: something could not be read."""

    reason: str
    detail: str
    unknown: bool = False


@dataclass(frozen=True)
class Ending:
    """Where a migration is predicted to end, and what it would be held for, or wait for, there."""

    phase: Phase
    obstacle: Obstacle | None = None
    waiting: tuple[str, str] | None = None
    waits: tuple[str, ...] = ()
    """What its steps wait for on the way, each once."""
    lasts: timedelta | None = None


@dataclass(frozen=True)
class WayBack:
    """What ``rollback`` would change from a phase; ``ends`` is the phase in which that ends, ``why`` why no further."""

    phase: Phase
    sends: tuple[Sent, ...]
    ends: Phase
    why: str = ""


@dataclass(frozen=True)
class Prediction:
    """What a run would do now, by what is there now.

    ``head`` is the journal's last row that was read: what comes after it is what the prediction is of.
    """

    began: datetime | None
    head: int
    phases: Mapping[str, Phase]
    sends: tuple[Sent, ...]
    endings: Mapping[str, Ending]
    ways_back: Mapping[str, tuple[WayBack, ...]] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    """What was taken for granted, because nothing that is read tells it."""

    def of(self, id_: str) -> tuple[Sent, ...]:
        """Return what is sent for one migration, in its order."""
        return tuple(one for one in self.sends if one.migration == id_)
