"""An account that is gone: how it is looked for among what was deleted, and what is left of it.

A deleted object keeps its objectGUID, and with the AD Recycle Bin on every attribute but two; without it, or once its
deleted-object lifetime is over, hardly any (MS-ADTS 3.1.1.5.5.1.1 to .3). Which of the two it is shows by
primaryGroupID: every user has one, and it is none of those that are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from orchestrator.model.call import Cmdlet
from orchestrator.model.directory import complaint, plain
from orchestrator.model.observation import Record, Reply, Unreadable

LOOKS_AMONG_DELETED = "IncludeDeletedObjects"
_KEPT_WITH_RECYCLE_BIN = "primaryGroupID"
_PROPERTIES = ("isDeleted", "isRecycled", "lastKnownParent", "whenChanged", _KEPT_WITH_RECYCLE_BIN)


def deleted_search(server: str, guid: UUID) -> Cmdlet:
    """Ask one domain controller for an object by its objectGUID, whether it is deleted or not."""
    return Cmdlet(
        "Get-ADObject",
        {"Identity": str(guid), LOOKS_AMONG_DELETED: True, "Properties": _PROPERTIES, "Server": server},
    )


def restoring(guid: UUID) -> str:
    """Return the command by which a person restores a deleted object; nothing here ever sends it."""
    return f"Restore-ADObject -Identity {guid}"


def protecting(guid: UUID) -> str:
    """Return the command by which a person protects an object from accidental deletion."""
    return f"Set-ADObject -Identity {guid} -ProtectedFromAccidentalDeletion $true"


def only_explains(statements: Iterable[Cmdlet]) -> bool:
    """Say whether nothing here is asked but what became of an object that is not there: no answer changes nothing."""
    return all(LOOKS_AMONG_DELETED in statement.parameters for statement in statements)


@dataclass(frozen=True)
class Remains:
    """What a domain controller says of an object by its objectGUID, in words.

    ``whole``: restoring the deleted object brings its attributes back. ``there``: it is not deleted.
    """

    said: str
    whole: bool = False
    there: bool = False


def remains_seen(server: str, guid: UUID, reply: Reply) -> Remains:
    """Read what is left of an object out of the reply to :func:`deleted_search`. It never raises."""
    try:
        found = next((record for record in reply.of("ADObject") if _is(record, guid)), None)
        return _found(server, found) if found else _not_found(server, reply)
    except Unreadable as unreadable:
        return Remains(f"{server} does not say what became of it: {unreadable}")


def _is(record: Record, guid: UUID) -> bool:
    return str(record.need("ObjectGUID")).strip("{}").lower() == str(guid)


def _found(server: str, record: Record) -> Remains:
    if record.get("isDeleted") is not True:
        return Remains(f"{server} shows it again, as {record.text('DistinguishedName')}", there=True)
    since = plain(record.get("whenChanged"))
    when = f", since {since} at the latest" if since else ""
    whole = record.get("isRecycled") is not True and record.get(_KEPT_WITH_RECYCLE_BIN) is not None
    left = "its attributes are still on it" if whole else "most of its attributes are gone for good"
    parent = record.get("lastKnownParent") or "a container that is not named"
    return Remains(f"{server} has it as a deleted object{when}; it was last in {parent}; {left}", whole)


def _not_found(server: str, reply: Reply) -> Remains:
    if any(error.category == "ObjectNotFound" for error in reply.errors):
        return Remains(f"{server} shows nothing by that GUID, not even a deleted object, to this operator")
    return Remains(f"{server} does not say what became of it: {complaint(reply)}")
