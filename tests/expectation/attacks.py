"""Ways in which somebody may misuse dMSAs beside a migration, each as the events that it leaves.

The first five are the published ones and what their patch left (BadSuccessor, CVE-2025-53779).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.expectation.stream import MEMBERSHIP, Event, event

CLASS = "msDS-DelegatedManagedServiceAccount"
FORWARD, BACK = "msDS-ManagedAccountPrecededByLink", "msDS-SupersededManagedAccountLink"
STATE, OF_ACCOUNT = "msDS-DelegatedMSAState", "msDS-SupersededServiceAccountState"
EVIL = "CN=evil,OU=Temp,DC=corp,DC=example"
MALLORY = {"SubjectUserName": "mallory", "SubjectDomainName": "CORP", "SubjectUserSid": "S-1-5-21-1-2-3-6666"}
DENY = "(D;;DTSD;;;WD)"


@dataclass(frozen=True)
class Target:
    """Whom it is done to, when and where."""

    account: str
    dmsa: str
    dc: str
    at: datetime
    """While nothing is under way."""
    during: datetime
    """While Start is under way."""
    operator: str = "operator"

    @property
    def sam(self) -> str:
        return self.account.partition(",")[0].removeprefix("CN=")


def change(
    t: Target, dn: str, kind: str, name: str, value: str, operation: str = "%%14674", at: datetime | None = None,
    **who: str,
) -> Event:  # fmt: skip
    said = {"AttributeLDAPDisplayName": name, "AttributeValue": value, "OperationType": operation}
    return event(5136, at or t.at, t.dc, ObjectDN=dn, ObjectClass=kind, **said, **(who or MALLORY))


def created(t: Target, dn: str) -> Event:
    return event(5137, t.at, t.dc, ObjectDN=dn, ObjectClass=CLASS, **MALLORY)


def one_sided(t: Target) -> list[Event]:
    victim = "CN=u0002,OU=People,DC=corp,DC=example"
    return [change(t, EVIL, CLASS, FORWARD, victim), change(t, EVIL, CLASS, STATE, "2")]


def foreign(t: Target) -> list[Event]:
    return [change(t, EVIL, CLASS, FORWARD, t.account), change(t, EVIL, CLASS, STATE, "2")]


def outside(t: Target) -> list[Event]:
    who = {"SubjectUserName": t.operator, "SubjectDomainName": "CORP"}
    return [change(t, t.dmsa, CLASS, FORWARD, t.account, **who)]


def other_ou(t: Target) -> list[Event]:
    return [created(t, EVIL)]


def mutual(t: Target) -> list[Event]:
    victim = "CN=u0001,OU=People,DC=corp,DC=example"
    return [
        change(t, EVIL, CLASS, FORWARD, victim),
        change(t, EVIL, CLASS, STATE, "2"),
        change(t, victim, "user", BACK, EVIL),
        change(t, victim, "user", OF_ACCOUNT, "2"),
    ]


def privileged(t: Target) -> list[Event]:
    return [change(t, EVIL, CLASS, FORWARD, "CN=Administrator,CN=Users,DC=corp,DC=example")]


def controller(t: Target) -> list[Event]:
    return [change(t, EVIL, CLASS, FORWARD, "CN=DC01,OU=Domain Controllers,DC=corp,DC=example")]


def retargeted(t: Target) -> list[Event]:
    return [change(t, t.dmsa, CLASS, FORWARD, "CN=u0007,OU=People,DC=corp,DC=example", at=t.during)]


def beside_start(t: Target) -> list[Event]:
    return [change(t, t.account, "user", BACK, t.dmsa, at=t.during)]


def deleted(t: Target) -> list[Event]:
    return [event(5141, t.at, t.dc, ObjectDN=t.account, ObjectClass="user", **MALLORY)]


def deleted_by_operator(t: Target) -> list[Event]:
    return [event(4726, t.during, t.dc, TargetUserName=t.sam, SubjectUserName=t.operator)]


def dmsa_deleted(t: Target) -> list[Event]:
    return [event(5141, t.at, t.dc, ObjectDN=t.dmsa.upper(), ObjectClass=CLASS, **MALLORY)]


def unprotected(t: Target) -> list[Event]:
    return [
        change(t, t.account, "user", "nTSecurityDescriptor", f"O:DAG:DAD:AI{DENY}(A;;RP;;;AU)", "%%14675"),
        change(t, t.account, "user", "nTSecurityDescriptor", "O:DAG:DAD:AI(A;;RP;;;AU)"),
    ]


def let_in(t: Target) -> list[Event]:
    who = {"SubjectUserName": t.sam, "SubjectDomainName": "CORP"}
    sddl = "O:S-1-5-32-544D:(A;;0xf01ff;;;S-1-5-21-1-2-3-7777)"
    return [change(t, t.dmsa, CLASS, MEMBERSHIP, sddl, at=t.during, **who)]


def let_in_by_another(t: Target) -> list[Event]:
    return [change(t, t.dmsa, CLASS, MEMBERSHIP, "O:S-1-5-32-544D:(A;;0xf01ff;;;S-1-5-21-1-2-3-7777)")]


def fetched(t: Target) -> list[Event]:
    found = event(309, t.at, "evil99.corp.example", log="Microsoft-Windows-Security-Kerberos/Operational")
    name = t.dmsa.partition(",")[0].removeprefix("CN=")
    return [found | {"Message": f"The client attempts to fetch the keys. dMSA: {name}$."}]


def ticket(t: Target) -> list[Event]:
    name = t.dmsa.partition(",")[0].removeprefix("CN=")
    return [event(4769, t.at, t.dc, TargetUserName=f"{name}$@CORP.EXAMPLE", IpAddress="::ffff:10.6.6.6", Status="0x0")]


def rogue_keys(t: Target) -> list[Event]:
    said = f"Group Managed Service Account Object:\n{EVIL}\nCaller SID:\nS-1-5-7"
    found = event(2946, t.at, t.dc, log="Directory Service")
    return [found | {"ProviderName": "Microsoft-Windows-ActiveDirectory_DomainService", "Message": said}]


def enabled(t: Target) -> list[Event]:
    return [event(4722, t.at, t.dc, TargetUserName=t.sam, **MALLORY)]


def reset(t: Target) -> list[Event]:
    return [event(4724, t.at, t.dc, TargetUserName=t.sam, **MALLORY)]


def opened(t: Target) -> list[Event]:
    ou = t.dmsa.partition(",")[2]
    return [change(t, ou, "organizationalUnit", "nTSecurityDescriptor", "O:DAD:(A;;CC;;;S-1-5-21-1-2-3-6666)")]


def moved(t: Target) -> list[Event]:
    new = f"{t.account.partition(',')[0]},OU=Temp,DC=corp,DC=example"
    return [event(5139, t.at, t.dc, OldObjectDN=t.account, NewObjectDN=new, ObjectClass="user", **MALLORY)]


def unit_moved(t: Target) -> list[Event]:
    ou = t.account.partition(",")[2]
    new = "OU=Temp,DC=corp,DC=example"
    return [
        event(5139, t.at, t.dc, OldObjectDN=ou, NewObjectDN=new, ObjectClass="organizationalUnit", **MALLORY),
    ]


def opened_above(t: Target) -> list[Event]:
    root = "DC=corp,DC=example"
    return [change(t, root, "domainDNS", "nTSecurityDescriptor", "O:BAD:(A;CI;GA;;;S-1-5-21-1-2-3-6666)")]


def renamed(t: Target) -> list[Event]:
    """4781 has no TargetUserName."""
    name = t.dmsa.partition(",")[0].removeprefix("CN=")
    domain = "S-1-5-21-1321927329-1881241747-4077239030"
    said = {"OldTargetUserName": f"{name}$", "NewTargetUserName": "other$", "TargetSid": f"{domain}-9999"}
    return [event(4781, t.at, t.dc, TargetDomainName="CORP", **said, **MALLORY)]


def let_in_on_a_condition(t: Target) -> list[Event]:
    """Parentheses within parentheses hide nobody."""
    who = {"SubjectUserName": t.sam, "SubjectDomainName": "CORP"}
    sddl = "O:S-1-5-32-544D:(XA;;0xf01ff;;;WD;((@User.a == 1) || (Exists b)))"
    return [change(t, t.dmsa, CLASS, MEMBERSHIP, sddl, at=t.during, **who)]


def let_in_unreadably(t: Target) -> list[Event]:
    who = {"SubjectUserName": t.sam, "SubjectDomainName": "CORP"}
    return [change(t, t.dmsa, CLASS, MEMBERSHIP, "<Binary>", at=t.during, **who)]


def switched(t: Target) -> list[Event]:
    key = r"\REGISTRY\MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos\Parameters"
    said = {"ObjectName": key, "ObjectValueName": "DelegatedMSAEnabled", "OldValue": "1", "NewValue": "0"}
    return [event(4657, t.at, "app01.corp.example", **said, **MALLORY)]


def delegated(t: Target) -> list[Event]:
    return [change(t, t.account, "user", "msDS-AllowedToDelegateTo", "cifs/dc01.corp.example")]


def replayed(t: Target) -> list[Event]:
    """The operator's own name, at a right time, but another value."""
    who = {"SubjectUserName": t.operator, "SubjectDomainName": "CORP"}
    return [change(t, t.account, "user", BACK, EVIL, at=t.during, **who)]


