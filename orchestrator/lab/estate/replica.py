"""One domain controller's copy of the directory: entries with stamped attributes, and indexes to find them.

An attribute carries the stamp of its last originating write; of two writes the one with the higher version
stands, then the later, then the one from the higher-named origin (MS-DRSR, AttributeStamp). Values are whole:
a multi-valued attribute that two DCs change at once keeps one of the two.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from orchestrator.lab.estate import dn as names

LINKS = {
    "member": "memberOf",
    "msds-supersededmanagedaccountlink": "msDS-SupersededManagedAccountLinkBL",
    "msds-managedaccountprecededbylink": "msDS-ManagedAccountPrecededByLinkBL",
    "msds-assignedauthnpolicy": "msDS-AssignedAuthNPolicyBL",
    "msds-assignedauthnpolicysilo": "msDS-AssignedAuthNPolicySiloBL",
    "msds-authnpolicysilomembers": "msDS-AuthNPolicySiloMembersBL",
}
"""Forward links, folded, and their back links. A link's value is a tuple of object GUIDs."""
BACK_LINKS = {back.lower(): forward for forward, back in LINKS.items()}

_INDEXED = frozenset(
    {
        "samaccountname",
        "objectsid",
        "serviceprincipalname",
        "dnshostname",
        "objectclass",
        "msds-supersededserviceaccountstate",
        "primarygroupid",
        *LINKS,
    }
)
_NAMES = frozenset({"rdn", "parent", "isdeleted", "objectsid"})
"""What other objects are shown by, wherever they are linked to."""


@dataclass(frozen=True, order=True, slots=True)
class Stamp:
    """When and where a value was written; stamps are ordered as conflicts are resolved."""

    version: int
    at: datetime
    origin: str


@dataclass(frozen=True, slots=True)
class Change:
    """One attribute's new value; None removes it. ``rdn`` and ``parent`` make up the object's name."""

    guid: UUID
    name: str
    value: object
    stamp: Stamp


