"""What the logs of a simulated domain would hold: its own writes, as events, and the noise of an ordinary day.

Writes are recorded as they happen, in front of the estate; nothing here asks the program what it expects.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from orchestrator.lab.command import Request
from orchestrator.lab.estate.descriptor import Descriptor, membership_sddl
from orchestrator.lab.estate.replica import Entry, Replica
from orchestrator.rehearsal.world import World

Event = dict[str, Any]
MEMBERSHIP, DELEGATED_BY = "msDS-GroupMSAMembership", "msDS-AllowedToActOnBehalfOfOtherIdentity"
SEVERAL = {"serviceprincipalname", "msds-allowedtodelegateto"}
UNSEEN = {"labtakenspns"}
LOGGED_AT_CREATION = {
    "msds-delegatedmsastate",
    "dnshostname",
    "description",
    "samaccountname",
    "msds-groupmsamembership",
}
SYSTEM = {"rdn", "parent"}


@dataclass(frozen=True)
class Written:
    """One attribute that one domain controller wrote."""

    at: datetime
    dc: str
    dn: str
    guid: UUID
    kind: str
    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    created: bool
    cmdlets: tuple[str, ...]
    by: tuple[str, str]
    """Account name and SID."""


@dataclass
class Recorder:
    """Stands in front of a world's directory and hosts, and writes down what they are made to write."""

    world: World
    written: list[Written] = field(default_factory=list)
    switched: list[tuple[datetime, str, object, object]] = field(default_factory=list)
    restarted: list[tuple[datetime, str, int, str]] = field(default_factory=list)
    """What hosts were made to restart: when, where, as which event, and what."""
    performed: list[tuple[str, dict[str, Any], int, int]] = field(default_factory=list)
    """Each directory cmdlet, and from where to where its writes stand."""
    _running: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        estate = self.world.estate
        self._write, self._perform = estate.directory.write, estate.perform
        estate.directory.write = self.write  # type: ignore[method-assign]
        estate.perform = self.perform  # type: ignore[method-assign]

    def perform(self, request: Request) -> Any:
        before, self._running = self._running, tuple(c.name for s in request.statements for c in s)
        machine = self.world.estate.machine(request.host)
        switch, begin = machine.kerberos, len(self.written)
        try:
            result = self._perform(request)
        finally:
            self._running = before
        if machine.kerberos != switch and isinstance(machine.kerberos, int) | isinstance(switch, int):
            self.switched.append((self.world.estate.now, machine.name, switch, machine.kerberos))
        command = request.statements[0][0]
        if command.name in {"Restart-Service", "Start-Service", "Restart-Computer"}:
            number = 1074 if command.name == "Restart-Computer" else 7036
            what = str(command.parameters.get("Name", ""))
            self.restarted.append((self.world.estate.now, machine.name, number, what))
        self.performed.append((command.name, dict(command.parameters), begin, len(self.written)))
        return result

    def write(self, dc: str, guid: UUID, values: Any) -> None:
        replica = self.world.estate.directory.replicas[dc]
        entry = replica.entries.get(guid)
        created = entry is None
        before = {name: entry.get(name) if entry else None for name in values}
        self._write(dc, guid, values)
        entry = replica.entries[guid]
        by = self._by(replica, entry, set(map(str.lower, values)))
        for name, old in before.items():
            shown, now = self._shown(replica, name, old), self._shown(replica, name, entry.get(name))
            if shown != now and name.lower() not in UNSEEN:
                self.written.append(
                    Written(
                        self.world.estate.now, dc, replica.dn(entry), guid, entry.kind, name, shown, now, created,
                        self._running, by,
                    )
                )  # fmt: skip

    def _by(self, replica: Replica, entry: Entry, names: set[str]) -> tuple[str, str]:
        ours = {"New-ADServiceAccount", "Set-ADServiceAccount", "Undo-ADServiceAccountMigration"}
        ours |= {"Reset-ADServiceAccountMigration"}
        linked = replica.linked(entry, "msDS-ManagedAccountPrecededByLink")
        if names == {MEMBERSHIP.lower()} and not ours & set(self._running) and linked:
            return linked[0].sam, linked[0].sid
        operator = replica.account(self.world.estate.spec.operator.name)
        return self.world.estate.spec.operator.name, operator.sid if operator else ""

    @staticmethod
    def _shown(replica: Replica, name: str, value: object) -> tuple[str, ...]:
        match value:
            case None | ():
                return ()
            case Descriptor():
                return (value.sddl,)
            case tuple() if name.lower() in {MEMBERSHIP.lower(), DELEGATED_BY.lower()}:
                return (membership_sddl(value),)
            case tuple():
                return tuple(replica.dn(replica.entries[v]) if isinstance(v, UUID) else str(v) for v in value)
            case UUID():
                return (replica.dn(replica.entries[value]),)
        return (str(value),)

    # As events.

    def events(self) -> list[Event]:
        """Return everything as a collector would have it, in the order of time."""
        found = [event for one in self.written for event in self._of(one)]
        found += [self._registry(*one) for one in self.switched]
        found += [event(number, at, host, log="System", param1=what) for at, host, number, what in self.restarted]
        found += self.computers()
        return sorted(found, key=lambda event: event["TimeCreated"])

    def computers(self) -> Iterator[Event]:
        """Yield a ticket request of every computer: what tells whose SID and address is whose."""
        estate = self.world.estate
        replica = next(iter(estate.directory.replicas.values()))
        for machine in estate.machines.values():
            account = replica.account(f"{machine.short}$")
            if account is not None:
                data = {"TargetUserName": account.sam, "TargetSid": account.sid, "Status": "0x0"}
                data |= {"IpAddress": f"::ffff:{machine.address}", "ServiceName": "krbtgt"}
                yield event(4768, estate.spec.clock.start, replica.dc, **data)

    def _of(self, one: Written) -> Iterator[Event]:
        if one.name == "parent" or (one.name == "rdn" and not one.created):
            return
        what = {"ObjectDN": one.dn, "ObjectGUID": f"{{{str(one.guid).upper()}}}", "ObjectClass": one.kind}
        who = {"SubjectUserName": one.by[0], "SubjectDomainName": "CORP", "SubjectUserSid": one.by[1]}
        if one.created and one.name == "rdn":
            yield event(5137, one.at, one.dc, **what, **who)
            sam = one.dn.partition(",")[0].removeprefix("CN=") + "$"
            yield event(4741, one.at, one.dc, TargetUserName=sam, TargetDomainName="CORP", **who)
            return
        if one.created and one.name.lower() not in LOGGED_AT_CREATION:
            return
        for operation, values in (("%%14675", _less(one.old, one)), ("%%14674", _less(one.new, one))):
            for value in values:
                said = {"AttributeLDAPDisplayName": one.name, "AttributeValue": value, "OperationType": operation}
                yield event(5136, one.at, one.dc, **what, **who, **said)
        if one.name == "userAccountControl" and one.kind == "user":
            target = {"TargetUserName": one.dn.partition(",")[0].removeprefix("CN=")}
            yield event(4725 if int(one.new[0]) & 2 else 4722, one.at, one.dc, **target, **who)
            yield event(4738, one.at, one.dc, **target, **who)

    def _registry(self, at: datetime, host: str, old: object, new: object) -> Event:
        key = r"\REGISTRY\MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos\Parameters"
        said = {"ObjectName": key, "ObjectValueName": "DelegatedMSAEnabled", "OperationType": "%%1904"}
        values = {
            "OldValue": str(old) if isinstance(old, int) else "-",
            "NewValue": str(new) if isinstance(new, int) else "-",
        }
        return event(4657, at, host, SubjectUserName=self.world.estate.spec.operator.name, **said, **values)


