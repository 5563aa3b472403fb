"""The two objects of a migration in Active Directory: how they are asked for, and what an answer says.

The dMSA is asked for by filter, because a filter that finds nothing is an answer and an identity that finds
nothing is an error; the account is asked for last in its batch, because its absence ends the pipeline. The
account is read with ``Get-ADUser``: it is a user, whatever its role. Attribute names are the schema's
(MS-ADA2; the overview page misspells two of them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestrator.model.call import Cmdlet, Value, cmdlet
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Record, RemoteError, Reply, Unreadable

ACCOUNT_STATE = "msDS-SupersededServiceAccountState"
ACCOUNT_LINK = "msDS-SupersededManagedAccountLink"
ACCOUNT_BACK_LINK = "msDS-ManagedAccountPrecededByLinkBL"
DMSA_STATE = "msDS-DelegatedMSAState"
DMSA_LINK = "msDS-ManagedAccountPrecededByLink"
DMSA_BACK_LINK = "msDS-SupersededManagedAccountLinkBL"
DMSA_CLASS = "msDS-DelegatedManagedServiceAccount"
PRINCIPALS = "PrincipalsAllowedToRetrieveManagedPassword"
DELEGATED_BY = "PrincipalsAllowedToDelegateToAccount"
"""Who may delegate to the account: msDS-AllowedToActOnBehalfOfOtherIdentity, as the module shows it (Microsoft Learn,
ActiveDirectory module, Set-ADUser, parameter of this name)."""
SILOS = ("msDS-AssignedAuthNPolicySilo", "msDS-AuthNPolicySiloMembersBL")
"""Both sides of an authentication policy silo: the silo that applies, and those that list the account (MS-ADA2)."""

ACCOUNT_DISABLED = 0x2
"""userAccountControl bit ACCOUNTDISABLE (MS-ADTS 2.2.16)."""

_JSON_EXACT = 2**53
"""Beyond this a JSON number need not survive (RFC 8785, section 3.2.2.3); accountExpires is one that does not."""

_SHARED = (
    "servicePrincipalName",
    "userAccountControl",
    "msDS-SupportedEncryptionTypes",
    "msDS-AllowedToDelegateTo",
    DELEGATED_BY,
    "msDS-AssignedAuthNPolicy",
    *SILOS,
    "memberOf",
    "Description",
)
ACCOUNT_PROPERTIES = (
    ACCOUNT_STATE,
    ACCOUNT_LINK,
    ACCOUNT_BACK_LINK,
    "ProtectedFromAccidentalDeletion",
    "adminCount",
    "primaryGroupID",
    "pwdLastSet",
    "accountExpires",
    "lockoutTime",
    *_SHARED,
)
DMSA_PROPERTIES = (DMSA_STATE, DMSA_LINK, DMSA_BACK_LINK, PRINCIPALS, *_SHARED)

PRINCIPAL_NAME = "msDS-PrincipalName"
"""The account's name as hosts write it, ``CORP\\svc``: made by the directory when it is asked (MS-ADA2 2.425)."""
CONTROL_COMPUTED = "msDS-User-Account-Control-Computed"
"""The bits of userAccountControl that depend on the time: locked out, password expired (MS-ADTS 3.1.1.4.5.17)."""
PASSWORD_EXPIRES = "msDS-UserPasswordExpiryTimeComputed"  # noqa: S105 - the name of an attribute
"""When the password expires, by whichever policy applies (MS-ADTS 3.1.1.4.5.36)."""
ASIDE = (PRINCIPAL_NAME, CONTROL_COMPUTED, PASSWORD_EXPIRES, "userPrincipalName")
"""Asked with the account, and never part of a snapshot: computed, or of no use to a way back."""


@dataclass(frozen=True)
class Account:
    """The superseded account, as one domain controller shows it."""

    guid: UUID
    dn: str
    sid: str
    sam: str
    object_class: str
    enabled: bool
    protected: bool
    state: int
    link: str | None
    spns: frozenset[str]
    watched: Mapping[str, Any]
    upn: str | None = None
    aside: Mapping[str, Any] = field(default_factory=dict)
    """What of :data:`ASIDE` came back."""


@dataclass(frozen=True)
class DmsaSeen:
    """The dMSA, as one domain controller shows it."""

    guid: UUID
    dn: str
    object_class: str
    state: int
    link: str | None
    principals: tuple[str, ...]
    spns: frozenset[str]
    description: str
    watched: Mapping[str, Any]


@dataclass(frozen=True)
class PairSeen:
    """Both objects, read in one round trip from one domain controller. None: it is not there."""

    server: str
    account: Account | None
    dmsa: DmsaSeen | None

    @property
    def pair(self) -> Pair:
        """Classify the pair. Links are compared as DNs, without regard to case."""
        dmsa_state = self.dmsa.state if self.dmsa else 0
        dmsa_link = self.dmsa.link if self.dmsa else None
        account_state = self.account.state if self.account else 0
        account_link = self.account.link if self.account else None
        states = (dmsa_state, account_state)
        if states == (0, 0) and dmsa_link is None and account_link is None:
            return Pair.UNLINKED
        if self.dmsa and self.account and _same(dmsa_link, self.account.dn) and _same(account_link, self.dmsa.dn):
            return {(1, 1): Pair.STARTED, (2, 2): Pair.COMPLETED}.get(states, Pair.BROKEN)
        return Pair.BROKEN

    def __str__(self) -> str:
        """Say what was read, for evidence and messages."""
        if self.account is None:
            return f"{self.server}: the account is not there"
        dmsa = f"dMSA state {self.dmsa.state}, linked to {self.dmsa.link or 'nothing'}" if self.dmsa else "no dMSA"
        return f"{self.server}: {dmsa}; account state {self.account.state}, linked to {self.account.link or 'nothing'}"


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.lower() == other.lower()


