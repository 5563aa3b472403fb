"""Misconfigurations of the kind that BadSuccessor needs, published and less so: who is let in where by which entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OU = "OU=Managed,DC=corp,DC=example"
ABOVE = "OU=Service Accounts,DC=corp,DC=example"
ACCOUNT = f"CN=svc-batch,{ABOVE}"
HELPDESK = f"CN=helpdesk,{ABOVE}"
SECONDS = f"CN=seconds,{ABOVE}"
ANN = f"CN=ann,{ABOVE}"
DMSA_CLASS = "0feb936f-47b3-49f2-9386-1dedc2c23765"
OU_CLASS = "bf967aa5-0de6-11d0-a285-00aa003049e2"
LINK, STATE = "3752e002-43be-48c8-b3ca-2cb2fffbc8a1", "a4693096-a4c3-4ecd-b8cb-73cd6398b7a2"
USER_CLASS = "bf967aba-0de6-11d0-a285-00aa003049e2"
DMSA_LINK, DMSA_STATE = "a0945b2b-57a2-43bd-b327-4d112a4e8bd1", "2f5c138a-bd38-4016-88b4-0ec87cbb4919"
MEMBERSHIP, KEYS = "888eedd6-ce04-df40-b462-b8a50e41ba38", "5b47d60f-6090-40b2-9f37-2a4de88f3063"

Change = Callable[[dict[str, Any]], None]


def seeded(of: str, *entries: dict[str, str], **more: Any) -> Change:
    """Return a change of the estate file: a helpdesk of one person, in a group in it, and a descriptor."""

    def change(estate: dict[str, Any]) -> None:
        estate["users"] += [{"dn": ANN}]
        estate["groups"] = [{"dn": SECONDS, "members": [ANN]}, {"dn": HELPDESK, "members": [SECONDS]}]
        estate["descriptors"] = [{"of": of, "entries": list(entries), **more}]

    return change


def ace(rights: str, to: str = HELPDESK, **more: str) -> dict[str, str]:
    """Return an entry as the estate file says it."""
    return {"rights": rights, "to": to, **more}


OPEN = {
    "any child": seeded(OU, ace("CC")),
    "dMSAs alone": seeded(OU, ace("CC", kind="OA", about=DMSA_CLASS)),
    "inherited": seeded(OU, ace("CC", flags="CIID")),
    "inherited by OUs": seeded(OU, ace("CC", kind="OA", flags="CIID", about=DMSA_CLASS, inherited_by=OU_CLASS)),
    "full control": seeded(OU, ace("GA")),
    "its permissions": seeded(OU, ace("WD")),
    "its ownership": seeded(OU, ace("WO")),
    "an owner": seeded(OU, owner=ANN),
    "an owner, denied": seeded(OU, ace("WD", ANN, kind="D"), owner=ANN),
    "OWNER RIGHTS": seeded(OU, ace("CC", "S-1-3-4"), owner=ANN),
    "everybody": seeded(OU, ace("CC", "S-1-5-11")),
    "a denial too late": seeded(OU, ace("CC"), ace("CC", kind="D")),
    "a denial of another class": seeded(OU, ace("CC", kind="OD", about=OU_CLASS), ace("CC")),
    "Domain Users": seeded(OU, ace("CC", "RID:513")),
    "nobody known": seeded(OU, ace("CC", "S-1-5-21-9-9-9-1105")),
    "no list at all": seeded(OU, controlled=False),
    "a condition": seeded(OU, ace("CC", kind="XA", condition='(@User.Tier == "0")')),
}
HANDED_DOWN = {
    "every attribute": seeded(OU, ace("WP", flags="CI")),
    "generic write of what is below": seeded(OU, ace("GW", flags="CIIO")),
    "full control of dMSAs": seeded(OU, ace("GA", kind="OA", flags="CIIO", inherited_by=DMSA_CLASS)),
    "one level down": seeded(OU, ace("GA", flags="CINPIO")),
    "from above": seeded(OU, ace("GA", flags="CIIOID")),
    "the link": seeded(OU, ace("WP", kind="OA", flags="CI", about=DMSA_LINK)),
    "the state": seeded(OU, ace("WP", kind="OA", flags="CIIO", about=DMSA_STATE, inherited_by=DMSA_CLASS)),
    "who retrieves the password": seeded(OU, ace("WP", kind="OA", flags="CI", about=MEMBERSHIP)),
    "its permissions": seeded(OU, ace("WD", flags="CIIO")),
    "its ownership": seeded(OU, ace("WO", flags="CIIO")),
    "everybody": seeded(OU, ace("WP", "S-1-5-11", flags="CIIO")),
    "a denial here alone": seeded(OU, ace("WP", kind="D"), ace("WP", flags="CI")),
}
WRITABLE = {
    "generic write": seeded(ACCOUNT, ace("GW")),
    "full control": seeded(ACCOUNT, ace("GA")),
    "the link": seeded(ACCOUNT, ace("WP", kind="OA", about=LINK)),
    "the state": seeded(ACCOUNT, ace("WP", kind="OA", about=STATE)),
    "one of both denied": seeded(ACCOUNT, ace("WP", kind="OD", about=LINK), ace("WP")),
    "an owner": seeded(ACCOUNT, owner=ANN),
    "its permissions": seeded(ACCOUNT, ace("WD", ANN)),
    "its ownership": seeded(ACCOUNT, ace("WO")),
    "itself": seeded(ACCOUNT, ace("WP", "S-1-5-10")),
    "every computer": seeded(ACCOUNT, ace("WP", "RID:515")),
}
HARMLESS = {
    "a denial before": seeded(OU, ace("CC", kind="D"), ace("CC")),
    "a denial to everybody": seeded(OU, ace("CC", "S-1-1-0", kind="OD", about=DMSA_CLASS), ace("CC")),
    "for what is below": seeded(OU, ace("CC", kind="OA", flags="CIIO", about=DMSA_CLASS, inherited_by=OU_CLASS)),
    "another class": seeded(OU, ace("CC", kind="OA", about=OU_CLASS)),
    "an owner with OWNER RIGHTS": seeded(OU, ace("RC", "S-1-3-4"), owner=ANN),
    "a creator": seeded(OU, ace("GA", "S-1-3-0")),
    "generic write of an OU": seeded(OU, ace("GW")),
    "full control of users below": seeded(OU, ace("GA", kind="OA", flags="CIIO", inherited_by=USER_CLASS)),
    "reading of everything below": seeded(OU, ace("GR", flags="CI")),
    "one attribute of everything below": seeded(OU, ace("RPWP", kind="OA", flags="CI", about=KEYS)),
    "a denial that goes down, too": seeded(OU, ace("WP", kind="D", flags="CI"), ace("WP", flags="CI")),
    "nobody inside": seeded(ACCOUNT, ace("GA", "S-1-5-32-548")),
}
