"""What the wire needs of what stands behind it: hosts, their weather, and somebody to carry commands out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from orchestrator.lab.command import Request, Result
from orchestrator.lab.jea import Entry
from orchestrator.lab.wire.operations import Operation


class Kind(StrEnum):
    """What may happen to one request on its way."""

    LOST_REQUEST = "lost-request"
    """The connection is reset before anything was done."""
    LOST_REPLY = "lost-reply"
    """Everything was done and recorded; then the connection is reset."""
    RESET = "reset"
    """Everything was done; the connection is reset when the reply has begun."""
    HANG = "hang"
    """Everything was done; the reply never leaves, and the connection stays open."""
    SILENCE = "silence"
    """Nothing was done; no reply leaves, and the connection stays open."""
    UNAVAILABLE = "unavailable"
    """HTTP 503; nothing was done."""
    DIED = "died"
    """The session that the request names is dead to its client from now on: HTTP 400 with an empty body."""
    DISCONNECTED = "disconnected"
    """The session that the request names is disconnected from now on (a WSMan fault); nothing was done."""
    DENIED = "denied"
    """The endpoint refuses the caller (a WSMan fault); nothing was done."""
    BUSY = "busy"
    """The endpoint refuses the request because a quota is spent (a WSMan fault); nothing was done."""
    SLOW = "slow"
    """Everything is done; its outcome is known only after a delay."""


@dataclass(frozen=True)
class Fault:
    """What happens to one request; ``delay`` in seconds.

    ``quota``: which one is spent, where it is busy. ``retry_after``: the seconds that HTTP 503 asks for.
    """

    kind: Kind
    delay: float = 0.0
    quota: str = "operations"
    retry_after: float | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where a host listens. Without *port* the operating system chooses one."""

    address: str
    port: int | None = None


class Engine(Protocol):
    """The estate behind the wire. Every method may be called from any thread."""

    def endpoints(self) -> Mapping[str, Endpoint]:
        """Return every host by its full name."""

    def boots(self) -> Mapping[str, datetime | None]:
        """Return when each host booted, None for one that answers nothing just now: its port is closed.

        A host that booted anew knows no shell any more; one that was merely cut off knows them all.
        """

    def entry(self, host: str, configuration: str, principal: str) -> Entry:
        """Say whether a host has a session configuration of this name, and lets the caller in."""

    def fault(self, host: str, operation: Operation, request: Request | None) -> Fault | None:
        """Return what is to happen to this message; *request* is the pipeline that it is about, once all of it arrived.

        Called on the event loop: it must be quick.
        """

    def open_call(self) -> AbstractContextManager[None]:
        """Count a call as open while the context lasts: from its arrival until it was carried out."""

    def execute(self, request: Request) -> Result:
        """Carry *request* out. Its effects and its record are on disk when this returns."""

    def discard(self, shell: UUID) -> None:
        """Note that *shell* is gone: what still runs in it ends without its effect."""
