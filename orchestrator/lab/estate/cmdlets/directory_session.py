"""What every directory cmdlet does first: choose the domain controller, check the caller, find the object."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from orchestrator.lab.command import LabObject
from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate import identity, ldapfilter, refusals
from orchestrator.lab.estate.cmdlets import rendering
from orchestrator.lab.estate.cmdlets.table import Invocation
from orchestrator.lab.estate.genesis import DMSA_CLASS
from orchestrator.lab.estate.ldapfilter import IN_CHAIN, Test
from orchestrator.lab.estate.logon import Authority
from orchestrator.lab.estate.machine import Machine
from orchestrator.lab.estate.replica import BACK_LINKS, LINKS, Entry, Replica

_SERVICE_ACCOUNTS = frozenset({DMSA_CLASS, "msDS-GroupManagedServiceAccount", "msDS-ManagedServiceAccount"})
KINDS: dict[str, Callable[[Entry], bool]] = {
    "ADObject": lambda _: True,
    "ADUser": lambda entry: entry.kind in {"user", "inetOrgPerson"},
    "ADServiceAccount": lambda entry: entry.kind in _SERVICE_ACCOUNTS,
    "ADComputer": lambda entry: entry.kind == "computer",
    "ADGroup": lambda entry: entry.kind == "group",
    "ADAccount": lambda entry: "user" in entry.classes,
}
_CLASS = {"ADComputer": "computer", "ADGroup": "group", "ADAccount": "user"}
"""A class that every object of such a kind has, so that a search need not walk the whole domain."""


@dataclass
class Session:
    """A cmdlet's connection to one domain controller."""

    call: Invocation
    dc: Machine
    replica: Replica

    @classmethod
    def connect(cls, call: Invocation, *, writes: bool = False) -> Session:
        """Connect to ``-Server``, or to the endpoint itself.

        Asking another DC from a remote session is a second hop, for which an ordinary endpoint has no
        credentials unless the caller's ticket came along (Microsoft Learn, "Making the second hop in PowerShell
        Remoting").

        Raises:
            Terminating: there is no such DC, it cannot be reached, or it takes no writes.
        """
        server = call.text("Server").partition(":")[0].lower()
        estate = call.estate
        dc = call.machine
        if server not in dc.names and server not in {estate.spec.domain.dns.lower(), ""}:
            controllers = estate.authority.controllers.values()
            found = [dc for dc in controllers if server in {dc.name.lower(), dc.short.lower()}]
            # A virtual account goes out as the computer account, a gMSA as itself (JEA security considerations).
            virtual = call.request.principal.startswith("WinRM Virtual Users\\")
            plain = call.request.configuration == "Microsoft.PowerShell"
            hop = estate.spec.switches.second_hop or (call.request.delegated if plain else not virtual)
            if not found or not hop or not estate.reachable(found[0]):
                raise call.fail(refusals.server_down(call.name, server))
            dc = found[0]
        if call.text("Server").endswith(":3268") and not is_catalog(call, dc):
            raise call.fail(refusals.server_down(call.name, call.text("Server")))
        if "read" not in call.rights:
            raise call.fail(refusals.access_denied(call.name, dc.name))
        if writes and not estate.authority.is_writable(dc):
            raise call.fail(refusals.unwilling(call.name, dc.name, "this domain controller is read-only"))
        elsewhere = estate.spec.reads_go_elsewhere and not writes
        copy = estate.spec.dcs[0].name.lower() if elsewhere else str(dc.dc)
        return cls(call, dc, estate.directory.replicas[copy])

    @property
    def base(self) -> str:
        """The domain's distinguished name."""
        return self.call.estate.directory.dn

    @property
    def authority(self) -> Authority:
        """The domain's side of log-ons."""
        return self.call.estate.authority

    def visible(self, entry: Entry) -> bool:
        """Say whether the caller may read an object; dMSAs are not for everybody."""
        return entry.kind != DMSA_CLASS or "read-dmsa" in self.call.rights

    def find(self, kind: str, identity_text: str, *, deleted: bool = False) -> Entry:
        """Return the object with this identity: a distinguished name, a GUID, a SID or an account name.

        Raises:
            Terminating: there is none of that class that the caller may read.
        """
        for entry in self._candidates(kind, identity_text):
            fits = KINDS[kind](entry) and (deleted or not entry.deleted)
            if fits and entry.get("rdn") is not None and self.visible(entry):
                return entry
        raise self.call.fail(refusals.identity_not_found(self.call.name, identity_text, self.base))

    def _candidates(self, kind: str, text: str) -> Iterator[Entry]:
        guid = _guid(text)
        if guid is not None:
            entry = self.replica.entries.get(guid)
            yield from [entry] if entry else []
        elif text.upper().startswith("S-1-"):
            yield from self.replica.having("objectSid", text.upper())
        elif names.looks_like_one(text):
            entry = self.replica.at_dn(text)
            yield from [entry] if entry else []
        elif kind != "ADObject":
            yield from self.replica.having("sAMAccountName", text)
            if kind in {"ADServiceAccount", "ADComputer", "ADAccount"}:
                yield from self.replica.having("sAMAccountName", f"{text}$")

    def search(
        self, kind: str, text: str, base: str = "", scope: str = "Subtree", *, deleted: bool = False
    ) -> list[Entry]:
        """Return the objects below *base* that meet an LDAP filter, in the order of their names.

        Raises:
            Terminating: the filter is none, or the base does not exist.
        """
        try:
            parsed = ldapfilter.parse(text)
        except ldapfilter.FilterInvalid as error:
            exception = "Microsoft.ActiveDirectory.Management.ADFilterParsingException"
            message = f"The search filter cannot be recognized: {error}"
            record = refusals.record(self.call.name, "ActiveDirectoryServer:8254", "ParserError", exception, message)
            raise self.call.fail(record) from None
        root = self.find("ADObject", base or self.base)
        exact = scope.lower() in {"subtree", "2"} and self._is_indexed(parsed)
        found = [
            entry
            for entry in self._pool(kind, parsed, root, scope)
            if KINDS[kind](entry) and self.visible(entry) and (deleted or not entry.deleted)
            if exact or ldapfilter.matches(parsed, lambda test, entry=entry: self._holds(entry, test))  # type: ignore[misc]
        ]
        return sorted(found, key=self.replica.dn) if len(found) > 1 else found

    def _pool(self, kind: str, parsed: ldapfilter.Filter, root: Entry, scope: str) -> Iterator[Entry]:
        if scope.lower() in {"subtree", "2"}:
            quick = self._by_index(parsed)
            if quick is None and kind in _CLASS:
                quick = self.replica.having("objectClass", _CLASS[kind])
            if quick is not None:
                yield from (entry for entry in quick if self._lies_under(entry, root))
                return
        if scope.lower() in {"base", "0"}:
            yield root
            return
        if scope.lower() in {"onelevel", "1"}:
            yield from self.replica.children(root)
            return
        waiting = [root]
        while waiting:
            entry = waiting.pop()
            yield entry
            waiting.extend(child for child in self.replica.children(entry) if not child.get("ncHead"))

    def _is_indexed(self, parsed: ldapfilter.Filter) -> bool:
        """Say whether the index answers a filter whole, so that what it finds need not be held against the filter."""
        match parsed:
            case ldapfilter.Or(parts):
                return all(map(self._is_indexed, parts))
            case Test():
                return self._by_indexed(parsed) is not None
            case _:
                return False

    def _by_index(self, parsed: ldapfilter.Filter) -> list[Entry] | None:
        """Return a few entries among which all matches are, by an attribute that is indexed; None without one."""
        match parsed:
            case ldapfilter.And(parts):
                return next((found for part in parts if (found := self._by_index(part)) is not None), None)
            case ldapfilter.Or(parts):
                each = [self._by_index(part) for part in parts]
                if any(found is None for found in each):
                    return None
                return list({entry.guid: entry for found in each for entry in found or ()}.values())
            case Test():
                return self._by_indexed(parsed)
            case _:
                return None

    def _by_indexed(self, test: Test) -> list[Entry] | None:
        name = test.attribute.lower()
        if len(test.pieces) != 1 or test.relation != "=":
            return None
        if name == "memberof" and test.rule == IN_CHAIN:
            group = self.replica.at_dn(test.value.decode(errors="replace"))
            return list(self._chain(group, "member").values()) if group else []
        if test.rule:
            return None
        if name == "objectsid" and len(test.value) > 8:
            return self.replica.having(name, identity.sid_text(test.value))
        if name == "primarygroupid" and test.value.isdigit():
            return self.replica.having(name, int(test.value))
        if name in {"samaccountname", "serviceprincipalname", "dnshostname"}:
            return self.replica.having(name, test.value.decode(errors="replace"))
        if name in LINKS:
            target = self.replica.at_dn(test.value.decode(errors="replace"))
            return [] if target is None or target.deleted else self.replica.having(name, target.guid)
        if name == "objectguid" and len(test.value) == 16:
            entry = self.replica.entries.get(UUID(bytes_le=test.value))
            return [entry] if entry else []
        return None

    def _lies_under(self, entry: Entry, root: Entry) -> bool:
        current: Entry | None = entry
        while current is not None:
            if current is root:
                return True
            if current.get("ncHead"):
                return False
            above = current.get("parent")
            current = self.replica.entries.get(above) if isinstance(above, UUID) else None
        return False

    def _holds(self, entry: Entry, test: Test) -> bool:
        folded = test.attribute.lower()
        if folded in LINKS or folded in BACK_LINKS or folded == "distinguishedname":
            return self._holds_name(entry, folded, test)
        return ldapfilter.holds(test, self._stored(entry, folded))

    def _holds_name(self, entry: Entry, folded: str, test: Test) -> bool:
        linked = [entry] if folded == "distinguishedname" else self.replica.linked(entry, folded)
        if not test.pieces:
            return bool(linked)
        wanted = self.replica.at_dn(test.value.decode(errors="replace"))
        if test.rule == IN_CHAIN:
            linked = list(self._chain(entry, folded).values())
        return wanted is not None and any(other.guid == wanted.guid for other in linked)

    def _chain(self, entry: Entry, folded: str) -> dict[UUID, Entry]:
        found: dict[UUID, Entry] = {}
        waiting = self.replica.linked(entry, folded)
        while waiting:
            other = waiting.pop()
            if other.guid not in found:
                found[other.guid] = other
                waiting.extend(self.replica.linked(other, folded))
        return found

    def _stored(self, entry: Entry, folded: str) -> list[object]:
        if folded == "objectguid":
            return [entry.guid.bytes_le, str(entry.guid)]
        if folded == "objectsid":
            return [identity.sid_bytes(entry.sid), entry.sid] if entry.sid else []
        if folded == "objectclass":
            return list(entry.classes)
        if folded == "objectcategory":
            return ["person" if entry.kind in {"user", "inetOrgPerson"} else entry.kind]
        value = rendering.attribute(self.replica, entry, folded)
        if value is None:
            return []
        values = value if isinstance(value, list) else [value]
        return [str(item.text) if isinstance(item, LabObject) else item for item in values]

    def show(self, entry: Entry, kind: str) -> LabObject:
        """Return an entry as the cmdlet returns it."""
        asked, hidden = self.call.texts("Properties"), self.call.hidden
        shown = tuple(name for name in asked if name.lower() not in hidden) if hidden else asked
        return rendering.render(self.replica, entry, kind, shown)


def is_catalog(call: Invocation, dc: Machine) -> bool:
    """Say whether a domain controller is a global catalogue."""
    return next(one.global_catalog for one in call.estate.spec.dcs if one.name.lower() == dc.dc)


@lru_cache(1 << 14)
def _guid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
