"""One domain controller's copy as an LDAP client sees and changes it, with the rules that a directory enforces.

The cmdlets write what they write; this is for everybody else: whoever edits an object with a tool of his own, and
whoever looks at one by a way that is not PowerShell's. Attributes come as in the protocol (RFC 4511), as texts and
bytes. Sources of the rules: MS-ADTS 3.1.1.5.2 (add), 3.1.1.5.3 (modify), 3.1.1.5.4 (rename), 3.1.1.5.5 (delete),
3.1.1.5.1.3 (unique names), 3.1.1.3.1.3 (search); 3.1.1.3.1.2.4 for ``<GUID=…>`` as a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from orchestrator.lab.estate import access, descriptor, identity, ldapfilter, schema
from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate import dn as names
from orchestrator.lab.estate.descriptor import Ace, Descriptor
from orchestrator.lab.estate.directory import Directory
from orchestrator.lab.estate.genesis import CLASSES
from orchestrator.lab.estate.ldap_codes import Code
from orchestrator.lab.estate.ldapfilter import IN_CHAIN, Test
from orchestrator.lab.estate.replica import BACK_LINKS, LINKS, Entry, Replica

Found: TypeAlias = tuple[str, dict[str, tuple[str | bytes, ...]]]
"""An object's name and its attributes."""

_UNSEEN = frozenset(
    {
        *("rdn", "parent", "nchead", "labtakenspns", "ntsecuritydescriptor"),
        *("msds-groupmsamembership", "msds-allowedtoactonbehalfofotheridentity"),
    }
)
"""What is not an attribute, or is one that this shows to nobody: descriptors are binary."""


class LdapRefused(Exception):
    """The directory refuses; nothing was changed."""

    def __init__(self, code: Code, why: str = "") -> None:
        super().__init__(f"{code.name}: {why}" if why else code.name)
        self.code = code


@dataclass(frozen=True)
class Modification:
    """One part of a modify. ``delete`` without values takes the whole attribute away."""

    kind: Literal["add", "delete", "replace"]
    name: str
    values: Sequence[str] = ()


