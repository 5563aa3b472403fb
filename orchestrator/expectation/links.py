"""Which links were written, whatever the order of their events: who names whom, and who is named that must not be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from orchestrator.expectation.attributes import LINKS
from orchestrator.expectation.numbers import ADDED
from orchestrator.expectation.ours import Ours
from orchestrator.expectation.seen import SeenEvent
from orchestrator.expectation.values import folded_dn
from orchestrator.model.dn import Dn
from orchestrator.steps.effects import On

_BUILT_IN = frozenset({"administrator", "krbtgt"})


@dataclass
class Links:
    """Links as (dMSA, account), and dMSAs that others use rightfully. Names are compared as names."""

    ours: Ours
    known: frozenset[str]
    privileged: frozenset[str]
    privileged_dns: frozenset[Dn]
    _forward: set[tuple[Dn, Dn]] = field(default_factory=set)
    _back: set[tuple[Dn, Dn]] = field(default_factory=set)
    _of_known: set[Dn] = field(default_factory=set)
    """Accounts, none of the plan's, that a known dMSA was linked with."""

    @classmethod
    def of(cls, ours: Ours, known: Iterable[str], privileged: Sequence[str], events: Iterable[SeenEvent]) -> Links:
        """Return the links that events show."""
        found = cls(
            ours,
            frozenset(name.casefold().removesuffix("$") for name in known),
            frozenset(name.casefold() for name in privileged),
            frozenset(filter(None, map(folded_dn, privileged))),
        )
        for event in events:
            if event.id == 5136:
                found._take(event)
        return found

    def _take(self, event: SeenEvent) -> None:
        side = LINKS.get(event.get("attributeldapdisplayname").lower())
        there, named = folded_dn(event.get("objectdn")), folded_dn(event.get("attributevalue"))
        if side is None or there is None or named is None:
            return
        dmsa, account = (there, named) if side is On.DMSA else (named, there)
        if event.operation == ADDED:
            (self._forward if side is On.DMSA else self._back).add((dmsa, account))
        if self.knows(dmsa) and self.migration(account) is None:
            self._of_known.add(account)

    def mutual(self, dmsa: Dn, account: Dn) -> bool:
        """Whether both sides of a link were written."""
        return (dmsa, account) in self._forward and (dmsa, account) in self._back

    def knows(self, dn: Dn) -> bool:
        """Whether it is a dMSA that others use rightfully."""
        return any(value.removesuffix("$") in self.known for kind, value in dn[0] if kind == "cn")

    def of_others(self, dn: Dn) -> bool:
        """Whether it is one of those, or an account that was linked with one."""
        return self.knows(dn) or dn in self._of_known

    def migration(self, dn: Dn) -> str | None:
        """Return the migration that an object belongs to; None for everybody else's."""
        found = self.ours.at(dn)
        return found.migration if found else None

    def is_privileged(self, dn: Dn) -> bool:
        """Whether no link may name it: built in, named as such, or a domain controller."""
        leaf = {value for kind, value in dn[0] if kind == "cn"}
        if leaf & (_BUILT_IN | self.privileged) or dn in self.privileged_dns:
            return True
        return frozenset({("ou", "domain controllers")}) in dn[1:]
