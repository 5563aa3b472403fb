r"""When two names are one person's: as narrow as can be where a name lets somebody in, as wide where it keeps one out.

The operating system calls a person ``CORP\ann`` on one host, ``ann@corp.example`` or ``ann`` on another. Who drives
must not approve his own run by going to another host; and nobody may approve as a namesake of whom the plan names.
"""

from __future__ import annotations


def is_named(name: str, planned: str) -> bool:
    """Whether somebody is the one whom a plan names: the same name, but for capitals. This lets somebody in."""
    return name.casefold() == planned.casefold()


def person(name: str) -> str:
    r"""Return what is compared where two names must not be one person's: the user's name without its domain, folded.

    ``CORP\ann``, ``ann@corp.example`` and ``ann`` are taken for one person; this keeps somebody out.
    """
    return name.rpartition("\\")[2].partition("@")[0].strip().casefold() or name.casefold()


def same_person(one: str, other: str | None) -> bool:
    """Whether two names may be one person's."""
    return other is not None and person(one) == person(other)