class LdapSession:
    """A connection to one DC as one account.

    Raises:
        KeyError: the domain has no such DC, or no such account.
    """

    def __init__(self, directory: Directory, dc: str, account: str) -> None:
        self._directory, self._dc = directory, dc.lower()
        self._replica: Replica = directory.replicas[self._dc]
        principal = self._replica.account(account)
        if principal is None:
            raise KeyError(account)
        self._sids = access.token(self._replica, principal)

    # Reading.

    def search(
        self, base: str, scope: str, wanted: str, attributes: Iterable[str] = (), *, deleted: bool = False
    ) -> list[Found]:
        """Return what meets a filter, with the attributes asked for (``*`` or none: all). No such base: nothing.

        An object that the caller may not read is not there. Deleted objects are, if asked for.

        Raises:
            FilterInvalid: the filter is none.
        """
        parsed = ldapfilter.parse(wanted)
        root = self._at(base, deleted=deleted)
        found = [
            entry
            for entry in self._below(root, scope)
            if (deleted or not entry.deleted) and self._visible(entry)
            if ldapfilter.matches(parsed, lambda test, entry=entry: self._meets(entry, test))  # type: ignore[misc]
        ]
        asked = tuple(attributes)
        return [(self._replica.dn(entry), self._shown(entry, asked)) for entry in found]

    def _at(self, dn: str, *, deleted: bool = False) -> Entry | None:
        if dn.upper().startswith("<GUID=") and dn.endswith(">"):
            entry = self._replica.entries.get(UUID(dn[6:-1]))
        else:
            entry = self._replica.at_dn(dn)
        return None if entry is None or (entry.deleted and not deleted) or entry.get("rdn") is None else entry

    def _below(self, root: Entry | None, scope: str) -> Iterator[Entry]:
        if root is None:
            return
        if scope == "Base":
            yield root
        elif scope == "OneLevel":
            yield from self._replica.children(root)
        else:
            waiting = [root]
            while waiting:
                entry = waiting.pop()
                yield entry
                waiting += [child for child in self._replica.children(entry) if not child.get("ncHead")]

    def _visible(self, entry: Entry) -> bool:
        """Deleted objects lie where only administrators may look (MS-ADTS 6.1.1.4.2), whatever they once allowed."""
        where = self._replica.entries.get(above) if isinstance(above := entry.get("parent"), UUID) else None
        listed = not entry.deleted or where is None or self._may(where, "LC")
        return listed and self._may(entry, "RP")

    def _meets(self, entry: Entry, test: Test) -> bool:
        folded = test.attribute.lower()
        if folded not in LINKS and folded not in BACK_LINKS:
            return ldapfilter.holds(test, self._values(entry, folded))
        linked = self._replica.linked(entry, folded)
        if not test.pieces:
            return bool(linked)
        target = self._at(test.value.decode(errors="replace"))
        if test.rule == IN_CHAIN:
            linked = self._chain(entry, folded)
        return target is not None and any(other.guid == target.guid for other in linked)

    def _chain(self, entry: Entry, folded: str) -> list[Entry]:
        found: dict[UUID, Entry] = {}
        waiting = self._replica.linked(entry, folded)
        while waiting:
            other = waiting.pop()
            if other.guid not in found:
                found[other.guid] = other
                waiting += self._replica.linked(other, folded)
        return list(found.values())

    def _shown(self, entry: Entry, asked: tuple[str, ...]) -> dict[str, tuple[str | bytes, ...]]:
        everything = not asked or "*" in asked
        own = [cell.name for cell in entry.cells.values()] if everything else []
        made = ["distinguishedName", "name", "objectGUID"] if everything else []
        wanted = dict.fromkeys([*own, *made, *(name for name in asked if name != "*")])
        shown = {name: tuple(map(_protocol, self._values(entry, name.lower()))) for name in wanted}
        return {name: values for name, values in shown.items() if values}

    def _values(self, entry: Entry, folded: str) -> tuple[object, ...]:
        if folded in _UNSEEN:
            return ()
        if folded in LINKS or folded in BACK_LINKS:
            return tuple(self._replica.dn(other) for other in self._replica.linked(entry, folded))
        match folded:
            case "distinguishedname":
                return (self._replica.dn(entry),)
            case "name" | "cn":
                return (names.value(str(entry.get("rdn"))),)
            case "objectcategory":
                return ("person" if entry.kind in {"user", "inetOrgPerson"} else entry.kind,)
            case "objectguid":
                return (entry.guid.bytes_le,)
            case "objectsid":
                return (identity.sid_bytes(entry.sid),) if entry.sid else ()
            case "lastknownparent":
                parent = entry.get("lastKnownParent")
                return (self._replica.dn(self._replica.entries[parent]),) if isinstance(parent, UUID) else ()
        value = entry.get(folded)
        return value if isinstance(value, tuple) else () if value is None else (value,)

    # Access.

    def _may(self, entry: Entry, right: str, guid: str = "") -> bool:
        value = entry.get("nTSecurityDescriptor")
        return not isinstance(value, Descriptor) or access.allows(value, self._sids, right, guid)

    def _need(self, entry: Entry, right: str, guid: str = "") -> None:
        if not self._may(entry, right, guid):
            raise LdapRefused(Code.INSUFFICIENT_ACCESS_RIGHTS, self._replica.dn(entry))

    def _need_deletion(self, entry: Entry, parent: Entry | None) -> None:
        """Deleting, or taking away by a move, takes the right on the object or on its container; a denial stops both.

        Windows asks the object first and its container only then; protection from accidental deletion is written on
        both for that reason.
        """
        child = schema.GUIDS.get(entry.kind, "")
        if not self._may(entry, "SD") and (parent is None or not self._may(parent, "DC", child)):
            raise LdapRefused(Code.INSUFFICIENT_ACCESS_RIGHTS, self._replica.dn(entry))

    def grant(self, dn: str, account: str, rights: str, guid: str = "") -> None:
        """Give an account rights on an object; takes the right to rewrite its permissions."""
        entry = self._there(dn)
        self._need(entry, "WD")
        principal = self._replica.account(account)
        if principal is None:
            raise LdapRefused(Code.NO_SUCH_OBJECT, account)
        self._directory.grant(self._dc, entry.guid, Ace("OA" if guid else "A", "", rights, principal.sid, guid))

    # Writing.

    def add(self, dn: str, kind: str, attributes: Mapping[str, Sequence[str]]) -> UUID:
        """Add an object and return its GUID.

        Raises:
            LdapRefused: the directory does not take it.
        """
        rdn, *above = names.split(dn)
        parent = self._there(names.join(*above))
        self._need(parent, "CC", schema.GUIDS.get(kind, ""))
        self._free(parent, rdn)
        values: dict[str, object] = {}
        for name, given in attributes.items():
            values[name] = self._checked(kind, name, given)
        missing = schema.MUST.get(kind, frozenset()) - {name.lower() for name in values}
        if missing:
            raise LdapRefused(Code.OBJECT_CLASS_VIOLATION, f"{kind} without {min(missing)}")
        self._unique(None, values)
        fixed: dict[str, object] = {
            "objectClass": CLASSES[kind],
            "nTSecurityDescriptor": descriptor.default(self._directory.sid, kind),
        }
        if kind == "group" or "user" in CLASSES[kind]:
            fixed["objectSid"] = self._directory.take_rid()
        if kind == "user":
            fixed["userAccountControl"] = uac.NORMAL_ACCOUNT | uac.DISABLED | uac.PASSWORD_NOT_REQUIRED
        return self._directory.create(self._dc, parent, rdn, {**fixed, **values})

    def modify(self, dn: str, *changes: Modification) -> None:
        """Change an object: all of it, or nothing.

        Raises:
            LdapRefused: the directory does not take one of the changes.
        """
        entry = self._there(dn)
        values: dict[str, object] = {}
        for change in changes:
            folded = change.name.lower()
            self._need(entry, "WP", schema.GUIDS.get(folded, ""))
            if schema.is_back_link(folded):
                raise LdapRefused(Code.UNWILLING_TO_PERFORM, f"{change.name} is computed")
            before = _several(values[change.name] if change.name in values else entry.get(change.name))
            values[change.name] = self._after(entry, change, before)
        for name in schema.MUST.get(entry.kind, ()):
            if {folded.lower(): value for folded, value in values.items()}.get(name, entry.get(name)) is None:
                raise LdapRefused(Code.OBJECT_CLASS_VIOLATION, f"{entry.kind} without {name}")
        self._unique(entry, values)
        self._directory.write(self._dc, entry.guid, values)

    def rename(self, dn: str, rdn: str, parent: str | None = None) -> None:
        """Give an object another name, another container, or both.

        Raises:
            LdapRefused: the directory does not take it.
        """
        entry = self._there(dn)
        above = self._replica.live(entry.get("parent"))
        target = above if parent is None else self._there(parent)
        if target is None:
            raise LdapRefused(Code.UNWILLING_TO_PERFORM, "the root of a naming context stays")
        self._need(entry, "WP")
        if target is not above:
            self._need(target, "CC", schema.GUIDS.get(entry.kind, ""))
            self._need_deletion(entry, above)
        self._free(target, rdn, entry)
        self._directory.write(self._dc, entry.guid, {"rdn": rdn, "parent": target.guid})

    def delete(self, dn: str) -> None:
        """Delete an object that has nothing below it.

        Raises:
            LdapRefused: it is not there, has children, or may not be deleted by this caller.
        """
        entry = self._there(dn)
        self._need_deletion(entry, self._replica.live(entry.get("parent")))
        if any(not child.deleted for child in self._replica.children(entry)):
            raise LdapRefused(Code.NOT_ALLOWED_ON_NON_LEAF, dn)
        self._directory.delete(self._dc, entry.guid)

    def _there(self, dn: str) -> Entry:
        entry = self._at(dn)
        if entry is None:
            raise LdapRefused(Code.NO_SUCH_OBJECT, dn)
        return entry

    def _free(self, parent: Entry, rdn: str, entry: Entry | None = None) -> None:
        taken = self._at(names.join(rdn, self._replica.dn(parent)))
        if taken is not None and taken is not entry:
            raise LdapRefused(Code.ENTRY_ALREADY_EXISTS, self._replica.dn(taken))

    def _after(self, entry: Entry, change: Modification, before: tuple[object, ...]) -> object:
        """Return an attribute as it will be."""
        given = _several(self._checked(entry.kind, change.name, change.values))
        match change.kind:
            case "replace":
                after = given
            case "add":
                if any(_same(one, other) for one in given for other in before):
                    raise LdapRefused(Code.ATTRIBUTE_OR_VALUE_EXISTS, change.name)
                after = (*before, *given)
            case "delete":
                if not before or any(not any(_same(one, other) for other in before) for one in given):
                    raise LdapRefused(Code.NO_SUCH_ATTRIBUTE, change.name)
                after = tuple(other for other in before if given and not any(_same(one, other) for one in given))
        return self._stored(change.name, after)

    def _checked(self, kind: str, name: str, given: Sequence[str]) -> object:
        folded = name.lower()
        if schema.ONLY_ON.get(folded, kind) not in CLASSES[kind]:
            raise LdapRefused(Code.OBJECT_CLASS_VIOLATION, f"{name} on {kind}")
        values: list[object] = list(given)
        if schema.is_link(folded):
            values = [self._target(text) for text in given]
        elif folded in schema.NUMBERS:
            try:
                values = [int(text) for text in given]
            except ValueError:
                raise LdapRefused(Code.INVALID_ATTRIBUTE_SYNTAX, name) from None
        return self._stored(name, tuple(values))

    def _target(self, dn: str) -> UUID:
        target = self._at(dn)
        if target is None:
            raise LdapRefused(Code.CONSTRAINT_VIOLATION, f"there is no {dn}")
        return target.guid

    @staticmethod
    def _stored(name: str, values: tuple[object, ...]) -> object:
        """Return values in the form in which the estate keeps them."""
        folded = name.lower()
        if folded not in schema.SEVERAL and len(values) > 1:
            raise LdapRefused(Code.CONSTRAINT_VIOLATION, f"{name} has one value")
        if schema.is_link(folded) or folded in schema.SEVERAL:
            return tuple(sorted(values, key=str)) or None
        return values[0] if values else None

    def _unique(self, entry: Entry | None, values: Mapping[str, object]) -> None:
        folded = {name.lower(): value for name, value in values.items()}
        for spn in map(str, _several(folded.get("serviceprincipalname"))):
            if any(holder is not entry for holder in self._directory.holders(self._dc, spn)):
                raise LdapRefused(Code.CONSTRAINT_VIOLATION, f"{spn} stands on another object")
        sam = folded.get("samaccountname")
        if isinstance(sam, str) and self._replica.account(sam) not in {None, entry}:
            raise LdapRefused(Code.ENTRY_ALREADY_EXISTS, f"{sam} is taken")


def _several(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _same(one: object, other: object) -> bool:
    return one.lower() == other.lower() if isinstance(one, str) and isinstance(other, str) else one == other


def _protocol(value: object) -> str | bytes:
    match value:
        case bytes():
            return value
        case bool():
            return "TRUE" if value else "FALSE"
        case datetime():
            return value.strftime("%Y%m%d%H%M%S.0Z")
        case _:
            return str(value)
