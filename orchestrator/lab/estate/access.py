"""Who may do what with an object: the access check of MS-DTYP 2.5.3.2 and MS-ADTS 5.1.3.3, for one right at a time."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.lab.estate.descriptor import EVERYONE, Ace, Descriptor
from orchestrator.lab.estate.replica import Entry, Replica

_AUTHENTICATED = "S-1-5-11"
_SELF, _OWNER_RIGHTS = "S-1-5-10", "S-1-3-4"
_GENERIC = {
    "GA": "CCDCLCSWRPWPDTLOCRSDRCWDWO",
    "GW": "SWWPRC",
    "GR": "LCRPLORC",
    "GX": "LCRC",
}
"""What generic rights mean on directory objects (MS-ADTS 5.1.3.2)."""
_IMPLIED = frozenset({"RC", "WD"})
"""What an owner has without an entry."""


def token(replica: Replica, principal: Entry) -> frozenset[str]:
    """Return every identifier that counts for a principal: its own, its groups', the primary one's, and everybody's."""
    groups = dict(replica.groups_of(principal))
    primary = principal.number("primaryGroupID")
    if primary:
        for group in replica.having("objectSid", f"{principal.sid.rpartition('-')[0]}-{primary}"):
            groups |= {group.guid: group} | replica.groups_of(group)
    sids = {group.sid for group in groups.values()}
    return frozenset({principal.sid, *sids, EVERYONE, _AUTHENTICATED})


def allows(
    descriptor: Descriptor, sids: Collection[str], right: str, guid: str | Collection[str] = "", itself: str = ""
) -> bool:
    """Say whether a token is granted a right (two letters of SDDL) on the object, or on what *guid* names of it.

    The entries are asked in the order in which they stand, those inherited by children only left out; the first that
    speaks of the right decides. An entry without a GUID is about everything. *itself* is the object's own identifier.
    """
    if not descriptor.controlled:
        return True
    about = [ace for ace in descriptor.aces if "IO" not in _pairs(ace.flags)]
    owns = descriptor.owner in sids
    if owns and right in _IMPLIED and not any(ace.sid == _OWNER_RIGHTS for ace in about):
        return True
    names = {"", *([guid.lower()] if isinstance(guid, str) else map(str.lower, guid))}
    for ace in about:
        speaks = not ace.condition and ace.object_guid.lower() in names and right in _rights(ace.rights)
        if speaks and _is_of(ace, sids, owns, itself):
            return ace.kind in {"A", "OA"}
    return False


def _is_of(ace: Ace, sids: Collection[str], owns: bool, itself: str) -> bool:
    if ace.sid == _OWNER_RIGHTS:
        return owns
    return itself in sids if ace.sid == _SELF else ace.sid in sids


def _rights(text: str) -> set[str]:
    return {word for pair in _pairs(text) for word in (_pairs(_GENERIC[pair]) if pair in _GENERIC else (pair,))}


def _pairs(text: str) -> list[str]:
    return [text[start : start + 2] for start in range(0, len(text), 2)]
