"""What the schema says of the few classes and attributes on which a migration leans.

Sources: MS-ADSC (classes), MS-ADA2 and MS-ADA3 (attributes), MS-ADTS 3.1.1.3.1.1 (what is enforced).
"""

from __future__ import annotations

from orchestrator.lab.estate.genesis import DMSA_CLASS
from orchestrator.lab.estate.replica import BACK_LINKS, LINKS

MUST = {DMSA_CLASS: frozenset({"msds-delegatedmsastate", "msds-managedpasswordinterval"})}
"""What an object of a class has at all times, beside what every directory adds by itself."""
ONLY_ON = {
    "msds-delegatedmsastate": DMSA_CLASS,
    "msds-managedaccountprecededbylink": DMSA_CLASS,
    "msds-managedpasswordinterval": DMSA_CLASS,
    "msds-groupmsamembership": DMSA_CLASS,
    "msds-supersededserviceaccountstate": "user",
    "msds-supersededmanagedaccountlink": "user",
    "member": "group",
}
"""Attributes that stand on objects of one class (or of a class below it) and on no others."""
NUMBERS = frozenset(
    {
        "msds-delegatedmsastate",
        "msds-supersededserviceaccountstate",
        "msds-managedpasswordinterval",
        "msds-supportedencryptiontypes",
        "useraccountcontrol",
        "admincount",
        "primarygroupid",
    }
)
SEVERAL = frozenset({"serviceprincipalname", "member", "msds-allowedtodelegateto"})
"""Attributes that may have more than one value; all others that are written here have one."""
GUIDS = {
    DMSA_CLASS: "0feb936f-47b3-49f2-9386-1dedc2c23765",
    "user": "bf967aba-0de6-11d0-a285-00aa003049e2",
    "computer": "bf967a86-0de6-11d0-a285-00aa003049e2",
    "group": "bf967a9c-0de6-11d0-a285-00aa003049e2",
    "organizationalUnit": "bf967aa5-0de6-11d0-a285-00aa003049e2",
    "msds-supersededserviceaccountstate": "a4693096-a4c3-4ecd-b8cb-73cd6398b7a2",
    "msds-supersededmanagedaccountlink": "3752e002-43be-48c8-b3ca-2cb2fffbc8a1",
    "msds-delegatedmsastate": "2f5c138a-bd38-4016-88b4-0ec87cbb4919",
    "msds-managedaccountprecededbylink": "a0945b2b-57a2-43bd-b327-4d112a4e8bd1",
    "msds-groupmsamembership": "888eedd6-ce04-df40-b462-b8a50e41ba38",
}
"""schemaIDGUIDs: what an access control entry that is about one class or attribute names."""


def is_link(attribute: str) -> bool:
    """Say whether an attribute (folded) holds other objects' names."""
    return attribute in LINKS


def is_back_link(attribute: str) -> bool:
    """Say whether an attribute (folded) is computed from other objects' links."""
    return attribute in BACK_LINKS
