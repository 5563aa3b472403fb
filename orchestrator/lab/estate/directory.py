"""The directory: a replica per domain controller, originating writes, and their way to the other replicas.

A write happens on one DC and reaches each other DC after a delay, in the order of writing; while a DC is
cut off nothing goes in or out, and what waited arrives once the cut is over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from orchestrator.lab.estate import identity
from orchestrator.lab.estate.clock import Clock
from orchestrator.lab.estate.descriptor import CHILD_PROTECTION, PROTECTION, Ace, Descriptor
from orchestrator.lab.estate.replica import Change, Entry, Replica, Stamp
from orchestrator.lab.estate.spec import EstateSpec

_TOMBSTONE_KEEPS = frozenset(
    {
        "rdn",
        "parent",
        "objectclass",
        "objectsid",
        "samaccountname",
        "useraccountcontrol",
        "dnshostname",
        "isdeleted",
        "lastknownparent",
        "ntsecuritydescriptor",
    }
)
"""What is left of a deleted object without a recycle bin (MS-ADTS 3.1.1.5.5.1.1)."""


class Directory:
    """All copies of the domain's objects."""

    def __init__(self, spec: EstateSpec, clock: Clock) -> None:
        self.spec = spec
        self.dn = spec.domain.dn
        self.sid = identity.domain_sid(spec.seed, spec.domain.dns)
        self.replicas = {dc.name.lower(): Replica(dc.name.lower()) for dc in spec.dcs}
        self._latency = {dc.name.lower(): dc.latency for dc in spec.dcs}
        self._clock = clock
        self._cut_until: dict[str, datetime] = {}
        self._cut_since: dict[str, datetime] = {}
        self._next_rid = identity.FIRST_FREE_RID
        self._created = 0
        self.wrote: Callable[[str, tuple[tuple[Change, object], ...]], None] = lambda _dc, _changes: None
        """Told of each originating write: on which DC, and each change with the value before it."""

    def begin_like(self, other: Directory) -> None:
        """Take over what another directory of the same specification holds on its first day."""
        self.replicas = {dc: replica.copy() for dc, replica in other.replicas.items()}
        self._next_rid, self._created = other._next_rid, other._created

    def copy(self) -> Directory:
        """Return one that holds the same, for :meth:`begin_like`; nothing is on its way between its copies."""
        kept = Directory(self.spec, self._clock)
        kept.begin_like(self)
        return kept

    def take_rid(self) -> str:
        """Return a security identifier that nobody had before."""
        rid = self._next_rid
        self._next_rid += 1
        return f"{self.sid}-{rid}"

    def seed(self, guid: UUID, values: Mapping[str, object], at: datetime) -> None:
        """Put values into every replica at once, as if they had been there for long."""
        for replica in self.replicas.values():
            entry = replica.entries.get(guid)
            for name, value in values.items():
                known = entry.cells.get(name.lower()) if entry else None
                stamp = Stamp(known.stamp.version + 1 if known else 1, at, "")
                if value is not None and value != ():
                    replica.apply(Change(guid, name, value, stamp), at)

    def write(self, dc: str, guid: UUID, values: Mapping[str, object]) -> None:
        """Change attributes on one DC; None or an empty tuple removes one. What is so already is left alone."""
        replica = self.replicas[dc]
        entry = replica.entries.get(guid)
        changes = []
        for name, wished in values.items():
            value = None if wished == () else wished
            known = entry.cells.get(name.lower()) if entry else None
            if (known.value if known else None) == value:
                continue
            version = known.stamp.version + 1 if known else 1
            changes.append(Change(guid, name, value, Stamp(version, self._clock.now, dc)))
        before = tuple((change, entry.get(change.name) if entry else None) for change in changes)
        for change in changes:
            replica.apply(change, self._clock.now)
        if changes:
            self.wrote(dc, before)
            for other in self.replicas:
                if other != dc:
                    self._send(dc, other, tuple(changes))

    def create(self, dc: str, parent: Entry, rdn: str, values: Mapping[str, object]) -> UUID:
        """Create an object on one DC and return its GUID."""
        self._created += 1
        guid = identity.guid(self.spec.seed, "created", dc, rdn, self._created)
        self.write(dc, guid, {"rdn": rdn, "parent": parent.guid, **values})
        return guid

    def delete(self, dc: str, guid: UUID) -> None:
        """Delete an object on one DC (MS-ADTS 3.1.1.5.5): renamed, moved, and without its links."""
        replica = self.replicas[dc]
        entry = replica.entries[guid]
        container = replica.at_dn(f"CN=Deleted Objects,{self.dn}")
        values: dict[str, object] = {
            "isDeleted": True,
            "lastKnownParent": entry.get("parent"),
            "rdn": f"{entry.get('rdn')}\\0ADEL:{guid}",
            "parent": container.guid if container else entry.get("parent"),
        }
        if not self.spec.domain.recycle_bin:
            gone = [cell.name for folded, cell in entry.cells.items() if folded not in _TOMBSTONE_KEEPS]
            values |= dict.fromkeys(gone)
        self.write(dc, guid, values)

    def undelete(self, dc: str, guid: UUID) -> None:
        """Restore a deleted object on one DC (MS-ADTS 3.1.1.5.3.7): its name, its container, and what was kept."""
        entry = self.replicas[dc].entries[guid]
        name = str(entry.get("rdn")).partition("\\0ADEL:")[0]
        back = {"isDeleted": None, "lastKnownParent": None, "rdn": name, "parent": entry.get("lastKnownParent")}
        self.write(dc, guid, back)

    def move(self, dc: str, guid: UUID, to: Entry) -> None:
        """Move an object below another container; links follow, for they hold GUIDs."""
        self.write(dc, guid, {"parent": to.guid})

    def protect(self, dc: str, guid: UUID) -> None:
        """Protect an object from accidental deletion, which also marks its container."""
        replica = self.replicas[dc]
        self.grant(dc, guid, PROTECTION)
        above = replica.live(replica.entries[guid].get("parent"))
        if above is not None:
            self.grant(dc, above.guid, CHILD_PROTECTION)

    def grant(self, dc: str, guid: UUID, *aces: Ace) -> None:
        """Add entries to an object's descriptor."""
        descriptor = self.descriptor(self.replicas[dc].entries[guid])
        self.write(dc, guid, {"nTSecurityDescriptor": descriptor.adding(*aces)})

    @staticmethod
    def descriptor(entry: Entry) -> Descriptor:
        """Return the object's security descriptor."""
        value = entry.get("nTSecurityDescriptor")
        assert isinstance(value, Descriptor)
        return value

    def holders(self, dc: str, spn: str) -> list[Entry]:
        """Return the live objects that carry a service principal name, as one DC sees it."""
        return [entry for entry in self.replicas[dc].having("servicePrincipalName", spn) if not entry.deleted]

    def cut_off(self, dc: str, until: datetime) -> None:
        """Let a DC exchange nothing before *until*."""
        if self.cut_until(dc) is None:
            self._cut_since[dc] = self._clock.now
        self._cut_until[dc] = max(until, self._cut_until.get(dc, until))

    def cut_until(self, dc: str) -> datetime | None:
        """Until when a DC is cut off, if it is."""
        until = self._cut_until.get(dc)
        return until if until is not None and until > self._clock.now else None

    def cut_since(self, dc: str) -> datetime | None:
        """Since when a DC is cut off, if it is."""
        return self._cut_since[dc] if self.cut_until(dc) is not None else None

    def latency(self, one: str, other: str) -> timedelta:
        """How long a change takes between two DCs."""
        return max(self._latency[one], self._latency[other])

    def _send(self, source: str, target: str, changes: tuple[Change, ...]) -> None:
        def arrive() -> None:
            closed = [until for dc in (source, target) if (until := self.cut_until(dc)) is not None]
            if closed:
                self._clock.at(max(closed) + self.latency(source, target), arrive)
                return
            for change in changes:
                self.replicas[target].apply(change, self._clock.now)

        self._clock.after(self.latency(source, target), arrive)
