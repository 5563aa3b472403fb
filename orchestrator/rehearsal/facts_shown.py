"""What the simulated directory and its machines hold, as a person reads it: names for ids, words for entries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestrator.lab.estate.descriptor import CHILD_PROTECTION, MEMBERSHIP_GUID, PROTECTION, Ace, Descriptor
from orchestrator.lab.estate.machine import Machine
from orchestrator.lab.estate.migration import DELEGATED_BY, MEMBERSHIP
from orchestrator.lab.estate.replica import LINKS, Replica
from orchestrator.model.host import ENABLED, KERBEROS_KEY, KERBEROS_PARENT
from orchestrator.preview import Change

_OF_SIDS = frozenset({MEMBERSHIP.lower(), DELEGATED_BY.lower()})
_ASSIGNED = frozenset({"rdn", "parent", "objectclass", "objectsid", "ntsecuritydescriptor", "primarygroupid"})
"""What the directory gives a new object by itself: its name and its place are said otherwise."""
_DENIED = {PROTECTION: "delete it and what is below", CHILD_PROTECTION: "delete what is in it"}


def shown_change(replica: Replica, object_: str, name: str, before: object, after: object) -> Change | None:
    """Return a change of an attribute in words; None for what only the simulation keeps."""
    if name.startswith("lab"):
        return None
    if isinstance(after, Descriptor):
        was = before.aces if isinstance(before, Descriptor) else ()
        gone = [_entry(replica, ace) for ace in was if ace not in after.aces]
        come = [_entry(replica, ace) for ace in after.aces if ace not in was]
        return Change(object_, name, gone or None, come or None)
    if name == MEMBERSHIP:
        both = set(_items(before)) & set(_items(after))
        gone, come = (
            [_value(replica, name, one) for one in _items(side) if one not in both] for side in (before, after)
        )
        return Change(object_, name, gone or None, come or None)
    return Change(object_, name, _shown(replica, name, before), _shown(replica, name, after))


def is_assigned(name: str) -> bool:
    """Whether the directory gives a new object this attribute by itself."""
    return name.lower() in _ASSIGNED


def _items(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def _shown(replica: Replica, name: str, value: object) -> Any:
    if isinstance(value, tuple):
        shown = sorted(_value(replica, name, item) for item in value)
        return shown[0] if name.lower() in LINKS and len(shown) == 1 else shown
    return value if value is None or isinstance(value, bool | int) else _value(replica, name, value)


def _value(replica: Replica, name: str, value: object) -> str:
    if isinstance(value, UUID):
        entry = replica.entries.get(value)
        return replica.dn(entry) if entry else str(value)
    return _who(replica, str(value), host=name == MEMBERSHIP) if name.lower() in _OF_SIDS else str(value)


def _who(replica: Replica, sid: str, *, host: bool = False) -> str:
    """Return the DN of who has a SID; ``host``: a computer's own name instead, as plans spell it."""
    entry = replica.principal(sid)
    if entry is None:
        return sid
    name = entry.get("dNSHostName") if host and entry.kind == "computer" else None
    return str(name) if name else replica.dn(entry)


def _entry(replica: Replica, ace: Ace) -> str:
    if ace in _DENIED:
        return f"nobody may {_DENIED[ace]}"
    who = _who(replica, ace.sid)
    if ace.kind == "OA" and ace.object_guid == MEMBERSHIP_GUID:
        return f"{who} may write {MEMBERSHIP}"
    if ace.kind == "A" and ace.rights == "LCRPLORC":
        return f"{who} may read it"
    return f"{ace.kind} {ace.rights} {who}"


def machine_facts(machine: Machine) -> dict[str, Any]:
    """Return everything of a machine that a write there may change; None: not there."""
    key = machine.kerberos != "no-key"
    services = sorted(machine.services.values(), key=lambda one: one.spec.name.lower())
    return {
        KERBEROS_PARENT: "exists" if key or machine.kerberos_parent else None,
        KERBEROS_KEY: "exists" if key else None,
        ENABLED: machine.kerberos if isinstance(machine.kerberos, int) else None,
        **{f"service {one.spec.name}": "Running" if one.running else "Stopped" for one in services},
        **{
            f"application pool {one.spec.name}": "Started" if one.started else "Stopped"
            for one in machine.pools.values()
        },
    }
