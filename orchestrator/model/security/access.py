"""What a security descriptor grants a token: the access check of MS-DTYP 2.5.3.2 with the objects of MS-ADTS 5.1.3.3.

Each question is about one right, so the first entry that speaks of it decides, in the order in which entries stand.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.model.security.sddl import Entries, Entry, Security
from orchestrator.model.security.words import ALLOWING, CONDITIONAL, DENYING, Right

EVERYONE, AUTHENTICATED, ANONYMOUS, SELF = "S-1-1-0", "S-1-5-11", "S-1-5-7", "S-1-5-10"
OWNER_RIGHTS = "S-1-3-4"
GUEST_RIDS = frozenset({"501", "514"})


@dataclass(frozen=True)
class Wish:
    """One thing that somebody may want to do with an object.

    ``names`` are the GUIDs by which an entry may be about it: of the attribute or class, and of what contains it
    (MS-ADTS 5.1.3.3.3); empty where the right is about the object as a whole.
    """

    right: Right
    does: str
    names: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Grant:
    """Why somebody may. ``entry`` is None for the owner's own right and where there is no list of entries at all.

    ``sure`` is False where it depends on a condition that nobody can weigh from here.
    """

    wish: Wish
    trustee: str
    entry: Entry | None = None
    sure: bool = True


def granted(security: Security, token: Collection[str], wish: Wish, itself: str | None = None) -> Grant | None:
    """Return what grants a token its wish; None if nothing does.

    The owner may always rewrite the entries, unless one of them is about OWNER RIGHTS: then it has what that says.

    Args:
        security: the object's descriptor, which has a DACL.
        token: the identifiers of somebody.
        wish: what is wanted.
        itself: the object's own identifier, if it is somebody: for what is granted to SELF.
    """
    entries = security.dacl.entries if security.dacl else None
    if entries is None:
        return Grant(wish, EVERYONE)
    owns = security.owner in token
    if owns and wish.right is Right.WD and not limits_owner(entries):
        return Grant(wish, str(security.owner))
    perhaps = None
    for entry in entries:
        if not speaks_of(entry, wish) or not _is_of(entry.trustee, token, owns, itself):
            continue
        who = str(security.owner) if entry.trustee == OWNER_RIGHTS else entry.trustee
        if entry.kind in CONDITIONAL or entry.kind not in ALLOWING | DENYING or entry.more:
            if entry.kind in ALLOWING:
                perhaps = perhaps or Grant(wish, who, entry, sure=False)
            continue  # a denial on a condition protects nobody for certain
        return Grant(wish, who, entry) if entry.kind in ALLOWING else perhaps
    return perhaps


def limits_owner(entries: Entries) -> bool:
    """Whether an entry for OWNER RIGHTS takes the place of what an owner may by itself."""
    return any(entry.trustee == OWNER_RIGHTS and entry.applies for entry in entries)


def speaks_of(entry: Entry, wish: Wish) -> bool:
    """Whether an entry, whoever it is for, allows or denies this on the object on which it stands."""
    about = entry.about is None or entry.about in wish.names
    return entry.applies and about and entry.kind in ALLOWING | DENYING and bool(entry.mask & wish.right)


def _is_of(trustee: str, token: Collection[str], owns: bool, itself: str | None) -> bool:
    if trustee == OWNER_RIGHTS:
        return owns
    if trustee == SELF:
        return itself is not None and itself in token
    return trustee in token


def token_of(sid: str, groups: Collection[str] = ()) -> frozenset[str]:
    """Return the identifiers of somebody who is in these groups, and what everybody has.

    Nobody logs on as a group; as if one did, this is the least that each of its members has. Anonymous callers and
    guests have not proved who they are.
    """
    unproved = sid in {ANONYMOUS, EVERYONE} or (sid.startswith("S-1-5-21-") and sid.rpartition("-")[2] in GUEST_RIDS)
    shared = {EVERYONE} if unproved else {EVERYONE, AUTHENTICATED}
    return frozenset({sid, *groups, *(shared if sid != ANONYMOUS else ())})
