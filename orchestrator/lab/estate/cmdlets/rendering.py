"""Directory objects as the ActiveDirectory module shows them.

A cmdlet returns its default properties, null where unset, and those asked for by ``-Properties``, left out
where unset; ``*`` asks for all that are set. Besides LDAP attributes there are the module's own properties
(``Enabled``, ``PrincipalsAllowedToRetrieveManagedPassword``, ...), computed from them.
Source: Microsoft Learn, ActiveDirectory module, ``Get-ADUser`` and its siblings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from orchestrator.lab.command import LabObject
from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate.descriptor import PROTECTION, Descriptor, membership_sddl
from orchestrator.lab.estate.migration import DELEGATED_BY, MEMBERSHIP
from orchestrator.lab.estate.replica import BACK_LINKS, LINKS, Entry, Replica

HIDDEN = frozenset({"rdn", "parent", "nchead", "labtakenspns", "labnetbios", "labmaxpasswordage"})
_COMMON = ("DistinguishedName", "Name", "ObjectClass", "ObjectGUID")
_ACCOUNT = (*_COMMON, "Enabled", "SamAccountName", "SID", "UserPrincipalName")
DEFAULTS = {
    "ADObject": _COMMON,
    "ADUser": (*_ACCOUNT, "GivenName", "Surname"),
    "ADServiceAccount": _ACCOUNT,
    "ADComputer": (*_ACCOUNT, "DNSHostName"),
    "ADGroup": (*_COMMON, "GroupCategory", "GroupScope", "SamAccountName", "SID"),
}
_ANCESTRY = {
    "ADUser": ("ADUser", "ADAccount", "ADPrincipal", "ADObject", "ADEntity"),
    "ADServiceAccount": ("ADServiceAccount", "ADAccount", "ADPrincipal", "ADObject", "ADEntity"),
    "ADComputer": ("ADComputer", "ADAccount", "ADPrincipal", "ADObject", "ADEntity"),
    "ADGroup": ("ADGroup", "ADPrincipal", "ADObject", "ADEntity"),
    "ADObject": ("ADObject", "ADEntity"),
}
_MULTIVALUED = frozenset(
    {
        "objectclass",
        "serviceprincipalname",
        "member",
        "memberof",
        "msds-allowedtodelegateto",
        "msds-authnpolicysilomembersbl",
        "msds-enabledfeature",
        "tokengroups",
    }
)
_DESCRIBED = frozenset({MEMBERSHIP.lower(), DELEGATED_BY.lower()})
"""Attributes that hold a security descriptor, of which the estate keeps whom it allows."""
_ENCRYPTION = {1: "DES", 4: "RC4", 8: "AES128", 16: "AES256"}


def sid_object(sid: str) -> LabObject:
    """Return a security identifier as .NET shows one."""
    types = ("System.Security.Principal.SecurityIdentifier", "System.Security.Principal.IdentityReference")
    domain = sid.rpartition("-")[0] if sid.startswith("S-1-5-21-") else None
    properties = {"BinaryLength": 8 + 4 * (sid.count("-") - 2), "AccountDomainSid": domain, "Value": sid}
    return LabObject((*types, "System.Object"), properties, sid)


def security_object(descriptor: str) -> LabObject:
    """Return a security descriptor as the module shows one."""
    name = "System.DirectoryServices.ActiveDirectorySecurity"
    owner = descriptor.partition("O:")[2].partition("G:")[0].partition("D:")[0]
    return LabObject((name, "System.Object"), {"Sddl": descriptor, "Owner": owner}, name, frozenset({"Sddl"}))


def attribute(replica: Replica, entry: Entry, name: str) -> object:
    """Return an LDAP attribute as the module shows it; None if it is unset.

    Single values as such, several as a list, distinguished names and back links as text.
    """
    folded = name.lower()
    if folded in HIDDEN:
        return None
    if folded in LINKS or folded in BACK_LINKS:
        linked = [replica.dn(other) for other in replica.linked(entry, folded)]
        return _several(folded, linked)
    special = _CONSTRUCTED.get(folded)
    if special is not None:
        return special(replica, entry)
    value = entry.get(name)
    if isinstance(value, Descriptor):
        return security_object(value.sddl)
    if folded in _DESCRIBED:
        return security_object(membership_sddl(entry.texts(name))) if value else None
    if isinstance(value, tuple):
        return _several(folded, list(value))
    return value


def _several(folded: str, values: list[object] | list[str]) -> object:
    if not values:
        return None
    return list(values) if folded in _MULTIVALUED or len(values) > 1 else values[0]


def _last_known_parent(replica: Replica, entry: Entry) -> object:
    known = entry.get("lastKnownParent")
    parent = replica.entries.get(known) if isinstance(known, UUID) else None
    return replica.dn(parent) if parent else None


def _token_groups(replica: Replica, entry: Entry) -> object:
    sids = sorted(group.sid for group in replica.groups_of(entry).values())
    return [sid_object(sid) for sid in sids] or None


def _password_expiry(replica: Replica, entry: Entry) -> object:
    """When the password expires (MS-ADTS 3.1.1.4.5.36): never, at once, or so long after it was set."""
    if entry.number("userAccountControl") & uac.PASSWORD_NEVER_EXPIRES or "computer" in entry.classes:
        return uac.NEVER
    if not entry.number("pwdLastSet"):
        return 0  # must be changed at the next log-on
    longest = replica.max_password_age
    return entry.number("pwdLastSet") + longest if longest else uac.NEVER


def _control_computed(_: Replica, entry: Entry) -> object:
    if "user" not in entry.classes:
        return None
    return uac.LOCKOUT if entry.number("lockoutTime") else 0


def _principal_name(replica: Replica, entry: Entry) -> object:
    return f"{replica.netbios}\\{entry.sam}" if entry.sid and entry.sam else None


_CONSTRUCTED: dict[str, Callable[[Replica, Entry], object]] = {
    "distinguishedname": lambda replica, entry: replica.dn(entry),
    "name": lambda _, entry: names.value(str(entry.get("rdn"))).replace("\\0A", "\n"),
    "cn": lambda _, entry: names.value(str(entry.get("rdn"))) if _is_cn(entry) else None,
    "objectguid": lambda _, entry: entry.guid,
    "objectclass": lambda _, entry: entry.kind,
    "objectsid": lambda _, entry: sid_object(entry.sid) if entry.sid else None,
    "usnchanged": lambda _, entry: entry.usn,
    "whencreated": lambda _, entry: entry.created,
    "whenchanged": lambda _, entry: entry.changed,
    "lastknownparent": _last_known_parent,
    "tokengroups": _token_groups,
    "msds-userpasswordexpirytimecomputed": _password_expiry,
    "msds-user-account-control-computed": _control_computed,
    "msds-principalname": _principal_name,
}


def _is_cn(entry: Entry) -> bool:
    return str(entry.get("rdn")).lower().startswith("cn=")


def _control(bit: int) -> Callable[[Replica, Entry], object]:
    return lambda _, entry: (
        None if entry.get("userAccountControl") is None else bool(entry.number("userAccountControl") & bit)
    )


def _principals(attribute_name: str) -> Callable[[Replica, Entry], object]:
    def read(replica: Replica, entry: Entry) -> object:
        found = []
        for sid in entry.texts(attribute_name):
            principal = replica.principal(sid)
            found.append(replica.dn(principal) if principal else sid)
        return found

    return read


def _protected(_: Replica, entry: Entry) -> object:
    descriptor = entry.get("nTSecurityDescriptor")
    return isinstance(descriptor, Descriptor) and PROTECTION in descriptor.aces


def _time(attribute_name: str) -> Callable[[Replica, Entry], object]:
    def read(_: Replica, entry: Entry) -> object:
        value = entry.number(attribute_name)
        return None if value in {0, uac.NEVER} else uac.from_filetime(value)

    return read


def _encryption(_: Replica, entry: Entry) -> object:
    if entry.get("msDS-SupportedEncryptionTypes") is None:
        return None
    bits = entry.number("msDS-SupportedEncryptionTypes")
    return ", ".join(name for bit, name in _ENCRYPTION.items() if bits & bit) or "None"


def _enabled(_: Replica, entry: Entry) -> object:
    control = entry.get("userAccountControl")
    return None if not isinstance(control, int) else not control & uac.DISABLED


_COOKED: dict[str, tuple[str, Callable[[Replica, Entry], object]]] = {
    "distinguishedname": ("DistinguishedName", _CONSTRUCTED["distinguishedname"]),
    "name": ("Name", _CONSTRUCTED["name"]),
    "objectclass": ("ObjectClass", _CONSTRUCTED["objectclass"]),
    "objectguid": ("ObjectGUID", _CONSTRUCTED["objectguid"]),
    "samaccountname": ("SamAccountName", lambda _, entry: entry.sam or None),
    "sid": ("SID", _CONSTRUCTED["objectsid"]),
    "userprincipalname": ("UserPrincipalName", lambda _, entry: entry.get("userPrincipalName")),
    "givenname": ("GivenName", lambda _, entry: entry.get("givenName")),
    "surname": ("Surname", lambda _, entry: entry.get("sn")),
    "dnshostname": ("DNSHostName", lambda _, entry: entry.get("dNSHostName")),
    "enabled": ("Enabled", _enabled),
    "groupcategory": (
        "GroupCategory",
        lambda _, entry: "Security" if entry.number("groupType") < 0 else "Distribution",
    ),
    "groupscope": (
        "GroupScope",
        lambda _, entry: (
            "DomainLocal"
            if entry.number("groupType") & 4
            else "Universal"
            if entry.number("groupType") & 8
            else "Global"
        ),
    ),
    "description": ("Description", lambda _, entry: entry.get("description")),
    "protectedfromaccidentaldeletion": ("ProtectedFromAccidentalDeletion", _protected),
    "principalsallowedtoretrievemanagedpassword": (
        "PrincipalsAllowedToRetrieveManagedPassword",
        _principals(MEMBERSHIP),
    ),
    "principalsallowedtodelegatetoaccount": ("PrincipalsAllowedToDelegateToAccount", _principals(DELEGATED_BY)),
    "serviceprincipalnames": ("ServicePrincipalNames", lambda _, entry: list(entry.texts("servicePrincipalName"))),
    "kerberosencryptiontype": ("KerberosEncryptionType", _encryption),
    "passwordlastset": ("PasswordLastSet", _time("pwdLastSet")),
    "accountexpirationdate": ("AccountExpirationDate", _time("accountExpires")),
    "passwordneverexpires": ("PasswordNeverExpires", _control(uac.PASSWORD_NEVER_EXPIRES)),
    "trustedfordelegation": ("TrustedForDelegation", _control(uac.TRUSTED_FOR_DELEGATION)),
    "trustedtoauthfordelegation": ("TrustedToAuthForDelegation", _control(uac.TRUSTED_TO_AUTHENTICATE)),
    "lockedout": ("LockedOut", lambda _, entry: bool(entry.number("lockoutTime"))),
    "passwordexpired": ("PasswordExpired", lambda *_: False),
    "operatingsystem": ("OperatingSystem", lambda _, entry: entry.get("operatingSystem")),
    "operatingsystemversion": ("OperatingSystemVersion", lambda _, entry: entry.get("operatingSystemVersion")),
    "created": ("Created", _CONSTRUCTED["whencreated"]),
    "modified": ("Modified", _CONSTRUCTED["whenchanged"]),
    "deleted": ("Deleted", lambda _, entry: True if entry.deleted else None),
    "memberof": ("MemberOf", lambda replica, entry: [replica.dn(group) for group in replica.linked(entry, "memberOf")]),
}
_FAR = frozenset({"tokengroups", "*"})
"""What may change although neither the object, nor a link to it, nor a name does."""
_OF_ACCOUNTS = frozenset(
    {
        "principalsallowedtoretrievemanagedpassword",
        "principalsallowedtodelegatetoaccount",
        "lockedout",
        "passwordexpired",
        "serviceprincipalnames",
        "memberof",
    }
)


def render(replica: Replica, entry: Entry, kind: str, asked: Iterable[str]) -> LabObject:
    """Return an entry as an object of the module's class *kind*, with the properties *asked* for."""
    asked = tuple(asked)
    if any(name.lower() in _FAR for name in asked):
        return _rendered(replica, entry, kind, asked)
    known = replica.shown(entry)
    found = known.get((kind, asked))
    if not isinstance(found, LabObject):
        found = known[kind, asked] = _rendered(replica, entry, kind, asked)
    return found


