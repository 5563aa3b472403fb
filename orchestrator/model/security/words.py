"""The vocabulary of the Security Descriptor Definition Language (MS-DTYP 2.5.1.1), as tables."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag, StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What an entry does."""

    ALLOW = "A"
    DENY = "D"
    ALLOW_OBJECT = "OA"
    DENY_OBJECT = "OD"
    ALLOW_IF = "XA"
    DENY_IF = "XD"
    ALLOW_OBJECT_IF = "ZA"
    AUDIT = "AU"
    ALARM = "AL"
    AUDIT_OBJECT = "OU"
    ALARM_OBJECT = "OL"
    AUDIT_IF = "XU"
    LABEL = "ML"
    ATTRIBUTE = "RA"
    POLICY = "SP"
    TRUST = "TL"
    FILTER = "FL"


ALLOWING = frozenset({Kind.ALLOW, Kind.ALLOW_OBJECT, Kind.ALLOW_IF, Kind.ALLOW_OBJECT_IF})
DENYING = frozenset({Kind.DENY, Kind.DENY_OBJECT, Kind.DENY_IF})
CONDITIONAL = frozenset({Kind.ALLOW_IF, Kind.DENY_IF, Kind.ALLOW_OBJECT_IF, Kind.AUDIT_IF})
OF_OBJECTS = frozenset(
    {Kind.ALLOW_OBJECT, Kind.DENY_OBJECT, Kind.ALLOW_OBJECT_IF, Kind.AUDIT_OBJECT, Kind.ALARM_OBJECT}
)
"""Kinds that may name an attribute, a class, or a class that inherits (MS-DTYP 2.4.4.3, 2.4.4.5)."""
WITH_MORE = CONDITIONAL | {Kind.ALLOW_OBJECT_IF, Kind.ATTRIBUTE, Kind.FILTER}
"""Kinds that end in a condition, or in a claim, in parentheses."""


class Inherit(IntFlag):
    """How an entry came to stand where it stands, and where it goes from there (MS-DTYP 2.4.4.1)."""

    OI = 0x01
    CI = 0x02
    NP = 0x04
    IO = 0x08
    """It is only inherited: it says nothing about the object on which it stands."""
    ID = 0x10
    """It came from above."""
    CR = 0x20
    SA = 0x40
    FA = 0x80


class Right(IntFlag):
    """Rights on directory objects, by their words in SDDL (MS-ADTS 5.1.3.2)."""

    CC = 0x0000_0001
    """Create children."""
    DC = 0x0000_0002
    LC = 0x0000_0004
    SW = 0x0000_0008
    RP = 0x0000_0010
    WP = 0x0000_0020
    """Write properties."""
    DT = 0x0000_0040
    LO = 0x0000_0080
    CR = 0x0000_0100
    SD = 0x0001_0000
    RC = 0x0002_0000
    WD = 0x0004_0000
    """Rewrite the list of entries."""
    WO = 0x0008_0000
    """Take ownership."""
    AS = 0x0100_0000
    MA = 0x0200_0000
    GA = 0x1000_0000
    GX = 0x2000_0000
    GW = 0x4000_0000
    GR = 0x8000_0000


FULL = Right(0x000F_01FF)
GENERIC: Mapping[Right, Right] = MappingProxyType(
    {
        Right.GA: FULL,
        Right.GW: Right.RC | Right.WP | Right.SW,
        Right.GR: Right.RC | Right.LC | Right.RP | Right.LO,
        Right.GX: Right.RC | Right.LC,
    }
)
"""What generic rights mean on directory objects (MS-ADTS 5.1.3.2)."""

OTHER_WORDS: Mapping[str, int] = MappingProxyType(
    {"FA": 0x001F_01FF, "FR": 0x0012_0089, "FW": 0x0012_0116, "FX": 0x0012_00A0}
    | {"KA": 0x000F_003F, "KR": 0x0002_0019, "KW": 0x0002_0006, "KX": 0x0002_0019}
    | {"NR": 0x2, "NW": 0x1, "NX": 0x4}
)
"""Words for rights on files, keys and levels: read, and never written, for on an object they have other names."""

_WELL_KNOWN = {
    "WD": "1-0",
    "CO": "3-0",
    "CG": "3-1",
    "OW": "3-4",
    "NU": "5-2",
    "IU": "5-4",
    "SU": "5-6",
    "AN": "5-7",
    "ED": "5-9",
    "PS": "5-10",
    "AU": "5-11",
    "RC": "5-12",
    "SY": "5-18",
    "LS": "5-19",
    "NS": "5-20",
    "WR": "5-33",
    "UD": "5-84-0-0-0-0-0",
    "AC": "15-2-1",
    "LW": "16-4096",
    "ME": "16-8192",
    "MP": "16-8448",
    "HI": "16-12288",
    "SI": "16-16384",
    "AS": "18-1",
    "SS": "18-2",
}
_BUILTIN = {
    "BA": 544, "BU": 545, "BG": 546, "PU": 547, "AO": 548, "SO": 549, "PO": 550, "BO": 551, "RE": 552,
    "RU": 554, "RD": 555, "NO": 556, "MU": 558, "LU": 559, "IS": 568, "CY": 569, "ER": 573, "CD": 574,
    "RA": 575, "ES": 576, "MS": 577, "HA": 578, "AA": 579, "RM": 580,
}  # fmt: skip
_OF_DOMAIN = {
    "RO": 498, "LA": 500, "LG": 501, "DA": 512, "DU": 513, "DG": 514, "DC": 515, "DD": 516, "CA": 517,
    "SA": 518, "EA": 519, "PA": 520, "CN": 522, "AP": 525, "KA": 526, "EK": 527, "RS": 553,
}  # fmt: skip
_FIXED = {word: f"S-1-{tail}" for word, tail in _WELL_KNOWN.items()} | {
    word: f"S-1-5-32-{rid}" for word, rid in _BUILTIN.items()
}
_FIXED_BACK = {sid: word for word, sid in _FIXED.items()}
_DOMAIN_BACK = {str(rid): word for word, rid in _OF_DOMAIN.items()}


def sid_of(word: str, domain: str) -> str | None:
    """Return the SID that two letters stand for in the domain with this SID; None if they stand for nobody.

    What belongs to the forest (``EA``, ``SA``, ``RO``, ``EK``) is taken as the domain's: in a forest of several
    domains the text itself does not say which one is the root.
    """
    if word in _OF_DOMAIN:
        return f"{domain}-{_OF_DOMAIN[word]}"
    return _FIXED.get(word)


def word_for(sid: str, domain: str) -> str:
    """Return the two letters that stand for a SID, or the SID where there are none."""
    above, _, rid = sid.rpartition("-")
    if above == domain:
        return _DOMAIN_BACK.get(rid, sid)
    return _FIXED_BACK.get(sid, sid)