def sam_account_name(dmsa: str) -> str:
    """Return the sAMAccountName that New-ADServiceAccount gives a dMSA of that name."""
    return f"{dmsa}$"


def pair_reads(server: str, dmsa: str, account: str) -> tuple[Cmdlet, ...]:
    """Ask one domain controller for both objects.

    Args:
        server: FQDN of the domain controller whose copy is meant.
        dmsa: the dMSA's name (``[A-Za-z0-9._-]``, checked with the plan).
        account: objectGUID where it is known, else the DN of the plan.
    """
    return (
        cmdlet(
            "Get-ADServiceAccount",
            LDAPFilter=f"(sAMAccountName={sam_account_name(dmsa)})",
            Properties=DMSA_PROPERTIES,
            Server=server,
        ),
        cmdlet("Get-ADUser", Identity=account, Properties=(*ACCOUNT_PROPERTIES, *ASIDE), Server=server),
    )


def pair_seen(server: str, reply: Reply, dmsa: str) -> PairSeen:
    """Read both objects out of a reply.

    Raises:
        Unreadable: the reply does not say whether an object is there.
    """
    sam = sam_account_name(dmsa).lower()
    accounts = list(reply.of("ADUser"))
    dmsas = [record for record in reply.of("ADServiceAccount") if record.text("SamAccountName").lower() == sam]
    if len(accounts) > 1 or len(dmsas) > 1:
        raise Unreadable(f"{server} answered with more than one object of a name")
    return PairSeen(
        server,
        _account(accounts[0]) if account_there(server, reply) else None,
        _dmsa(dmsas[0]) if dmsas else None,
    )


def account_there(server: str, reply: Reply) -> bool:
    """Say whether the account that was asked for exists.

    Raises:
        Unreadable: the reply does not say.
    """
    there = any(True for _ in reply.of("ADUser"))
    if not there and not any(_not_found(error, "Get-ADUser") for error in reply.errors):
        raise Unreadable(f"{server} did not answer for the account: {complaint(reply)}")
    return there


def complaint(reply: Reply) -> str:
    """Say in a few words why a reply does not hold what was asked for."""
    if reply.errors:
        return reply.errors[0].message
    return reply.fault.message if reply.fault else "it said nothing"


def _not_found(error: RemoteError, asked_by: str) -> bool:
    return error.category == "ObjectNotFound" and (not error.cmdlet or error.cmdlet == asked_by)


def _number(record: Record, name: str) -> int:
    return record.number(name) if record.get(name) is not None else 0


def _text(record: Record, name: str) -> str | None:
    return record.text(name) if record.get(name) is not None else None


def _guid(record: Record) -> UUID:
    value = record.need("ObjectGUID")
    return value if isinstance(value, UUID) else UUID(str(value))


def _flag(record: Record, name: str) -> bool:
    value = record.need(name)
    if not isinstance(value, bool):
        raise Unreadable(f"{record.kind}.{name} is neither true nor false")
    return value


def plain(value: Value) -> Any:
    """Return a value as JSON data: what a snapshot keeps. Multi-valued attributes are sorted, for AD has no order."""
    if type(value) is str:
        return value
    match value:
        case int() if abs(value) > _JSON_EXACT:
            return str(value)
        case None | bool() | int() | str():
            return value
        case tuple():
            return sorted((plain(item) for item in value), key=str)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {name: plain(item) for name, item in sorted(value.items())}
        case _:
            return str(value)


_SEVERAL = frozenset(
    {"servicePrincipalName", "memberOf", "msDS-AllowedToDelegateTo", DELEGATED_BY, "msDS-AuthNPolicySiloMembersBL"}
)


def _watched(record: Record, names: tuple[str, ...]) -> dict[str, Any]:
    watched = {}
    for name in names:
        value = sorted(record.texts(name)) if name in _SEVERAL else plain(record.get(name))
        if value is not None and value != []:
            watched[name] = value
    return watched


def _account(record: Record) -> Account:
    return Account(
        guid=_guid(record),
        dn=record.text("DistinguishedName"),
        sid=record.text("SID"),
        sam=record.text("SamAccountName"),
        object_class=record.text("ObjectClass"),
        enabled=not record.number("userAccountControl") & ACCOUNT_DISABLED,
        protected=_flag(record, "ProtectedFromAccidentalDeletion"),
        state=_number(record, ACCOUNT_STATE),
        link=_text(record, ACCOUNT_LINK),
        spns=frozenset(record.texts("servicePrincipalName")),
        watched=_watched(record, ACCOUNT_PROPERTIES),
        upn=_text(record, "UserPrincipalName"),
        aside=_watched(record, ASIDE),
    )


def _dmsa(record: Record) -> DmsaSeen:
    return DmsaSeen(
        guid=_guid(record),
        dn=record.text("DistinguishedName"),
        object_class=record.text("ObjectClass"),
        state=record.number(DMSA_STATE),
        link=_text(record, DMSA_LINK),
        principals=record.texts(PRINCIPALS),
        spns=frozenset(record.texts("servicePrincipalName")),
        description=_text(record, "Description") or "",
        watched=_watched(record, DMSA_PROPERTIES),
    )
