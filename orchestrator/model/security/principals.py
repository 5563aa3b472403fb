"""Who bears an identifier, and who is in which group: as the directory was asked for it, in two or three reads.

The first read resolves identifiers and names, the second finds everybody in the groups among them, nested too
(LDAP_MATCHING_RULE_TRANSITIVE_EVAL, MS-ADTS 3.1.1.3.4.4.3), the third whose primary group a nested one is: a primary
group stands in no member attribute (MS-ADA3, primaryGroupID).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.model.call import Cmdlet, cmdlet
from orchestrator.model.escape import ldap, sid_octets
from orchestrator.model.observation import Record, Unreadable
from orchestrator.model.security.access import ANONYMOUS, AUTHENTICATED, EVERYONE, SELF

_PROPERTIES = ("objectSid", "sAMAccountName", "member", "memberOf", "primaryGroupID")
_BESIDE = ("objectSid", "sAMAccountName", "memberOf", "primaryGroupID")
_AT_ONCE = 40
"""Conditions of one filter: DNs are long, and a filter may have 16 KiB."""
_BUILTIN = "S-1-5-32-"
_DOMAIN = "S-1-5-21-"
_IN_CHAIN = "1.2.840.113556.1.4.1941"
OF_EVERYBODY = frozenset({"513", "514", "515"})
"""Domain Users, Guests and Computers: whoever is new is in one of them (MS-ADTS 6.1.1.6), nobody needs to count."""

ANYBODY: Mapping[str, str] = {
    EVERYONE: "Everyone",
    AUTHENTICATED: "Authenticated Users",
    ANONYMOUS: "Anonymous",
    SELF: "SELF, the account itself",
    "S-1-5-2": "NETWORK, whoever comes by the network",
    "S-1-5-3": "BATCH, whoever runs a batch job",
    "S-1-5-4": "INTERACTIVE, whoever logs on at the domain controller",
    "S-1-5-6": "SERVICE, whoever runs as a service",
    "S-1-5-14": "REMOTE INTERACTIVE LOGON",
    "S-1-5-15": "This Organization",
    "S-1-5-19": "LOCAL SERVICE",
    "S-1-5-20": "NETWORK SERVICE",
}
"""Identifiers that come with a way of logging on and have no object to look up (MS-DTYP 2.4.2.4)."""


def anybody(sid: str) -> bool:
    """Whether an identifier stands for people that nobody listed."""
    return sid in ANYBODY or (sid.startswith(_DOMAIN) and sid.rpartition("-")[2] in OF_EVERYBODY)


@dataclass(frozen=True)
class Principal:
    """One that the directory knows. ``within`` are the DNs of the groups in which it directly is."""

    sid: str
    dn: str
    name: str
    is_group: bool
    within: tuple[str, ...]
    primary: int | None
    has_members: bool

    def with_all_of(self, other: Principal | None) -> Principal:
        """Return this with what another reading of the same one showed: not every reading asks for everything."""
        if other is None:
            return self
        within = tuple(dict.fromkeys((*other.within, *self.within)))
        members, primary = self.has_members or other.has_members, self.primary or other.primary
        return replace(self, within=within, primary=primary, has_members=members)

    @property
    def primary_sid(self) -> str | None:
        """The identifier of its primary group."""
        return f"{self.sid.rpartition('-')[0]}-{self.primary}" if self.primary else None

    @property
    def can_be_primary(self) -> bool:
        """Whether somebody may have it as primary group; built-in groups never are."""
        return self.is_group and self.sid.startswith(_DOMAIN)


@dataclass(frozen=True)
class Principals:
    """Everybody who was found, by SID."""

    by_sid: Mapping[str, Principal]
    _above: dict[str, frozenset[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> Principals:
        """Read them out of replies; what is no principal is left out.

        Raises:
            Unreadable: an object came back without its name or class.
        """
        found: dict[str, Principal] = {}
        for record in records:
            if record.get("objectSid") is not None:
                one = _principal(record)
                found[one.sid] = one.with_all_of(found.get(one.sid))
        return cls(found)

    def groups_of(self, sid: str) -> frozenset[str]:
        """Return every group that somebody is in, nested and primary ones too, as far as they were found."""
        known = self._above.get(sid)
        if known is None:
            known = self._above[sid] = self._climb(sid)
        return known

    def _climb(self, sid: str) -> frozenset[str]:
        by_dn = {one.dn.lower(): one for one in self.by_sid.values()}
        found: set[str] = set()
        waiting = [sid]
        while waiting:
            one = self.by_sid.get(waiting.pop())
            above = [by_dn[dn.lower()].sid for dn in one.within if dn.lower() in by_dn] if one else []
            above += [one.primary_sid] if one and one.primary_sid else []
            waiting += [group for group in above if group not in found]
            found.update(above)
        return frozenset(found)

    def inside(self, group: str) -> list[str]:
        """Return who is in a group and is no group, nested or not; groups of everybody count as somebody."""
        return sorted(
            sid
            for sid, one in self.by_sid.items()
            if group in self.groups_of(sid) and (not one.is_group or anybody(sid))
        )


def _principal(record: Record) -> Principal:
    primary = record.get("primaryGroupID")
    return Principal(
        sid=record.text("objectSid"),
        dn=record.text("DistinguishedName"),
        name=str(record.get("sAMAccountName") or record.text("Name")),
        is_group=record.text("ObjectClass") == "group",
        within=record.texts("memberOf"),
        primary=record.number("primaryGroupID") if primary is not None else None,
        has_members=bool(record.texts("member")),
    )


def resolving(sids: Iterable[str], names: Iterable[str], base: str, server: str) -> tuple[Cmdlet, ...]:
    """Ask who bears these identifiers and these names."""
    wanted = [f"(objectSid={sid_octets(sid)})" for sid in sorted(set(sids))]
    wanted += [f"(sAMAccountName={ldap(name)})" for name in sorted(set(names))]
    return _search(wanted, _PROPERTIES, base, server)


def expanding(groups: Sequence[Principal], base: str, server: str) -> tuple[Cmdlet, ...]:
    """Ask who is in these groups, however deep."""
    wanted = []
    for one in sorted(groups, key=lambda group: group.sid):
        wanted.append(f"(memberOf:{_IN_CHAIN}:={ldap(one.dn)})")
        wanted += _primary(one)
    return _search(wanted, _BESIDE, base, server)


def whose_primary(groups: Iterable[Principal], base: str, server: str) -> tuple[Cmdlet, ...]:
    """Ask whose primary group one of these is."""
    wanted = [item for one in sorted(groups, key=lambda group: group.sid) for item in _primary(one)]
    return _search(wanted, _BESIDE, base, server)


def _primary(one: Principal) -> Iterator[str]:
    if one.can_be_primary and not anybody(one.sid):
        yield f"(primaryGroupID={one.sid.rpartition('-')[2]})"


def _search(wanted: list[str], properties: tuple[str, ...], base: str, server: str) -> tuple[Cmdlet, ...]:
    return tuple(
        cmdlet(
            "Get-ADObject",
            LDAPFilter=f"(|{''.join(wanted[start : start + _AT_ONCE])})",
            SearchBase=base,
            SearchScope="Subtree",
            Properties=properties,
            Server=server,
        )
        for start in range(0, len(wanted), _AT_ONCE)
    )


def domain_sid(account: str) -> str:
    """Return the SID of the domain of an account.

    Raises:
        Unreadable: it is of no domain.
    """
    above, _, rid = account.rpartition("-")
    if not account.startswith(_DOMAIN) or not rid.isdigit():
        raise Unreadable(f"{account} is not the SID of a domain's account")
    return above
