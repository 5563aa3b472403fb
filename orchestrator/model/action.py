"""What to do next, as data: the answers of the engine, carried out by the conductor."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from orchestrator.model.call import Read, Write
from orchestrator.model.event import Event, WorkloadSeen
from orchestrator.model.lifecycle import Pair
from orchestrator.model.waiting import WaitFor


@dataclass(frozen=True)
class Observe:
    """Read these; nothing is changed. ``more`` adds to what was seen, otherwise it begins anew."""

    reads: tuple[Read, ...]
    more: bool = False
    guarded: bool = False


@dataclass(frozen=True)
class Perform:
    """Send this write: intent first, then the call, then its outcome. ``disruptive``: a workload or host restarts.
    ``before`` is written down together with the intent. ``down``: workloads of the snapshot that do not run now.
    """

    write: Write
    wish: Pair | None = None
    disruptive: bool = False
    before: tuple[Event, ...] = ()
    down: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """Write these events down, then ask again with the same observation."""

    events: tuple[Event, ...]


@dataclass(frozen=True)
class EndShell:
    """Delete the shell of an attempt whose outcome is unknown, so that it cannot take effect later."""

    endpoint: str
    shell: UUID


@dataclass(frozen=True)
class Wait:
    """Something must come first. Look again at ``again`` (None: when anything of this migration changes).

    ``news``: another detail is written down, too; else only another thing to wait for, or another time.
    """

    waiting_for: WaitFor
    until: datetime | None
    again: datetime | None
    detail: str = ""
    news: bool = False


@dataclass(frozen=True)
class Stop:
    """A person is needed. ``release`` says what lets the migration go on, ``down`` what a way back leaves down;
    ``before`` is written down with the hold.
    """

    reason: str
    detail: str
    release: str = ""
    down: tuple[str, ...] = ()
    before: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Done:
    """This subject of the step is as wished, and a read-back says so; ``before`` is written down with it."""

    registry: str | None = None
    rebooted: bool | None = None
    workloads: tuple[WorkloadSeen, ...] | None = None
    pair: Pair | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    before: tuple[Event, ...] = ()


Answer: TypeAlias = Observe | Perform | Record | Wait | Stop | Done
"""What a step may answer for one subject."""

Action: TypeAlias = Observe | Perform | Record | EndShell | Wait
"""What the engine tells the conductor to do for one subject. A stop is a :class:`Record` of its hold."""
