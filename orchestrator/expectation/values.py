"""Values of attributes: what the table's words mean for one pair, and whether what an event shows is that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from orchestrator.model.descriptor import Descriptor, protects
from orchestrator.model.directory import ACCOUNT_DISABLED, DELEGATED_BY
from orchestrator.model.dn import Dn, parse_dn
from orchestrator.model.security.sddl import SddlInvalid, read
from orchestrator.model.security.words import ALLOWING
from orchestrator.steps import effects
from orchestrator.steps.effects import Effect, Is, On

_NOBODYS_DOMAIN = "S-1-5-21-0-0-0"
"""Stands for the domain where nobody knows its SID: what SDDL's words for its groups mean then is nobody's."""


@dataclass(frozen=True)
class Wanted:
    """One value that an event may show. ``exact`` None: any that ``kind`` allows."""

    kind: Is
    exact: str | None = None

    def fits(self, shown: str, account_sid: str | None) -> bool:
        """Whether a shown value is this one."""
        if self.exact is not None:
            return same_value(self.exact, shown)
        match self.kind:
            case Is.NOTHING:
                return False
            case Is.PROTECTED:
                return is_protected(shown)
            case Is.GRANTED:
                return account_sid is None or _grants(shown, account_sid) is not False
            case Is.UNGRANTED:
                return account_sid is None or _grants(shown, account_sid) is not True
            case Is.DISABLED:
                return _disabled(shown) is not False
            case Is.ENABLED:
                return _disabled(shown) is not True
        return True

    def __str__(self) -> str:
        """Say it to a person."""
        return self.exact if self.exact is not None else "" if self.kind is Is.NOTHING else f"<{self.kind}>"


NOTHING = Wanted(Is.NOTHING)


@dataclass(frozen=True)
class PairKnown:
    """Both objects as far as plan and journal know them. ``before``: the account's attributes in the snapshot."""

    id: str
    account: str
    dmsa: str
    before: Mapping[str, Any] | None = None

    @property
    def account_sid(self) -> str | None:
        """The account's SID, if the journal has it."""
        return str(self.before["sid"]) if self.before and "sid" in self.before else None

    def values(self, of: Is, effect: Effect) -> tuple[Wanted, ...]:
        """Return the values that the table's word means; several for an attribute with several values."""
        match of:
            case Is.ZERO | Is.ONE | Is.TWO:
                return (Wanted(of, of.value),)
            case Is.THE_ACCOUNT:
                return (Wanted(of, self.account),)
            case Is.THE_DMSA:
                return (Wanted(of, self.dmsa),)
            case Is.SPNS:
                return self._several(of, effects.SPNS)
            case Is.AS_ON_ACCOUNT:
                if effect.attribute == effects.DELEGATED_BY:
                    # A descriptor; the snapshot has the names of who is in it.
                    given = self.before is None or self.before.get(DELEGATED_BY)
                    return (Wanted(of),) if given else ()
                return self._several(of, effect.attribute)
            case Is.ENABLED | Is.DISABLED if effect.on is On.ACCOUNT and self.before is not None:
                flags = int(self.before.get(effects.CONTROL, 0))
                exact = flags | ACCOUNT_DISABLED if of is Is.DISABLED else flags & ~ACCOUNT_DISABLED
                return (Wanted(of, str(exact)),)
        return (Wanted(of),)

    def _several(self, of: Is, attribute: str) -> tuple[Wanted, ...]:
        if self.before is None:
            return (Wanted(of),)
        value = self.before.get(attribute)
        items: Iterable[Any] = value if isinstance(value, list | tuple) else () if value is None else (value,)
        return tuple(Wanted(of, str(item)) for item in items)


@lru_cache(65536)
def folded_dn(text: str) -> Dn | None:
    """Return a distinguished name as it is compared; None for what is none."""
    try:
        return parse_dn(text)
    except ValueError:
        return None


def same_value(one: str, other: str) -> bool:
    """Whether two values are one: names as names, everything else without regard to case."""
    if one.casefold() == other.casefold():
        return True
    if "=" not in one or "=" not in other:
        return False
    left = folded_dn(one)
    return left is not None and left == folded_dn(other)


def trustees(sddl: str, domain: str | None = None) -> frozenset[str] | None:
    """Return whom a descriptor's entries allow something, by SID; None for what cannot be read as one."""
    try:
        security = read(sddl, domain or _NOBODYS_DOMAIN)
    except SddlInvalid:
        return None
    entries = security.dacl.entries if security.dacl else None
    return None if entries is None else frozenset(one.trustee for one in entries if one.kind in ALLOWING)


def is_protected(sddl: str) -> bool:
    """Whether a descriptor holds an entry that protects from accidental deletion."""
    return any(protects(entry) for entry in Descriptor.of(sddl).entries)


def _grants(sddl: str, sid: str) -> bool | None:
    found = trustees(sddl, sid.rpartition("-")[0])
    return None if found is None else sid.upper() in found


def _disabled(shown: str) -> bool | None:
    """Whether userAccountControl says disabled; None for what is no number."""
    try:
        return bool(int(shown, 0) & ACCOUNT_DISABLED)
    except ValueError:
        return None
