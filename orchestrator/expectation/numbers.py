"""Which events are looked at, by their numbers, and what each of them says under which name.

Names and their order are Windows' own: the ``EventData`` of each event as its page of Microsoft Learn, Windows security
auditing, shows it. Newer versions of an event add values at the end.
"""

from __future__ import annotations

from collections.abc import Mapping

CHANGES = frozenset({5136, 5137, 5138, 5139, 5141})
"""Directory service changes: modified, created, undeleted, moved, deleted."""
ACCOUNTS = frozenset({4720, 4722, 4723, 4724, 4725, 4726, 4738, 4741, 4742, 4743, 4781})
TICKETS = frozenset({4768, 4769})
REGISTRY = 4657
KERBEROS = frozenset({307, 308, 309})
KEY_ISSUED = 2946
SERVICE, REBOOT = 7036, 1074
OF_SYSTEM = frozenset({SERVICE, REBOOT})
"""What hosts log of services and restarts: it can be missing, and is never anybody's doing."""
LOOKED_AT = CHANGES | ACCOUNTS | TICKETS | KERBEROS | OF_SYSTEM | {REGISTRY, KEY_ISSUED}
"""Events that can say something of a migration. All others are counted, and not looked into."""

ADDED, DELETED = "added", "deleted"
OPERATIONS: Mapping[str, str] = {
    "%%14674": ADDED,
    "valueadded": ADDED,
    "%%14675": DELETED,
    "valuedeleted": DELETED,
}
"""5136, OperationType: how the resource string is written, and how it reads in English."""

NEEDS: Mapping[int, tuple[str, ...]] = {
    5136: ("objectdn", "attributeldapdisplayname", "operationtype"),
    5137: ("objectdn", "objectclass"),
    5138: ("newobjectdn",),
    5139: ("oldobjectdn", "newobjectdn"),
    5141: ("objectdn", "objectclass"),
    REGISTRY: ("objectname", "objectvaluename"),
}
"""Without which an event says nothing. 5138 names the tombstone first, and that is nobody's name."""

_SUBJECT = ("subjectusersid", "subjectusername", "subjectdomainname", "subjectlogonid")
_CHANGE = ("opcorrelationid", "appcorrelationid", *_SUBJECT, "dsname", "dstype")
_TARGET = ("targetusername", "targetdomainname", "targetsid", *_SUBJECT)
_MOVED = ("oldobjectdn", "newobjectdn", "objectguid", "objectclass")
ORDER: Mapping[int, tuple[str, ...]] = {
    5136: (
        *_CHANGE,
        *("objectdn", "objectguid", "objectclass", "attributeldapdisplayname", "attributesyntaxoid"),
        *("attributevalue", "operationtype"),
    ),
    5137: (*_CHANGE, "objectdn", "objectguid", "objectclass"),
    5138: (*_CHANGE, *_MOVED),
    5139: (*_CHANGE, *_MOVED),
    5141: (*_CHANGE, "objectdn", "objectguid", "objectclass", "treedelete"),
    **dict.fromkeys((4720, 4722, 4723, 4724, 4725, 4726, 4741, 4743), _TARGET),
    **dict.fromkeys((4738, 4742), ("dummy", *_TARGET)),
    4781: ("oldtargetusername", "newtargetusername", "targetdomainname", "targetsid", *_SUBJECT),
    4768: (
        *("targetusername", "targetdomainname", "targetsid", "servicename", "servicesid", "ticketoptions", "status"),
        *("ticketencryptiontype", "preauthtype", "ipaddress"),
    ),
    4769: (
        *("targetusername", "targetdomainname", "servicename", "servicesid", "ticketoptions", "ticketencryptiontype"),
        *("ipaddress", "ipport", "status"),
    ),
}
"""Where the values of an event stand, from the first: ``ConvertTo-Json`` keeps ``Properties``, and no names."""

LABELS: Mapping[tuple[str, str], str] = {
    ("subject", "security id"): "subjectusersid",
    ("subject", "account name"): "subjectusername",
    ("subject", "account domain"): "subjectdomainname",
    ("object", "dn"): "objectdn",
    ("object", "guid"): "objectguid",
    ("object", "class"): "objectclass",
    ("object", "old dn"): "oldobjectdn",
    ("object", "new dn"): "newobjectdn",
    ("object", "object name"): "objectname",
    ("object", "object value name"): "objectvaluename",
    ("attribute", "ldap display name"): "attributeldapdisplayname",
    ("attribute", "value"): "attributevalue",
    ("operation", "type"): "operationtype",
    ("change information", "old value"): "oldvalue",
    ("change information", "new value"): "newvalue",
    ("account information", "account name"): "targetusername",
    ("account information", "account domain"): "targetdomainname",
    ("account information", "supplied realm name"): "targetdomainname",
    ("account information", "user id"): "targetsid",
    ("service information", "service name"): "servicename",
    ("service information", "service id"): "servicesid",
    ("network information", "client address"): "ipaddress",
    ("additional information", "result code"): "status",
    ("additional information", "failure code"): "status",
}
"""How an English message says it: section and label."""
TARGETS = frozenset(
    {"target account", "new account", "new computer account", "computer account that was changed", "target computer"}
)
OF_TARGET: Mapping[str, str] = {
    "security id": "targetsid",
    "account name": "targetusername",
    "account domain": "targetdomainname",
    "old account name": "oldtargetusername",
    "new account name": "newtargetusername",
}
