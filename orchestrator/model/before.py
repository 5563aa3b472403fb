"""How everything was before, and whether it is so again: what snapshots hold, and what a comparison finds.

Part of the journal's vocabulary (:mod:`orchestrator.model.event`).
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Known(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _OfMigration(_Known):
    migration: str


class ServiceBefore(_Known):
    """A service as it was before anything was changed."""

    state: str
    start_mode: str
    start_name: str | None
    dependents: tuple[str, ...] = ()


class TaskBefore(_Known):
    """A scheduled task as it was before anything was changed; ``log_on`` is whom it runs as, where it was asked."""

    state: str
    log_on: str | None = None


class PoolBefore(_Known):
    """An application pool as it was before anything was changed; ``log_on`` is None for a pool's own identity."""

    state: str
    log_on: str | None = None


class HostBefore(_Known):
    """A host as it was before anything was changed."""

    computer_name: str
    key_exists: bool
    value: int | str | None
    services: dict[str, ServiceBefore] = {}
    tasks: dict[str, TaskBefore] = {}
    app_pools: dict[str, PoolBefore] = {}


class _Content(_OfMigration):
    """What a snapshot holds: both objects, what contains them, and every host. ``sha256`` is of its canonical form.

    ``containers`` are the security descriptors (SDDL) of the objects' containers by distinguished name. What is unset
    is left out; ``unasked`` are facts that are left out because the version that took it did not ask for them.
    """

    account: dict[str, Any]
    dmsa: dict[str, Any] | None
    hosts: dict[str, HostBefore]
    containers: dict[str, str] = {}
    unasked: tuple[str, ...] = ()
    sha256: str


class SnapshotTaken(_Content):
    """Everything that a way back must restore, as read before the first write.

    ``late``: it was taken of something begun elsewhere; how it was before that nobody knows.
    """

    kind: Literal["snapshot-taken"] = "snapshot-taken"
    account_guid: UUID
    late: bool = False


class SnapshotRepeated(_Content):
    """The same once more, right before Complete: what had changed by then was changed by others.

    A way back restores the one that was taken first; this one only tells whose doing a difference is. Where Complete is
    sent a second time in one attempt, its first repetition stays the one that tells.
    """

    kind: Literal["snapshot-repeated"] = "snapshot-repeated"


class HostSnapshotTaken(_OfMigration):
    """A host that joined later (or was given more workloads), as it was before anything was written to it."""

    kind: Literal["host-snapshot-taken"] = "host-snapshot-taken"
    host: str
    before: HostBefore
    sha256: str


class Difference(_Known):
    """One fact that is not as the snapshot has it.

    ``object`` is ``account``, ``dmsa``, ``container <DN>`` or ``host <name>``. ``verdict`` says whose it is:
    ``declared`` (a way back may leave it), ``foreign`` (changed by others meanwhile) or ``failed`` (ours to restore,
    and not restored). ``by_hand`` is the command that restores it, where a person must.
    """

    object: str
    name: str
    before: Any = None
    now: Any = None
    verdict: Literal["declared", "foreign", "failed"]
    why: str
    by_hand: str = ""


class Compared(_OfMigration):
    """At the end of a way back everything was read once more, and held against the snapshot.

    ``snapshot`` and ``now`` are the hashes of the canonical forms; ``equal`` counts the facts that are as they were.
    """

    kind: Literal["compared"] = "compared"
    snapshot: str
    now: str
    equal: int
    differences: tuple[Difference, ...] = ()