def _less(values: tuple[str, ...], one: Written) -> tuple[str, ...]:
    if one.name.lower() not in SEVERAL:
        return values
    return tuple(value for value in values if value not in one.old or value not in one.new)


def event(number: int, at: datetime, computer: str, log: str = "Security", **data: str) -> Event:
    """Return an event as most collectors write it."""
    head = {"TimeCreated": at.isoformat(), "Id": number, "MachineName": computer, "LogName": log}
    return head | {"ProviderName": "Microsoft-Windows-Security-Auditing"} | data


# The noise of an ordinary day.


def noise(count: int, rng: random.Random, begin: datetime, end: datetime, dc: str) -> list[Event]:
    """Return events of an ordinary domain that has nothing to do with any migration."""
    span = (end - begin).total_seconds()
    kinds = rng.choices(_NOISE, weights=[weight for weight, _ in _NOISE], k=count)
    return [make(rng, begin + timedelta(seconds=rng.random() * span), dc) for _, make in kinds]


def _user(rng: random.Random) -> str:
    return f"u{rng.randrange(3000):04d}"


def _admin(rng: random.Random) -> dict[str, str]:
    return {"SubjectUserName": f"adm{rng.randrange(9)}", "SubjectDomainName": "CORP"}


def _log_on(rng: random.Random, at: datetime, dc: str) -> Event:
    return event(4624, at, dc, TargetUserName=_user(rng), LogonType="3")


