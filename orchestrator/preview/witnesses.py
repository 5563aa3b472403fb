"""Which row of a journal tells a value that was predicted: the snapshots, and what steps read back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from orchestrator.model.before import HostBefore
from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE, DMSA_LINK, DMSA_STATE
from orchestrator.model.facts import DESCRIPTOR
from orchestrator.model.host import ENABLED, KERBEROS_KEY
from orchestrator.model.lifecycle import Pair, Trigger
from orchestrator.preview.history import History
from orchestrator.preview.prediction import Change, Restart, Sent

MEMBERSHIP = "msDS-GroupMSAMembership"


class _NotTold:
    def __repr__(self) -> str:
        return "not told"


NOT_TOLD: Final = _NotTold()
"""Nothing in the journal tells it."""

_BEFORE_COMPLETE = frozenset({Trigger.PREPARE, Trigger.START, Trigger.LINK, Trigger.REGISTRY, Trigger.RESTART})
_STATES = {Pair.UNLINKED: 0, Pair.STARTED: 1, Pair.COMPLETED: 2}
_FACTS = {"description": "Description"}
"""Attributes that a snapshot has under the name of a cmdlet's property."""
_KEPT = frozenset(
    {
        *(ACCOUNT_STATE, ACCOUNT_LINK, DMSA_STATE, DMSA_LINK, "Description", "servicePrincipalName"),
        *("userAccountControl", "msDS-SupportedEncryptionTypes", "msDS-AllowedToDelegateTo"),
        *("msDS-AssignedAuthNPolicy", "msDS-AssignedAuthNPolicySilo"),
    }
)
"""What a snapshot has of both objects, where it is set, in the form in which it is predicted."""
_PROTECTED = "ProtectedFromAccidentalDeletion"


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same: names without regard to case, several without order, 0 and unset alike."""
    return bool(_folded(one) == _folded(other))


def _folded(value: Any) -> Any:
    if value in (None, 0, "") or value == [] or value == ():
        return None
    if isinstance(value, str):
        return value.lower()
    if isinstance(value, list | tuple):
        return sorted(str(_folded(item)) for item in value)
    return value


def values_last(sends: Iterable[Sent]) -> Mapping[tuple[str, str], Change]:
    """Return the last change of each value before Complete: what is read right before Complete must show it."""
    early = (sent for sent in sends if sent.step in _BEFORE_COMPLETE)
    return {(change.object, change.name): change for sent in early for change in sent.changes}


def values_first(sends: Iterable[Sent]) -> Mapping[tuple[str, str], Change]:
    """Return the first change of each value: what was read before the first write must show it."""
    found: dict[tuple[str, str], Change] = {}
    for sent in sends:
        for change in sent.changes:
            found.setdefault((change.object, change.name), change)
    return found


def before(change: Change, history: History, *, is_first: bool) -> Any:
    """Return how a value was before the first write, or :data:`NOT_TOLD`."""
    taken = history.taken
    if taken is None or not is_first:
        return NOT_TOLD
    if change.object.startswith("host "):
        host = taken.hosts.get(change.object.removeprefix("host "))
        return _of_host(host, change.name)
    return _of_object(taken.account if change.object == "account" else taken.dmsa, change)


def after(sent: Sent, change: Change, history: History, *, is_last: bool) -> Any:
    """Return how a value was read after it was written, or :data:`NOT_TOLD`."""
    ended = history.ended.get((sent.step, sent.subject))
    if ended is not None and ended.pair in _STATES and change.name in {ACCOUNT_STATE, DMSA_STATE}:
        return _STATES[ended.pair]
    if ended is not None and ended.pair in _STATES and change.name in {ACCOUNT_LINK, DMSA_LINK}:
        return change.after if str(change.after).lower() in str(ended.evidence.get("read", "")).lower() else NOT_TOLD
    if ended is not None and change.name == ENABLED:
        return ended.evidence.get(ENABLED, NOT_TOLD)
    if ended is not None and sent.step is Trigger.COMPLETE and (change.object, change.name) == ("dmsa", _SPNS):
        return ended.evidence.get("spns", NOT_TOLD)
    repeated = history.repeated
    if repeated is None or not is_last:
        return NOT_TOLD
    if change.object.startswith("host "):
        return _of_host(repeated.hosts.get(change.object.removeprefix("host ")), change.name)
    return _of_object(repeated.account if change.object == "account" else repeated.dmsa, change)


_SPNS = "servicePrincipalName"


def _of_host(host: HostBefore | None, name: str) -> Any:
    if host is None:
        return NOT_TOLD
    if name == ENABLED:
        return host.value
    return ("exists" if host.key_exists else None) if name == KERBEROS_KEY else NOT_TOLD


def _of_object(facts: Mapping[str, Any] | None, change: Change) -> Any:
    if change.object not in {"account", "dmsa"}:
        return NOT_TOLD
    if change.name == "object":
        return facts.get("dn") if facts is not None else None
    if change.object == "account" and change.name == DESCRIPTOR and facts is not None:
        added = [one for one in change.after or () if str(one).startswith("nobody may delete it")]
        return change.after if added and facts.get(_PROTECTED) else NOT_TOLD
    name = _FACTS.get(change.name, change.name)
    return (facts or {}).get(name) if name in _KEPT else NOT_TOLD


def restarted(sent: Sent, one: Restart, history: History) -> Any:
    """Return in which state a workload was read after its restart (True of a computer), or :data:`NOT_TOLD`."""
    ended = history.ended.get((sent.step, sent.subject))
    if ended is None:
        return NOT_TOLD
    if one.kind == "computer":
        return ended.rebooted or "not rebooted"
    states = {(seen.kind, seen.name.lower()): seen.state for seen in ended.workloads or ()}
    return states.get((one.kind, one.name.lower()), NOT_TOLD)
