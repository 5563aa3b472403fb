"""Who is let in by a dMSA's membership, or comes for its keys, and is no host of the migration."""

from __future__ import annotations

from orchestrator.expectation.names import Names, User
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
        let_in = trustees(sddl, self._ours.domains.get(id_))
        if let_in is None:
            return ["somebody, for the event shows no descriptor that can be read"]
        found = []
        for trustee in sorted(let_in - ours):
            name = self._names.of_sid(trustee)
            if name is None:
                found.append(f"{trustee}, of whom nothing in the export and no file of names says who it is")
            elif not self._ours.is_host(name, id_) and _bare(name) not in self._planned[id_]:
                found.append(f"{name} ({trustee})")
        return found

    def at(self, address: str, id_: str) -> str:
        """Return why an address is none of a host of the migration; empty where it is one."""
        names = self._names.of_address(address)
        if not names:
            return f"nothing says whose address {address} is"
        others = sorted(name for name in names if not self._ours.is_host(name, id_))
        return f"{address} is {' and '.join(others)}, no host of {id_}" if others else ""


def _bare(principal: str) -> str:
    """Return a principal's own name, however it was given."""
    folded = folded_dn(principal) if "=" in principal else None
    if folded:
        return next(iter(folded[0]))[1]
    return User.of(principal).name.casefold().removesuffix("$") or principal.casefold()
