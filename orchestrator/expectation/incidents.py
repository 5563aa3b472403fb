"""What no approved step explains, put into classes, and what belongs together put together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.expectation.attributes import BY_THEMSELVES, CLASS, LINKING, LINKS, shown_attribute
from orchestrator.expectation.finding import Finding, Reference
from orchestrator.expectation.links import Links
from orchestrator.expectation.names import User
from orchestrator.expectation.numbers import ADDED, DELETED
from orchestrator.expectation.ours import Object, Ours
from orchestrator.expectation.seen import SeenEvent
from orchestrator.expectation.values import folded_dn, is_protected
from orchestrator.model.directory import ACCOUNT_DISABLED
from orchestrator.model.dn import Dn
from orchestrator.steps.effects import CONTROL, DESCRIPTOR, MEMBERSHIP, On

_ISSUED_FOR = re.compile(r"(?:CN|OU)=[^\r\n]+", re.IGNORECASE)
_CALLER = re.compile(r"Caller IP:\s*(\S+)", re.IGNORECASE)
_ADDRESS = re.compile(
    r"^(?:\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?|\[[0-9a-f:.%]+\](?::\d+)?)\s*$", re.IGNORECASE | re.MULTILINE
)
_ANONYMOUS = re.compile(r"\bS-1-5-7\b")
_OF_ACCOUNTS = {
    4720: "a user was created",
    4722: "it was enabled",
    4723: "its password was changed",
    4724: "its password was set",
    4725: "it was disabled",
    4726: "it was deleted",
    4738: "the user was changed",
    4741: "a computer account was created",
    4742: "the computer account was changed",
    4743: "the computer account was deleted",
    4781: "it was renamed",
}
"""What account management says by its numbers (Microsoft Learn, Windows security auditing)."""
_STRANGE = "no plan's dMSA; name it with --known where others use it rightfully"


@dataclass
class _Incident:
    id: str
    migration: str | None
    object: str
    by: str
    says: str
    why: str
    events: list[Reference] = field(default_factory=list)


class Incidents:
    """Collects findings. One event may be part of several; several events of one kind on one object are one finding."""

    def __init__(self, ours: Ours, operators: Sequence[User], links: Links) -> None:
        self._ours, self._operators, self._links = ours, operators, links
        self._found: dict[tuple[str, str | None, str, str], _Incident] = {}

    def findings(self) -> tuple[Finding, ...]:
        """Return everything, in the order in which it was first seen."""
        return tuple(
            Finding(one.id, one.migration, one.object, one.by, one.says, one.why, tuple(one.events))
            for one in self._found.values()
        )

    def add(self, id_: str, migration: str | None, object_: str, event: SeenEvent, says: str, why: str) -> None:
        """Note one event as part of a finding."""
        by = str(event.by)
        key = (id_, migration, object_.casefold(), by)
        one = self._found.setdefault(key, _Incident(id_, migration, object_, by, says, why))
        one.events.append(Reference(event.line, event.id, event.at, event.computer))

    # Changes of single attributes.

    def foreign_change(self, event: SeenEvent) -> bool | None:
        """Take in a change of an object that is none of the plan's; None where it says nothing of dMSAs."""
        attribute, dn = event.get("attributeldapdisplayname").lower(), event.get("objectdn")
        of_class = event.get("objectclass").lower() == CLASS
        if attribute not in LINKING and not of_class:
            return None
        if of_class and attribute in BY_THEMSELVES[On.DMSA]:
            return None
        there, named = folded_dn(dn), folded_dn(event.get("attributevalue")) if attribute in LINKS else None
        migration = self._links.migration(named) if named else None
        if migration is None and there is not None and self._links.of_others(there):
            return None
        says = self._said(event)
        self.add("foreign-dmsa", migration, dn, event, says, _STRANGE)
        if named is not None and there is not None and event.operation == ADDED:
            dmsa, account = (there, named) if LINKS[attribute] is On.DMSA else (named, there)
            self._linked(event, migration, dn, dmsa, account)
        return False

    def _linked(self, event: SeenEvent, migration: str | None, dn: str, dmsa: Dn, account: Dn) -> None:
        """Say whether both sides of a link were written, and whether it names somebody privileged."""
        says = self._said(event)
        id_ = "mutual-link" if self._links.mutual(dmsa, account) else "one-sided-link"
        self.add(id_, migration, dn, event, says, "no approved step links this pair")
        if self._links.is_privileged(account):
            self.add("privileged-link", migration, dn, event, says, "the linked account is privileged")

    def own_change(self, event: SeenEvent, object_: Object, why: str, protected: bool) -> None:
        """Take in a change of one of the plan's objects that nothing explains."""
        attribute = event.get("attributeldapdisplayname").lower()
        dn, says, id_ = event.get("objectdn"), self._said(event), object_.migration
        if attribute in LINKING:
            self._own_link(event, object_, attribute, why)
            return
        value = event.get("attributevalue")
        original = object_.on is On.ACCOUNT and event.operation == ADDED
        if original and attribute == DESCRIPTOR.lower() and protected and not is_protected(value):
            self.add("protection-off", id_, dn, event, "no entry denies its deletion any more", why)
        elif original and attribute == CONTROL.lower() and _enables(value):
            self.add("account-enabled", id_, dn, event, says, why)
        elif attribute in {"pwdlastset", "unicodepwd"}:
            self.add("password-reset", id_, dn, event, f"{shown_attribute(attribute)} was written", why)
        else:
            self.add("unexpected-change", id_, dn, event, says, why)

    def _own_link(self, event: SeenEvent, object_: Object, attribute: str, why: str) -> None:
        dn, says, id_ = event.get("objectdn"), self._said(event), object_.migration
        pair = self._ours.pairs[id_]
        self.add("outside-operation", id_, dn, event, says, why)
        there, named = folded_dn(dn), folded_dn(event.get("attributevalue")) if attribute in LINKS else None
        if event.operation == DELETED or there is None or named is None:
            return
        planned = folded_dn(pair.dmsa if object_.on is On.ACCOUNT else pair.account)
        if named != planned:
            strange = "foreign-dmsa" if object_.on is On.ACCOUNT else "foreign-account"
            self.add(strange, id_, dn, event, says, f"the plan links {pair.account} with {pair.dmsa}")
        elif any(user.is_(event.by) for user in self._operators):
            return
        dmsa, account = (there, named) if object_.on is On.DMSA else (named, there)
        self._linked(event, id_, dn, dmsa, account)

    def stranger(self, event: SeenEvent, object_: Object, who: str) -> None:
        """Take in that somebody was let in who is no host of the migration."""
        dn = self._ours.pairs[object_.migration].dmsa
        why = f"no host of {object_.migration} by plan and journal"
        self.add("unknown-host", object_.migration, f"{dn}: {who}", event, f"{MEMBERSHIP} lets in {who}", why)

    # Whole objects and accounts.

    def whole_object(self, event: SeenEvent, dn: str, object_: Object | None) -> bool | None:
        """Take in that an object was created, deleted, moved or undeleted; None where it says nothing of dMSAs."""
        of_class = event.get("objectclass").lower() == CLASS
        id_ = object_.migration if object_ else None
        what = {5137: "created", 5138: "undeleted", 5139: "moved", 5141: "deleted"}[event.id]
        says = f"{what}{' to ' + event.get('newobjectdn') if event.id == 5139 else ''}"
        why = "no approved step does that"
        if object_ is None:
            there = folded_dn(dn)
            if there is not None and there in self._ours.containers and event.id in {5139, 5141}:
                self.add("object-moved", None, dn, event, says, f"objects of the plan lie below it, and {why}")
                return False
            if not of_class or (there is not None and self._links.knows(there)):
                return None
            self.add("foreign-creation" if event.id == 5137 else "foreign-dmsa", None, dn, event, says, _STRANGE)
        elif event.id == 5141:
            self.add("original-deleted" if object_.on is On.ACCOUNT else "dmsa-deleted", id_, dn, event, says, why)
        elif event.id == 5139:
            self.add("object-moved", id_, dn, event, says, why)
        elif event.id == 5137 and of_class:
            self.add("foreign-creation", id_, dn, event, says, "not by the runner, or outside the time of its attempt")
        else:
            self.add("unexpected-change", id_, dn, event, says, why)
        return False

    def account(self, event: SeenEvent, object_: Object) -> None:
        """Take in what account management says of one of the plan's objects, and nothing explains."""
        pair, original = self._ours.pairs[object_.migration], object_.on is On.ACCOUNT
        dn = pair.account if original else pair.dmsa
        id_ = {
            4726: "original-deleted" if original else "dmsa-deleted",
            4743: "original-deleted" if original else "dmsa-deleted",
            4722: "account-enabled" if original else "unexpected-change",
            4723: "password-reset",
            4724: "password-reset",
            4781: "object-moved",
            4741: "foreign-creation",
        }.get(event.id, "unexpected-change")
        says = f"event {event.id}: {_OF_ACCOUNTS[event.id]}"
        self.add(id_, object_.migration, dn, event, says, "no approved step was under way that does that")

    def is_system(self, by: User, object_: Object) -> bool:
        """Whether the directory or the managed account itself changed it: its password is theirs to change."""
        itself = User(f"{object_.migration}$")
        return object_.on is On.DMSA and (by.sid in {"S-1-5-18", "S-1-5-7"} or itself.is_(User(by.name)))

    # Keys.

    def foreign_key(self, event: SeenEvent, said: str) -> bool | None:
        """Take in that keys were issued for something that is none of the plan's dMSAs.

        Group managed accounts are logged under the same number; of a dMSA the caller is anonymous (S-1-5-7), as
        researchers have seen.
        """
        found = _ISSUED_FOR.search(said)
        there = folded_dn(found[0].strip()) if found else None
        if not _ANONYMOUS.search(said) or (there is not None and self._links.knows(there)):
            return None
        object_ = found[0].strip() if found else event.computer
        self.add("foreign-dmsa", None, object_, event, "its keys were issued", _STRANGE)
        return False

    @staticmethod
    def caller_address(said: str) -> str:
        """Return the caller's address in an event 2946, by its label or alone in a value; empty where it has none."""
        found = _CALLER.search(said)
        if found:
            return found[1]
        alone = _ADDRESS.search(said)
        return alone[0].strip() if alone else ""

    @staticmethod
    def _said(event: SeenEvent) -> str:
        attribute = shown_attribute(event.get("attributeldapdisplayname").lower())
        return f"{attribute}: {event.operation} {event.get('attributevalue')[:200] or 'a value'}"


def _enables(value: str) -> bool:
    try:
        return not int(value, 0) & ACCOUNT_DISABLED
    except ValueError:
        return False
