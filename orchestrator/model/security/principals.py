"""Who bears an identifier, and who is in which group: as the directory was asked for it, in two or three reads.

The first read resolves identifiers and names, the second finds everybody in the groups among them, nested too
(LDAP_MATCHING_RULE_TRANSITIVE_EVAL, MS-ADTS 3.1.1.3.4.4.3), the third whose primary group a nested one is: a primary
group stands in no member attribute (MS-ADA3, primaryGroupID).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from orchestrator.model.call import Cmdlet, cmdlet
from orchestrator.model.escape import ldap, sid_octets
from orchestrator.model.observation import Record, Unreadable
from orchestrator.model.security.access import ANONYMOUS, AUTHENTICATED, EVERYONE, SELF

_PROPERTIES = ("objectSid", "sAMAccountName", "member", "memberOf", "primaryGroupID")
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
    """One that the directory knows. ``within`` and ``members`` are the DNs of the groups in which it
    directly is, and of who directly is in it."""

    sid: str
    dn: str
    name: str
    is_group: bool
    within: tuple[str, ...]
    primary: int | None
    members: tuple[str, ...]

    def with_all_of(self, other: Principal | None) -> Principal:
        """Return this with what another reading of the same one showed: not every reading asks for everything."""
        if other is None:
            return self
        within, members = {*other.within, *self.within}, {*other.members, *self.members}
        primary = self.primary or other.primary
        return replace(self, within=tuple(sorted(within)), members=tuple(sorted(members)), primary=primary)

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
    """Everybody who was found, by SID; ``others`` are the folded DNs of what was found and is nobody (a contact)."""

    by_sid: Mapping[str, Principal]
    others: frozenset[str] = frozenset()
    _above: dict[str, frozenset[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> Principals:
        """Read them out of replies.

        Raises:
            Unreadable: an object came back without its name or class.
        """
        found: dict[str, Principal] = {}
        others = set()
        for record in records:
            if record.get("objectSid") is None:
                others.add(record.text("DistinguishedName").lower())
            else:
                one = _principal(record)
                found[one.sid] = one.with_all_of(found.get(one.sid))
        return cls(found, frozenset(others))

    @cached_property
    def _by_dn(self) -> dict[str, Principal]:
        return {one.dn.lower(): one for one in self.by_sid.values()}

    @cached_property
    def _direct(self) -> Mapping[str, frozenset[str]]:
        """The groups each one is in directly: as it says itself, as the group says, and as its primary group."""
        above: dict[str, set[str]] = {sid: set() for sid in self.by_sid}
        for one in self.by_sid.values():
            above[one.sid] |= {self._by_dn[dn.lower()].sid for dn in one.within if dn.lower() in self._by_dn}
            above[one.sid] |= {one.primary_sid} if one.primary_sid else set()
            for dn in one.members:
                if dn.lower() in self._by_dn:
                    above[self._by_dn[dn.lower()].sid].add(one.sid)
        return {sid: frozenset(groups) for sid, groups in above.items()}

    def groups_of(self, sid: str) -> frozenset[str]:
        """Return every group that somebody is in, nested and primary ones too, as far as they were found."""
        known = self._above.get(sid)
        if known is None:
            found: set[str] = set()
            waiting = [sid]
            while waiting:
                new = self._direct.get(waiting.pop(), frozenset()) - found
                found |= new
                waiting += new
            known = self._above[sid] = frozenset(found)
        return known

    def inside(self, group: str) -> list[str]:
        """Return who is in a group and is no group, nested or not; groups of everybody count as somebody.

        Raises:
            Unreadable: the group, or one in it, has a member that did not come back: one of another domain, or one that
                the operator may not see.
        """
        within = [one for one in self.by_sid.values() if one.sid == group or group in self.groups_of(one.sid)]
        for one in within:
            lost = [dn for dn in one.members if dn.lower() not in self._by_dn and dn.lower() not in self.others]
            if lost:
                raise Unreadable(f"{lost[0]}, a member of {one.name}, did not come back: it may be of another domain")
        return sorted(one.sid for one in within if one.sid != group and (not one.is_group or anybody(one.sid)))


def _principal(record: Record) -> Principal:
    primary = record.get("primaryGroupID")
    return Principal(
        sid=record.text("objectSid"),
        dn=record.text("DistinguishedName"),
        name=str(record.get("sAMAccountName") or record.text("Name")),
        is_group=record.text("ObjectClass") == "group",
        within=record.texts("memberOf"),
        primary=record.number("primaryGroupID") if primary is not None else None,
        members=record.texts("member"),
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
    return _search(wanted, _PROPERTIES, base, server)


def whose_primary(groups: Iterable[Principal], base: str, server: str) -> tuple[Cmdlet, ...]:
    """Ask whose primary group one of these is."""
    wanted = [item for one in sorted(groups, key=lambda group: group.sid) for item in _primary(one)]
    return _search(wanted, _PROPERTIES, base, server)


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