def _rendered(replica: Replica, entry: Entry, kind: str, asked: tuple[str, ...]) -> LabObject:
    properties: dict[str, object] = {}
    for name in DEFAULTS[kind]:
        properties[name] = _COOKED[name.lower()][1](replica, entry)
    for name in asked:
        for shown, value in _asked(replica, entry, name):
            if value is not None and value != []:
                properties.setdefault(shown, value)
    types = tuple(f"Microsoft.ActiveDirectory.Management.{name}" for name in _ANCESTRY[kind])
    return LabObject((*types, "System.Object"), properties, replica.dn(entry))


def _asked(replica: Replica, entry: Entry, name: str) -> Iterable[tuple[str, object]]:
    folded = name.lower()
    if folded == "*":
        shown = [cell.name for cell in entry.cells.values() if cell.name.lower() not in HIDDEN]
        for each in (*shown, *(cooked for cooked, _ in _COOKED.values()), *LINKS.values()):
            yield from _asked(replica, entry, each)
    elif folded in _COOKED:
        of_group = entry.kind == "group" and folded == "memberof"
        if folded not in _OF_ACCOUNTS or "user" in entry.classes or of_group:
            yield _COOKED[folded][0], _COOKED[folded][1](replica, entry)
    else:
        yield name, attribute(replica, entry, name)
