"""What a new object has from the container in which it is created (MS-DTYP 2.5.3.4.4; every directory object is one).

Only what says something about the new object itself is kept: not what it would merely hand on to its own children.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.model.security.sddl import Acl, Entry, Security
from orchestrator.model.security.words import Inherit

_CREATORS = frozenset({"S-1-3-0", "S-1-3-1"})
"""CREATOR OWNER and CREATOR GROUP: who creates the object takes their place, and that is who moves the account."""
_WAY = Inherit.CI | Inherit.OI
"""Flags by which an entry goes on."""


def inherited(security: Security, of_class: str) -> Security:
    """Return the list of entries that a new object of a class inherits, in the container's order; it has no owner yet.

    A container without a list of entries hands nothing down.
    """
    entries = (security.dacl.entries or ()) if security.dacl else ()
    below = (handed_down(entry, of_class) for entry in entries)
    return Security(dacl=Acl(("AI",), tuple(one for one in below if one is not None)))


def handed_down(entry: Entry, of_class: str) -> Entry | None:
    """Return an entry of a container as a new object of this class has it; None if it says nothing about that object.

    The class must be the object's own: a published descriptor of a new dMSA has the entries for ``computer`` and
    ``user``, of which its class is a kind, as inherit-only ones that do not count.
    """
    of_all_or_this = entry.inherited_by in {None, of_class}
    if not entry.flags & Inherit.CI or not of_all_or_this or entry.trustee in _CREATORS:
        return None
    stops = _WAY if entry.flags & Inherit.NP else Inherit(0)
    return replace(entry, flags=entry.flags & ~(Inherit.IO | Inherit.NP | stops) | Inherit.ID)


def origin(security: Security, entry: Entry, of_class: str) -> Entry:
    """Return the container's first entry from which a new object has this one of :func:`inherited`."""
    entries = (security.dacl.entries or ()) if security.dacl else ()
    return next(one for one in entries if handed_down(one, of_class) == entry)
