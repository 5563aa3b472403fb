"""Security descriptors, as far as the estate needs them: an owner and a list of access control entries.

An entry is kept as its SDDL text (MS-DTYP 2.5.1) without the trustee, because what is asked of it is
whether it is there, and how it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

ADMINISTRATORS = "S-1-5-32-544"
SYSTEM = "S-1-5-18"
EVERYONE = "S-1-1-0"
MEMBERSHIP_GUID = "888eedd6-ce04-df40-b462-b8a50e41ba38"
"""schemaIDGUID of ``msDS-GroupMSAMembership`` (MS-ADA2)."""

_ALIASES = {
    ADMINISTRATORS: "BA",
    SYSTEM: "SY",
    EVERYONE: "WD",
    "S-1-5-32-548": "AO",
    "S-1-5-11": "AU",
    "S-1-5-10": "PS",
}


_DOMAIN_ALIASES = {"512": "DA", "516": "DD", "519": "EA"}


_DENYING = frozenset({"D", "OD"})


def _trustee(sid: str) -> str:
    if sid.startswith("S-1-5-21-"):
        return _DOMAIN_ALIASES.get(sid.rpartition("-")[2], sid)
    return _ALIASES.get(sid, sid)


@dataclass(frozen=True)
class Ace:
    """One entry: ``kind`` is ``A``, ``D``, ``OA``, ``OD`` or, with a condition, ``XA``; ``sid`` is the trustee."""

    kind: str
    flags: str
    rights: str
    sid: str
    object_guid: str = ""
    inherited_guid: str = ""
    condition: str = ""

    def __str__(self) -> str:
        """Return the entry in SDDL."""
        about = f"{self.object_guid};{self.inherited_guid};{_trustee(self.sid)}"
        return f"({self.kind};{self.flags};{self.rights};{about}{';' if self.condition else ''}{self.condition})"


@dataclass(frozen=True)
class Descriptor:
    """An owner and entries; ``controlled`` is False where there is no list of entries, and everybody may everything."""

    owner: str
    aces: tuple[Ace, ...] = ()
    controlled: bool = True

    @property
    def sddl(self) -> str:
        """The descriptor in SDDL, with an auto-inherited DACL."""
        owner = _trustee(self.owner)
        if not self.controlled:
            return f"O:{owner}G:{owner}D:NO_ACCESS_CONTROL"
        return f"O:{owner}G:{owner}D:AI" + "".join(str(ace) for ace in self.aces)

    def adding(self, *aces: Ace) -> Descriptor:
        """Return this with *aces*, as Windows' tools put them: denials in front, grants behind the denials there.

        Those that are there already are left alone.
        """
        new = [ace for ace in aces if ace not in self.aces]
        first = next((at for at, ace in enumerate(self.aces) if ace.kind not in _DENYING), len(self.aces))
        denials = [ace for ace in new if ace.kind in _DENYING]
        grants = [ace for ace in new if ace.kind not in _DENYING]
        return replace(self, aces=(*denials, *self.aces[:first], *grants, *self.aces[first:]))

    def without(self, *aces: Ace) -> Descriptor:
        """Return this without *aces*."""
        return replace(self, aces=tuple(ace for ace in self.aces if ace not in aces))


PROTECTION = Ace("D", "", "DTSD", EVERYONE)
"""What "protect object from accidental deletion" puts on the object: nobody may delete it or its tree."""
CHILD_PROTECTION = Ace("D", "", "DC", EVERYONE)
"""What it puts on the container of the object: nobody may delete children."""


_FULL = "CCDCLCSWRPWPDTLOCRSDRCWDWO"
_READ = "LCRPLORC"


def default(domain_sid: str, kind: str) -> Descriptor:
    """Return what a new object of this class carries.

    A dMSA has no entry for Authenticated Users: nobody but its administrators may read it (MS-ADSC,
    default security descriptor of the class).
    """
    admins = f"{domain_sid}-512"
    aces = [Ace("A", "", _FULL, admins), Ace("A", "", _FULL, SYSTEM)]
    if kind in {"user", "computer", "group", "inetOrgPerson", "msDS-DelegatedManagedServiceAccount"}:
        aces.append(Ace("A", "", _FULL, "S-1-5-32-548"))
    if kind != "msDS-DelegatedManagedServiceAccount":
        aces.append(Ace("A", "", _READ, "S-1-5-11"))
    return Descriptor(admins, tuple(aces))


def of_deleted_objects(domain_sid: str) -> Descriptor:
    """Return what the container of deleted objects carries: administrators list it, nobody else (MS-ADTS 6.1.1.4.2)."""
    admins = f"{domain_sid}-512"
    return Descriptor(admins, tuple(Ace("A", "", _FULL, sid) for sid in (admins, SYSTEM)))


def migration_grant(account_sid: str) -> tuple[Ace, Ace]:
    """Return what Start grants the superseded account on the dMSA: read all, write the membership.

    Source: Microsoft Learn, "Delegated Managed Service Accounts overview"; the exact bits of "Generic
    Read" are not documented.
    """
    return (
        Ace("A", "", "LCRPLORC", account_sid),
        Ace("OA", "", "WP", account_sid, MEMBERSHIP_GUID),
    )


def membership_sddl(sids: tuple[str, ...]) -> str:
    """Return the descriptor that ``msDS-GroupMSAMembership`` holds: one allow entry per host or group."""
    return f"O:{ADMINISTRATORS}D:" + "".join(str(Ace("A", "", "0xf01ff", sid)) for sid in sids)
