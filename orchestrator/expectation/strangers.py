"""Who is let in by a dMSA's membership, or comes for its keys, and is no host of the migration."""

from __future__ import annotations

from orchestrator.expectation.names import Names, User, short
from orchestrator.expectation.ours import Ours
from orchestrator.expectation.values import folded_dn, trustees
from orchestrator.model.plan import Plan


class Strangers:
    """Tells hosts of a migration from everybody else. Who cannot be told is a stranger: unknown is never trusted."""

    def __init__(self, ours: Ours, names: Names, plan: Plan) -> None:
        self._ours, self._names = ours, names
        self._planned = {one.id: frozenset(map(_bare, one.dmsa.principals)) for one in plan.migrations()}

    def among(self, sddl: str, id_: str, ours: frozenset[str] = frozenset()) -> list[str]:
        """Return whom a descriptor lets in who should not be, each in words; *ours*: whom the runner has let in."""
        found = []
        for trustee in sorted(trustees(sddl) - ours):
            name = self._names.of_sid(trustee)
            if name is None:
                found.append(f"{trustee}, of whom nothing in the export and no file of names says who it is")
            elif short(name) not in self._ours.hosts[id_] and _bare(name) not in self._planned[id_]:
                found.append(f"{name} ({trustee})")
        return found

    def at(self, address: str, id_: str) -> str:
        """Return why an address is none of a host of the migration; empty where it is one."""
        name = self._names.of_address(address)
        if name is None:
            return f"nothing says whose address {address} is"
        return "" if short(name) in self._ours.hosts[id_] else f"{address} is {name}, no host of {id_}"


def _bare(principal: str) -> str:
    """Return a principal's own name, however it was given."""
    folded = folded_dn(principal) if "=" in principal else None
    if folded:
        return next(iter(folded[0]))[1]
    return User.of(principal).name.casefold().removesuffix("$") or principal.casefold()
