"""What each write leaves behind: the one table of directory changes, of hosts' traces, and of the steps that send them.

A test holds it against the lab's own record, both ways: whatever the directory wrote stands here, and what stands
here as sure was written. Sources: for the four migration cmdlets Microsoft Learn, "Delegated Managed Service Accounts
overview" (migration flow) and MS-ADTS 3.1.1.3.3.43; for New-ADServiceAccount its page and MS-ADSC (the class's
mandatory attributes). What Undo and Reset give back is documented by nobody; it stands here as not sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE, DMSA_LINK, DMSA_STATE
from orchestrator.model.lifecycle import Pair, Trigger

MEMBERSHIP = "msDS-GroupMSAMembership"
DESCRIPTOR = "nTSecurityDescriptor"
CONTROL = "userAccountControl"
SPNS = "servicePrincipalName"
DELEGATED_TO = "msDS-AllowedToDelegateTo"
DELEGATED_BY = "msDS-AllowedToActOnBehalfOfOtherIdentity"
POLICY = "msDS-AssignedAuthNPolicy"
SILO = "msDS-AssignedAuthNPolicySilo"


class On(StrEnum):
    """Which object a change is on."""

    ACCOUNT = "account"
    DMSA = "dmsa"
    CONTAINER = "container"
    """What contains the account."""


class Is(StrEnum):
    """What a value is; who knows the pair can say it exactly (:mod:`orchestrator.expectation.values`)."""

    NOTHING = "nothing"
    ZERO = "0"
    ONE = "1"
    TWO = "2"
    THE_ACCOUNT = "the account's DN"
    THE_DMSA = "the dMSA's DN"
    SPNS = "each of the account's SPNs"
    AS_ON_ACCOUNT = "as on the account"
    ENABLED = "the account's flags, enabled"
    DISABLED = "the account's flags, disabled"
    PROTECTED = "the descriptor with protection from accidental deletion"
    GRANTED = "the descriptor with the account's two rights"
    UNGRANTED = "the descriptor without the account's two rights"
    MEMBERS = "who may retrieve the password"
    SOME = "whatever it is"


@dataclass(frozen=True)
class Effect:
    """One attribute of one object, before and after. Not ``sure``: ``when`` says where it happens."""

    on: On
    attribute: str
    old: Is
    new: Is
    when: str = ""

    @property
    def sure(self) -> bool:
        """Whether it happens wherever the write takes effect."""
        return not self.when


@dataclass(frozen=True)
class Creation:
    """An object that a write creates, with the attributes that it is given and those that the directory assigns.

    Which of them are logged one by one is not said clearly anywhere; that the object was created is.
    """

    on: On
    given: Mapping[str, Is]
    assigned: frozenset[str]


_MAY = "nobody documents whether it is given back"
_IF_SET = "if the account has it"
_BACK: tuple[Effect, ...] = (
    Effect(On.ACCOUNT, CONTROL, Is.DISABLED, Is.ENABLED, _MAY),
    Effect(On.ACCOUNT, SPNS, Is.NOTHING, Is.SPNS, _MAY),
    Effect(On.DMSA, SPNS, Is.SPNS, Is.NOTHING, _MAY),
    Effect(On.DMSA, CONTROL, Is.SOME, Is.SOME, _MAY),
    *(Effect(On.DMSA, name, Is.AS_ON_ACCOUNT, Is.NOTHING, _MAY) for name in (DELEGATED_TO, DELEGATED_BY, POLICY, SILO)),
)
_MEMBERS_GO = Effect(On.DMSA, MEMBERSHIP, Is.MEMBERS, Is.NOTHING, "nobody documents whether it is cleared")


def _unlinked(state: Is) -> tuple[Effect, ...]:
    """Return what unlinking a pair in that state writes."""
    return (
        Effect(On.DMSA, DMSA_STATE, state, Is.ZERO),
        Effect(On.DMSA, DMSA_LINK, Is.THE_ACCOUNT, Is.NOTHING),
        Effect(On.ACCOUNT, ACCOUNT_STATE, state, Is.NOTHING),
        Effect(On.ACCOUNT, ACCOUNT_LINK, Is.THE_DMSA, Is.NOTHING),
        _MEMBERS_GO,
    )


_UNGRANT = Effect(On.DMSA, DESCRIPTOR, Is.GRANTED, Is.UNGRANTED)
_CREATED = Creation(
    On.DMSA,
    {
        "sAMAccountName": Is.SOME,
        "dNSHostName": Is.SOME,
        "description": Is.SOME,
        DMSA_STATE: Is.ZERO,
        "msDS-ManagedPasswordInterval": Is.SOME,
        "msDS-SupportedEncryptionTypes": Is.SOME,
        CONTROL: Is.SOME,
        MEMBERSHIP: Is.MEMBERS,
    },
    frozenset({"objectClass", "objectSid", DESCRIPTOR, "primaryGroupID", "rdn", "parent"}),
)

Key = tuple[str, Pair | None]
"""A cmdlet, and the pair from which it is sent where that makes a difference."""

EFFECTS: Mapping[Key, tuple[Effect | Creation, ...]] = {
    ("New-ADServiceAccount", None): (_CREATED,),
    ("Set-ADObject", None): (
        Effect(On.ACCOUNT, DESCRIPTOR, Is.SOME, Is.PROTECTED),
        Effect(On.CONTAINER, DESCRIPTOR, Is.SOME, Is.PROTECTED, "unless something in it was protected before"),
    ),
    ("Start-ADServiceAccountMigration", None): (
        Effect(On.DMSA, DMSA_STATE, Is.ZERO, Is.ONE),
        Effect(On.DMSA, DMSA_LINK, Is.NOTHING, Is.THE_ACCOUNT),
        Effect(On.DMSA, DESCRIPTOR, Is.UNGRANTED, Is.GRANTED),
        Effect(On.ACCOUNT, ACCOUNT_STATE, Is.NOTHING, Is.ONE),
        Effect(On.ACCOUNT, ACCOUNT_LINK, Is.NOTHING, Is.THE_DMSA),
    ),
    ("Complete-ADServiceAccountMigration", None): (
        _UNGRANT,
        Effect(On.DMSA, DMSA_STATE, Is.ONE, Is.TWO),
        Effect(On.DMSA, SPNS, Is.NOTHING, Is.SPNS, "for each SPN that the account has"),
        Effect(On.DMSA, DELEGATED_TO, Is.NOTHING, Is.AS_ON_ACCOUNT, _IF_SET),
        Effect(On.DMSA, DELEGATED_BY, Is.NOTHING, Is.AS_ON_ACCOUNT, _IF_SET),
        Effect(On.DMSA, POLICY, Is.NOTHING, Is.AS_ON_ACCOUNT, _IF_SET),
        Effect(On.DMSA, SILO, Is.NOTHING, Is.AS_ON_ACCOUNT, _IF_SET),
        Effect(On.DMSA, CONTROL, Is.SOME, Is.SOME, "if the account is trusted to authenticate for delegation"),
        Effect(On.ACCOUNT, ACCOUNT_STATE, Is.ONE, Is.TWO),
        Effect(On.ACCOUNT, CONTROL, Is.ENABLED, Is.DISABLED),
        Effect(On.ACCOUNT, SPNS, Is.SPNS, Is.NOTHING, "for each SPN that the account has"),
    ),
    ("Undo-ADServiceAccountMigration", Pair.COMPLETED): (
        Effect(On.DMSA, DESCRIPTOR, Is.UNGRANTED, Is.GRANTED),
        Effect(On.DMSA, DMSA_STATE, Is.TWO, Is.ONE),
        Effect(On.ACCOUNT, ACCOUNT_STATE, Is.TWO, Is.ONE),
        *_BACK,
    ),
    ("Undo-ADServiceAccountMigration", Pair.STARTED): (_UNGRANT, *_unlinked(Is.ONE)),
    ("Reset-ADServiceAccountMigration", Pair.STARTED): (_UNGRANT, *_unlinked(Is.ONE)),
    ("Reset-ADServiceAccountMigration", Pair.COMPLETED): (*_BACK, *_unlinked(Is.TWO)),
    ("Set-ADServiceAccount", None): (
        Effect(On.DMSA, SPNS, Is.SPNS, Is.NOTHING, "for each SPN that is in the way of the account's"),
        Effect(On.DMSA, MEMBERSHIP, Is.MEMBERS, Is.MEMBERS, "where hosts are added"),
    ),
    ("Set-ADUser", None): (Effect(On.ACCOUNT, SPNS, Is.NOTHING, Is.SPNS, "for each SPN that is missing"),),
    ("Enable-ADAccount", None): (Effect(On.ACCOUNT, CONTROL, Is.DISABLED, Is.ENABLED),),
}
"""Every write to the directory, and what it changes there."""

REGISTERS = Effect(On.DMSA, MEMBERSHIP, Is.MEMBERS, Is.MEMBERS, "as each host logs on as the account")
"""What hosts write by themselves, as the superseded account, on any writable DC, from Start until Complete
(Microsoft Learn, dMSA overview: a log-on during the migration adds the machine to the principals).
"""


@dataclass(frozen=True)
class Trace:
    """What one write to a host leaves in that host's logs. ``audited``: only where a SACL or a policy asks for it."""

    log: str
    event: int
    says: str
    audited: bool
    source: str


