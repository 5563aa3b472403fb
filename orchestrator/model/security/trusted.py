"""Tier 0: whoever controls the domain anyway, and so may create, own and rewrite what is sensitive."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.model.security.principals import Principals

SYSTEM, CONTROLLERS_OF_FOREST, ADMINISTRATORS = "S-1-5-18", "S-1-5-9", "S-1-5-32-544"
_OF_DOMAIN = {"domain admins": 512, "domain controllers": 516, "enterprise admins": 519, "schema admins": 518}
_FIXED = {
    "administrators": ADMINISTRATORS,
    "system": SYSTEM,
    "local system": SYSTEM,
    "enterprise domain controllers": CONTROLLERS_OF_FOREST,
}
DEFAULT = (
    *("Administrators", "Domain Admins", "Enterprise Admins", "SYSTEM", "Domain Controllers"),
    "Enterprise Domain Controllers",
)
"""What counts where the plan does not say. The controllers of the whole forest stand beside those of the domain: each
of them holds a writable copy of what the forest shares, and Windows' own descriptors name them."""

_SID = re.compile(r"S-1-[0-9]+(-[0-9]+)+", re.ASCII)


@dataclass(frozen=True)
class Tier0:
    """Who counts as tier 0: by SID, and by names that only the directory can tell."""

    sids: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, listed: Iterable[str] | None, domain: str) -> Tier0:
        """Return those that a plan lists, or the default.

        English names of well-known groups mean those groups in every language. A domain before a backslash is left
        out: names are looked for in the plan's domain only.
        """
        sids: set[str] = set()
        names: set[str] = set()
        for item in DEFAULT if listed is None else listed:
            plain = item.rpartition("\\")[2].strip().lower()
            if _SID.fullmatch(item.strip().upper()):
                sids.add(item.strip().upper())
            elif plain in _FIXED:
                sids.add(_FIXED[plain])
            elif plain in _OF_DOMAIN:
                sids.add(f"{domain}-{_OF_DOMAIN[plain]}")
            else:
                names.add(plain)
        return cls(frozenset(sids), frozenset(names))

    def to_resolve(self) -> frozenset[str]:
        """Return those that are objects of the directory, whose members count as well."""
        return frozenset(sid for sid in self.sids if sid.startswith(("S-1-5-21-", "S-1-5-32-")))

    def trusts(self, sid: str, known: Principals) -> bool:
        """Whether somebody is tier 0: named, or in a group that is."""
        named = {one.sid for one in known.by_sid.values() if one.name.lower() in self.names}
        return not (self.sids | named).isdisjoint({sid, *known.groups_of(sid)})