class Entry:
    """One object as one DC knows it."""

    __slots__ = ("cells", "changed", "classes", "created", "deleted", "guid", "kind", "linked_at", "usn")

    def __init__(self, guid: UUID) -> None:
        self.guid = guid
        self.cells: dict[str, Change] = {}
        self.classes: tuple[str, ...] = ()
        """The object's classes from ``top`` to the structural one."""
        self.kind = ""
        """The structural class."""
        self.deleted = False
        """Whether this is a deleted object."""
        self.created: datetime | None = None
        self.changed: datetime | None = None
        self.usn = 0
        self.linked_at = 0
        """The USN at which a link from elsewhere to this object last changed."""

    def copy(self) -> Entry:
        """Return one with the same values."""
        other = Entry(self.guid)
        for name in Entry.__slots__:
            setattr(other, name, getattr(self, name))
        other.cells = dict(self.cells)
        return other

    def get(self, name: str) -> object:
        """Return a value as stored; None if it is unset."""
        cell = self.cells.get(name.lower())
        return None if cell is None else cell.value

    def number(self, name: str) -> int:
        """Return an integer value; 0 if it is unset."""
        value = self.get(name)
        return value if isinstance(value, int) else 0

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the values of an attribute that holds text."""
        value = self.get(name)
        if value is None:
            return ()
        return tuple(str(item) for item in value) if isinstance(value, tuple) else (str(value),)

    @property
    def sid(self) -> str:
        """The security identifier; empty for an object that is no principal."""
        return str(self.get("objectSid") or "")

    @property
    def sam(self) -> str:
        """The account name of before Windows 2000."""
        return str(self.get("sAMAccountName") or "")


class Replica:
    """Everything that one DC knows."""

    def __init__(self, dc: str) -> None:
        self.dc = dc
        self.usn = 1000
        self.entries: dict[UUID, Entry] = {}
        self.names = 0
        """Counts the changes of any object's name; what was rendered before one may name an object as it was."""
        self.recent: set[UUID] | None = None
        """The objects that changed since somebody emptied it; None while nobody follows."""
        self._index: dict[tuple[str, Hashable], dict[UUID, None]] = {}
        self._dns: dict[UUID, str] = {}
        self._shown: dict[UUID, tuple[object, dict[Hashable, object]]] = {}

    def copy(self) -> Replica:
        """Return one that knows the same, and goes on by itself."""
        other = Replica(self.dc)
        other.usn, other.names = self.usn, self.names
        other.entries = {guid: entry.copy() for guid, entry in self.entries.items()}
        other._index = {key: dict(guids) for key, guids in self._index.items()}
        return other

    def apply(self, change: Change, now: datetime) -> bool:
        """Take a change over if its stamp wins; say whether it did."""
        entry = self.entries.get(change.guid)
        if entry is None:
            entry = self.entries[change.guid] = Entry(change.guid)
            entry.created = now
        folded = change.name.lower()
        known = entry.cells.get(folded)
        if known is not None and known.stamp >= change.stamp:
            return False
        self.usn += 1
        if self.recent is not None:
            self.recent.add(change.guid)
        self._forget(entry, folded)
        entry.cells[folded] = change
        self._learn(entry, folded)
        entry.usn, entry.changed = self.usn, now
        if folded in _NAMES:
            self.names += 1
            self._dns.clear()
            entry.deleted = bool(entry.get("isdeleted"))
        elif folded == "objectclass":
            entry.classes = entry.texts(folded)
            entry.kind = entry.classes[-1] if entry.classes else ""
        elif folded in LINKS:
            for value in (known.value if known else None, change.value):
                self._touch_targets(value)
        return True

    def _touch_targets(self, value: object) -> None:
        for guid in value if isinstance(value, tuple) else (value,):
            target = self.entries.get(guid) if isinstance(guid, UUID) else None
            if target is not None:
                target.linked_at = self.usn

    def _keys(self, entry: Entry, folded: str) -> Iterator[tuple[str, Hashable]]:
        if folded in {"rdn", "parent"}:
            rdn, parent = entry.get("rdn"), entry.get("parent")
            if rdn is not None:
                yield ("rdn", (parent, names.fold_rdn(str(rdn))))
                yield ("parent", parent)
        elif folded in _INDEXED:
            value = entry.get(folded)
            for item in value if isinstance(value, tuple) else () if value is None else (value,):
                yield (folded, item.lower() if isinstance(item, str) else item)

    def _forget(self, entry: Entry, folded: str) -> None:
        for key in self._keys(entry, folded):
            bucket = self._index.get(key)
            if bucket is not None:
                bucket.pop(entry.guid, None)
                if not bucket:
                    del self._index[key]

    def _learn(self, entry: Entry, folded: str) -> None:
        for key in self._keys(entry, folded):
            self._index.setdefault(key, {})[entry.guid] = None

    def having(self, name: str, value: Hashable) -> list[Entry]:
        """Return the entries, deleted ones included, that hold *value* in an indexed attribute."""
        key = value.lower() if isinstance(value, str) else value
        return [self.entries[guid] for guid in self._index.get((name.lower(), key), ())]

    def live(self, guid: object) -> Entry | None:
        """Return the object with this GUID unless it is unknown or deleted."""
        entry = self.entries.get(guid) if isinstance(guid, UUID) else None
        return None if entry is None or entry.deleted or entry.get("rdn") is None else entry

    def dn(self, entry: Entry) -> str:
        """Return the object's distinguished name as this DC would write it."""
        known = self._dns.get(entry.guid)
        if known is None:
            known = self._dns[entry.guid] = self._composed(entry)
        return known

    def _composed(self, entry: Entry) -> str:
        parts: list[str] = []
        current: Entry | None = entry
        while current is not None and current.get("rdn") is not None:
            parts.append(str(current.get("rdn")))
            above = current.get("parent")
            current = self.entries.get(above) if isinstance(above, UUID) else None
        return names.join(*parts)

    def shown(self, entry: Entry) -> dict[Hashable, object]:
        """Return what was rendered of an object since it, a link to it, or any object's name last changed.

        For whoever renders: nothing that depends on more than that belongs in it.
        """
        stand = (entry.usn, entry.linked_at, self.names)
        known = self._shown.get(entry.guid)
        if known is None or known[0] != stand:
            known = self._shown[entry.guid] = (stand, {})
        return known[1]

    def at_dn(self, dn: str) -> Entry | None:
        """Return the object with this distinguished name, deleted ones included."""
        folded = names.fold(dn)
        for root in self._roots():
            tail = names.fold(str(root.get("rdn")))
            if folded[-len(tail) :] == tail:
                return self._below(root, folded[: -len(tail)])
        return None

    def _roots(self) -> list[Entry]:
        return [self.entries[guid] for guid in self._index.get(("parent", None), ())]

    @property
    def netbios(self) -> str:
        """The domain's NetBIOS name."""
        return str(next((name for root in self._roots() if (name := root.get("labNetbios"))), ""))

    @property
    def max_password_age(self) -> int:
        """The password policy's, in steps of 100 ns; 0 where passwords never expire."""
        return max((root.number("labMaxPasswordAge") for root in self._roots()), default=0)

    def _below(self, root: Entry, rdns: tuple[str, ...]) -> Entry | None:
        current = root
        for rdn in reversed(rdns):
            found = [self.entries[guid] for guid in self._index.get(("rdn", (current.guid, rdn)), ())]
            if not found:
                return None
            current = min(found, key=lambda entry: (entry.deleted, str(entry.guid)))
        return current

    def children(self, entry: Entry) -> list[Entry]:
        """Return what stands directly below, deleted objects included."""
        return [self.entries[guid] for guid in self._index.get(("parent", entry.guid), ())]

    def linked(self, entry: Entry, name: str) -> list[Entry]:
        """Return the live targets of a forward link, or the live sources of a back link.

        A deleted object takes part in no link, in either direction (MS-ADTS 3.1.1.5.5.1).
        """
        folded = name.lower()
        if folded in BACK_LINKS:
            found = self.having(BACK_LINKS[folded], entry.guid)
        else:
            value = entry.get(folded)
            guids = value if isinstance(value, tuple) else () if value is None else (value,)
            found = [self.entries[guid] for guid in guids if guid in self.entries]
        return [] if entry.deleted else [other for other in found if self.live(other.guid) is not None]

    def account(self, name: str) -> Entry | None:
        """Return the live account with this sAMAccountName."""
        return next((entry for entry in self.having("sAMAccountName", name) if not entry.deleted), None)

    def principal(self, sid: str) -> Entry | None:
        """Return the live principal with this security identifier."""
        return next((entry for entry in self.having("objectSid", sid) if not entry.deleted), None)

    def groups_of(self, entry: Entry) -> dict[UUID, Entry]:
        """Return every group that the object is in, nested ones included."""
        found: dict[UUID, Entry] = {}
        waiting = self.linked(entry, "memberOf")
        while waiting:
            group = waiting.pop()
            if group.guid not in found:
                found[group.guid] = group
                waiting.extend(self.linked(group, "memberOf"))
        return found