_SECURITY, _SYSTEM = "Security", "System"
_SWITCH = Trace(
    _SECURITY, 4657, "DelegatedMSAEnabled was written", True, "Windows security auditing, 4657: registry value modified"
)
_STOPPED = Trace(_SYSTEM, 7036, "the service stopped, and runs", False, "Service Control Manager, event 7036")
_LOG_ON = Trace(
    "Microsoft-Windows-Security-Kerberos/Operational", 307, "the account is migrated", True, "Setting up dMSA"
)

TRACES: Mapping[str, tuple[Trace, ...]] = {
    "New-Item": (),
    "New-ItemProperty": (_SWITCH,),
    "Remove-ItemProperty": (_SWITCH,),
    "wevtutil": (),
    "Restart-Service": (_STOPPED, _LOG_ON),
    "Start-Service": (_STOPPED, _LOG_ON),
    "Restart-WebAppPool": (_LOG_ON,),
    "Start-ScheduledTask": (_LOG_ON,),
    "Restart-Computer": (
        Trace(_SYSTEM, 1074, "a restart was asked for", False, "User32, event 1074: a process initiated the restart"),
    ),
}
"""Every write to a host, and the events that it leaves there."""

SENDS: Mapping[Trigger, tuple[str, ...]] = {
    Trigger.PREPARE: ("New-ADServiceAccount", "Set-ADObject"),
    Trigger.START: ("Start-ADServiceAccountMigration",),
    Trigger.LINK: (),
    Trigger.REGISTRY: ("New-Item", "New-ItemProperty", "Restart-Computer"),
    Trigger.RESTART: ("Restart-Service", "Restart-WebAppPool", "Start-ScheduledTask", "Set-ADServiceAccount"),
    Trigger.SOAK: ("Set-ADServiceAccount",),
    Trigger.COMPLETE: ("Complete-ADServiceAccountMigration",),
    Trigger.CONFIRM: ("Restart-Service", "Restart-WebAppPool", "Start-ScheduledTask"),
    Trigger.UNDO: (
        "Undo-ADServiceAccountMigration",
        "Set-ADServiceAccount",
        "Set-ADUser",
        "Enable-ADAccount",
        "Start-Service",
    ),
    Trigger.RESET: (
        "Reset-ADServiceAccountMigration",
        "Set-ADServiceAccount",
        "Set-ADUser",
        "Enable-ADAccount",
        "Start-Service",
    ),
    Trigger.RESTORE: ("New-ItemProperty", "Remove-ItemProperty", "Start-Service"),
    Trigger.ADOPT: ("Set-ADObject",),
}
"""Which writes a step may send, in their order. Those that repair are sent only where a read-back lacks something; so
is the list of principals, in restart and soak, and only where the plan says ``hosts_missing: add``."""

REPAIRS = frozenset({"Set-ADServiceAccount", "Set-ADUser", "Enable-ADAccount", "Start-Service"})


def effects(cmdlet: str, pair: Pair | None = None) -> tuple[Effect | Creation, ...]:
    """Return what a write changes in the directory; *pair* is what was linked before it, where that counts."""
    return EFFECTS.get((cmdlet, None)) or EFFECTS.get((cmdlet, pair), ())