ATTACKS: dict[str, tuple[str, Callable[[Target], list[Event]]]] = {
    "one-sided link": ("one-sided-link", one_sided),
    "foreign dMSA linked": ("foreign-dmsa", foreign),
    "link written outside the operation": ("outside-operation", outside),
    "dMSA created in a foreign OU": ("foreign-creation", other_ou),
    "mutual link after the patch": ("mutual-link", mutual),
    "link to Administrator": ("privileged-link", privileged),
    "link to a domain controller": ("privileged-link", controller),
    "planned dMSA linked elsewhere": ("foreign-account", retargeted),
    "link by somebody else during Start": ("outside-operation", beside_start),
    "operator links a foreign dMSA during Start": ("foreign-dmsa", replayed),
    "original deleted": ("original-deleted", deleted),
    "original deleted as the operator": ("original-deleted", deleted_by_operator),
    "dMSA deleted, DN in capitals": ("dmsa-deleted", dmsa_deleted),
    "protection taken off": ("protection-off", unprotected),
    "unknown host lets itself in": ("unknown-host", let_in),
    "unknown host let in by another": ("unknown-host", let_in_by_another),
    "unknown host fetches the keys": ("unknown-host", fetched),
    "unknown address has a ticket": ("unknown-host", ticket),
    "keys of a rogue dMSA issued": ("foreign-dmsa", rogue_keys),
    "original enabled": ("account-enabled", enabled),
    "password of the original set": ("password-reset", reset),
    "container opened": ("container-changed", opened),
    "original moved": ("object-moved", moved),
    "unit of the original moved": ("object-moved", unit_moved),
    "domain opened": ("container-changed", opened_above),
    "dMSA renamed": ("object-moved", renamed),
    "everybody lets himself in on a condition": ("unknown-host", let_in_on_a_condition),
    "somebody lets himself in, and nobody can read whom": ("unknown-host", let_in_unreadably),
    "switch taken back": ("switch-changed", switched),
    "delegation added to the original": ("unexpected-change", delegated),
}
"""Each attack: the class under which it must be found, and its events."""

QUIET = timedelta(days=3)
