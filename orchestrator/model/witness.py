"""The pair by a second way: what LDAP shows of both objects, held against what the cmdlets said.

A cmdlet's answer comes from the ActiveDirectory module, from AD Web Services behind it and through remoting; LDAP asks
the same domain controller's copy without any of the three. Where the two contradict each other, neither is believed.
The attributes and their names are the schema's (MS-ADA2); ``<GUID=…>`` as a name: MS-ADTS 3.1.1.3.1.2.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from orchestrator.model.call import Cmdlet, Value, cmdlet
from orchestrator.model.directory import (
    ACCOUNT_DISABLED,
    ACCOUNT_LINK,
    ACCOUNT_STATE,
    DMSA_LINK,
    DMSA_STATE,
    Account,
    DmsaSeen,
    PairSeen,
    sam_account_name,
)
from orchestrator.model.observation import Record, Reply, Unreadable

WITNESS = "ldap:"
"""An endpoint that begins so is a domain controller's LDAP, not its WSMan."""
SEARCH = "ldapsearch"
"""The one statement that such an endpoint takes."""

_SHARED = ("objectGUID", "sAMAccountName", "userAccountControl", "servicePrincipalName")


@dataclass(frozen=True)
class Glimpse:
    """One object, as LDAP shows it: of the pair's attributes those that decide."""

    guid: UUID
    dn: str
    state: int
    link: str | None
    enabled: bool
    spns: frozenset[str]


@dataclass(frozen=True)
class WitnessSeen:
    """Both objects, as one domain controller shows them by LDAP. None: it shows none, perhaps for want of rights."""

    server: str
    account: Glimpse | None
    dmsa: Glimpse | None

    def __str__(self) -> str:
        """Say what was read, for evidence and messages."""
        shown = [
            f"{name} state {seen.state}, linked to {seen.link or 'nothing'}" if seen else f"no {name}"
            for name, seen in (("dMSA", self.dmsa), ("account", self.account))
        ]
        return f"{self.server} by LDAP: {'; '.join(shown)}"


def witness_endpoint(server: str) -> str:
    """Return the endpoint that stands for a domain controller's LDAP."""
    return f"{WITNESS}{server}"


def witness_reads(domain: str, dmsa: str, account: str) -> tuple[Cmdlet, ...]:
    """Ask for both objects.

    Args:
        domain: DNS name of the domain.
        dmsa: the dMSA's name.
        account: objectGUID where it is known, else the DN of the plan.
    """
    base = ",".join(f"DC={label}" for label in domain.split("."))
    return (
        cmdlet(SEARCH, Base=base, Account=sam_account_name(dmsa), Properties=(*_SHARED, DMSA_STATE, DMSA_LINK)),
        cmdlet(SEARCH, Base=_as_base(account), Properties=(*_SHARED, ACCOUNT_STATE, ACCOUNT_LINK)),
    )


def _as_base(account: str) -> str:
    try:
        return f"<GUID={UUID(account)}>"
    except ValueError:
        return account


def witness_seen(server: str, reply: Reply, dmsa: str) -> WitnessSeen:
    """Read both objects out of a reply.

    Raises:
        Unreadable: an object came without an attribute that it has at all times.
    """
    sam = sam_account_name(dmsa).lower()
    found = {True: [], False: []}  # type: dict[bool, list[Record]]
    for record in reply.of("LdapEntry"):
        found[_need(server, record, "sAMAccountName").lower() == sam].append(record)
    if any(len(records) > 1 for records in found.values()):
        raise Unreadable(f"{server} answered by LDAP with more than one object of a name")
    dmsas = [_glimpse(server, record, DMSA_STATE, DMSA_LINK, state_is_set=True) for record in found[True]]
    accounts = [_glimpse(server, record, ACCOUNT_STATE, ACCOUNT_LINK) for record in found[False]]
    return WitnessSeen(server, accounts[0] if accounts else None, dmsas[0] if dmsas else None)


def _glimpse(server: str, record: Record, state: str, link: str, *, state_is_set: bool = False) -> Glimpse:
    guid = record.need("objectGUID")
    if not isinstance(guid, UUID):
        raise Unreadable(f"{server} shows by LDAP an objectGUID that is none")
    control = _number(server, _need(server, record, "userAccountControl"))
    return Glimpse(
        guid=guid,
        dn=record.text("dn"),
        state=_number(server, _need(server, record, state) if state_is_set else _one(server, record, state) or "0"),
        link=_one(server, record, link),
        enabled=not control & ACCOUNT_DISABLED,
        spns=frozenset(record.texts("servicePrincipalName")),
    )


def _one(server: str, record: Record, name: str) -> str | None:
    values = record.texts(name)
    if len(values) > 1:
        raise Unreadable(f"{server} shows by LDAP more than one {name}")
    return values[0] if values else None


def _need(server: str, record: Record, name: str) -> str:
    value = _one(server, record, name)
    if value is None:
        raise Unreadable(
            f"{server} shows {record.text('dn')} by LDAP without {name}, which it has at all times: the account that "
            "logs on there may not read it (runbooks/second-witness.md)"
        )
    return value


def _number(server: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unreadable(f"{server} shows by LDAP {text!r} where a number should be") from None


def contradictions(pair: PairSeen, witness: WitnessSeen) -> tuple[str, ...]:
    """Say where the two readings of one copy differ, naming both; nothing where they agree."""
    said: list[str] = []
    objects: tuple[tuple[str, Account | DmsaSeen | None, Glimpse | None], ...] = (
        ("dMSA", pair.dmsa, witness.dmsa),
        ("account", pair.account, witness.account),
    )
    for what, cmdlets, ldap in objects:
        one, other = _facts(cmdlets), _facts(ldap)
        differ = [name for name in one if one[name] != other[name]] if one and other else []
        if (one is None) != (other is None):
            said.append(f"{what}: the cmdlet shows {'it' if one else 'none'}, LDAP {'it' if other else 'none'}")
        said += [f"{what}'s {name}: the cmdlet says {_text(one, name)}, LDAP {_text(other, name)}" for name in differ]
    return tuple(said)


def _facts(seen: Account | DmsaSeen | Glimpse | None) -> Mapping[str, Value] | None:
    """Return what is compared, in the form in which it is: names and SPNs without regard to case."""
    if seen is None:
        return None
    facts: dict[str, Value] = {
        "objectGUID": seen.guid,
        "name": seen.dn.lower(),
        "state": seen.state,
        "link": seen.link.lower() if seen.link else None,
        "SPNs": tuple(sorted(spn.lower() for spn in seen.spns)),
    }
    # A dMSA's disabled bit is nobody's concern here, and the cmdlet's reading of it does not keep it apart.
    return facts if isinstance(seen, DmsaSeen) else facts | {"enabled flag": seen.enabled}


def _text(facts: Mapping[str, Value] | None, name: str) -> str:
    value = facts.get(name) if facts else None
    if value is None or value == ():
        return "nothing"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