def _ticket(rng: random.Random, at: datetime, dc: str) -> Event:
    address = f"10.0.{rng.randrange(8)}.{rng.randrange(250)}"
    return event(rng.choice((4768, 4769)), at, dc, TargetUserName=_user(rng), IpAddress=address, Status="0x0")


def _attribute(rng: random.Random, at: datetime, dc: str) -> Event:
    name = rng.choice(("description", "member", "telephoneNumber", "userAccountControl", "nTSecurityDescriptor"))
    dn = f"CN={_user(rng)},OU=People,DC=corp,DC=example"
    said = {"AttributeLDAPDisplayName": name, "AttributeValue": str(rng.random()), "OperationType": "%%14674"}
    return event(5136, at, dc, ObjectDN=dn, ObjectClass="user", **said, **_admin(rng))


def _gmsa(rng: random.Random, at: datetime, dc: str) -> Event:
    said = {"AttributeLDAPDisplayName": MEMBERSHIP, "AttributeValue": "O:BAD:(A;;0xf01ff;;;S-1-5-21-9-9-9-1200)"}
    dn = f"CN=gmsa{rng.randrange(20)},CN=Managed Service Accounts,DC=corp,DC=example"
    kind = "msDS-GroupManagedServiceAccount"
    return event(5136, at, dc, ObjectDN=dn, ObjectClass=kind, OperationType="%%14674", **said, **_admin(rng))


def _object(rng: random.Random, at: datetime, dc: str) -> Event:
    dn = f"CN=PC{rng.randrange(900)},CN=Computers,DC=corp,DC=example"
    kind = rng.choice(("computer", "user", "group"))
    return event(rng.choice((5137, 5141)), at, dc, ObjectDN=dn, ObjectClass=kind, **_admin(rng))


def _managed(rng: random.Random, at: datetime, dc: str) -> Event:
    number = rng.choice((4720, 4722, 4724, 4725, 4726, 4738, 4741, 4742, 4743))
    return event(
        number, at, dc, TargetUserName=_user(rng), TargetSid=f"S-1-5-21-9-9-9-{rng.randrange(9999)}", **_admin(rng)
    )


def _value(rng: random.Random, at: datetime, dc: str) -> Event:
    host = f"app0{rng.randrange(1, 4)}.corp.example"
    return event(4657, at, host, ObjectName=r"\REGISTRY\MACHINE\SOFTWARE\X", ObjectValueName="Y", **_admin(rng))


def _service(rng: random.Random, at: datetime, dc: str) -> Event:
    return event(7036, at, dc, log="System", param1="Spooler", param2="running")


def _printed(rng: random.Random, at: datetime, dc: str) -> Event:
    return event(307, at, dc, log="Microsoft-Windows-PrintService/Operational") | {
        "ProviderName": "Microsoft-Windows-PrintService"
    }


def _group_key(rng: random.Random, at: datetime, dc: str) -> Event:
    said = (
        f"Group Managed Service Account Object:\nCN=gmsa{rng.randrange(20)},DC=corp,DC=example\nCaller SID:\nS-1-5-18"
    )
    found = event(2946, at, dc, log="Directory Service")
    return found | {"ProviderName": "Microsoft-Windows-ActiveDirectory_DomainService", "Message": said}


_NOISE: list[tuple[int, Callable[[random.Random, datetime, str], Event]]] = [
    (30, _log_on),
    (40, _ticket),
    (8, _attribute),
    (1, _gmsa),
    (2, _object),
    (3, _managed),
    (3, _value),
    (5, _service),
    (1, _printed),
    (1, _group_key),
]
