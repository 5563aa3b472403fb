"""What a reconciliation may find: each class by its id, one such finding, and the whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from orchestrator.errors import Exit

MISSING, NOT_LOGGED = "missing", "event-missing"

IDS: Mapping[str, str] = MappingProxyType(
    {
        "one-sided-link": "one object was made to name the other, and nothing made the other name it back",
        "mutual-link": "both sides of a link were written, and not by an approved step: a patched KDC honours that",
        "foreign-dmsa": "a dMSA or an account of no migration of the plan was linked, changed, deleted, or used",
        "foreign-account": "a dMSA of the plan was linked with another account than the planned one",
        "privileged-link": "a link names a privileged account",
        "outside-operation": "a link or a state of a planned pair was written outside every attempt of an approved "
        "step, or without what the operation writes beside it",
        "foreign-creation": "a dMSA was created that no approved step creates: another name, another container, "
        "another person or another time",
        "original-deleted": "the original account was deleted",
        "dmsa-deleted": "a dMSA of the plan was deleted",
        "object-moved": "an object of the plan was moved or renamed",
        "protection-off": "the original's protection from accidental deletion was taken off",
        "account-enabled": "the original was enabled though no approved step did so",
        "password-reset": "the original's password was set: a way back and running services depend on it",
        "unknown-host": "somebody who is no host of the migration was let in, or fetches the dMSA's keys; or nobody "
        "can tell who it is",
        "container-changed": "the permissions of a container of the plan's objects were changed",
        "switch-changed": "DelegatedMSAEnabled was changed on a host, and not by an approved step",
        "unexpected-change": "an object of the plan was changed, and no approved step explains it",
        MISSING: "an approved step was done, and the export lacks changes that it writes",
        NOT_LOGGED: "an approved step was done, and its computer, which logs such events, has none of it",
    }
)
"""Every class of finding, and what it means."""

NEXT: Mapping[str, str] = MappingProxyType(
    {
        "original-deleted": "hold the wave (`dmsa hold PLAN --reason TEXT`), restore it (runbooks/original-deleted.md)",
        "protection-off": "find out who took it off, put it back on, then `dmsa verify PLAN`",
        "unknown-host": "find out who it is; a host of the plan that nobody could tell is named with --names",
        NOT_LOGGED: "see whether that computer's audit policy was the same all the time, and whether its log was "
        "cleared (events 1102 and 104); what it never logs of such a step is named with --not-logged",
        MISSING: "see whether Directory Service Changes are audited, both objects carry a SACL, and the export is of "
        "that time and domain controller; then `dmsa verify PLAN`",
    }
)
OTHERWISE = "hold the wave (`dmsa hold PLAN --reason TEXT`) until it is known who it was, and run `dmsa verify PLAN`"


@dataclass(frozen=True, slots=True)
class Reference:
    """One event, where it stands in the export."""

    line: int
    id: int
    at: datetime | None
    computer: str


@dataclass(frozen=True)
class Finding:
    """One thing that no approved step explains, or that is missing.

    ``migration`` is None for what belongs to none. ``says``: what was seen; ``why``: why nothing explains it.
    """

    id: str
    migration: str | None
    object: str
    by: str
    says: str
    why: str
    events: tuple[Reference, ...] = ()

    def __post_init__(self) -> None:
        assert self.id in IDS, self.id

    @property
    def next(self) -> str:
        """What a person does about it; it calls the plan PLAN."""
        return NEXT.get(self.id, OTHERWISE)


@dataclass(frozen=True)
class Reconciled:
    """Everything that a reconciliation found.

    ``changes``: expected changes that had to be there, and were; ``missing``: those that were not; ``events_missing``:
    events beside them that were not.
    """

    findings: tuple[Finding, ...]
    events: int
    explained: int
    unexplained: int
    not_ours: int
    repeated: int
    changes: int
    missing: int
    events_missing: int
    notes: tuple[str, ...]

    @property
    def exit(self) -> Exit:
        """What the command exits with."""
        return Exit.HELD if self.findings else Exit.DONE
