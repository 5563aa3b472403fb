"""Who may do what with an object: the access check of MS-ADTS 5.1.3, for entries without inheritance."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.lab.estate.descriptor import EVERYONE, Descriptor
from orchestrator.lab.estate.replica import Entry, Replica

_AUTHENTICATED = "S-1-5-11"


def token(replica: Replica, principal: Entry) -> frozenset[str]:
    """Return every identifier that counts for a principal: its own, its groups', and everybody's."""
    groups = {group.sid for group in replica.groups_of(principal).values()}
    return frozenset({principal.sid, *groups, EVERYONE, _AUTHENTICATED})


def allows(descriptor: Descriptor, sids: Collection[str], right: str, guid: str = "") -> bool:
    """Say whether a token is granted a right (two letters of SDDL) on the object, or on what *guid* names of it.

    A denial counts before any grant, wherever it stands: that is the canonical order. An entry without a GUID is
    about everything.
    """
    about = [
        ace
        for ace in descriptor.aces
        if ace.sid in sids and right in _rights(ace.rights) and ace.object_guid.lower() in {"", guid.lower()}
    ]
    return bool(about) and not any(ace.kind in {"D", "OD"} for ace in about)


def _rights(text: str) -> set[str]:
    return {text[start : start + 2] for start in range(0, len(text), 2)}
