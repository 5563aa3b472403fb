"""A name for each dMSA: short enough for a sAMAccountName, and nobody else's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

LONGEST = 15
"""What a managed service account's name may have (Microsoft Learn, New-ADServiceAccount, Name)."""
_PREFIX = re.compile(r"(?:svc|srv|sa|service|s)[-_.]|(?:svc)(?=[a-z0-9])", re.IGNORECASE)
_UNSENT = re.compile(r"[^A-Za-z0-9_]+")
"""What becomes a hyphen: a dot too, for the name is a label of the dMSA's DNS name."""


def wished(sam: str) -> str:
    """Return the name that a dMSA would have if there were no limit: ``svc-erp`` gives ``dmsa-erp``."""
    plain = _UNSENT.sub("-", sam).strip("-_")
    rest = _PREFIX.sub("", plain, count=1) if _PREFIX.match(plain) else plain
    return f"dmsa-{(rest or plain or 'account').lower()}"


def suggest(accounts: Sequence[tuple[str, str]], taken: Collection[str]) -> dict[str, str]:
    """Return a name for each account, by its key; the same for the same accounts and names taken.

    Args:
        accounts: key and sAMAccountName of each.
        taken: names, in small letters, that are not free.
    """
    used = {name.lower() for name in taken}
    names: dict[str, str] = {}
    for key, sam in accounts:
        name = next(one for one in _candidates(wished(sam)) if one.lower() not in used)
        used.add(name.lower())
        names[key] = name
    return names


def _candidates(name: str) -> Iterator[str]:
    yield name[:LONGEST].rstrip("-_")
    number = 2
    while True:
        ending = f"-{number}"
        yield name[: LONGEST - len(ending)].rstrip("-_") + ending
        number += 1
