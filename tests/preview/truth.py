"""What a run really changes, seen from behind: every object on the first domain controller, and every machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestrator.lab.estate.estate import Estate
from orchestrator.preview import Change, Sent
from orchestrator.rehearsal.facts_shown import is_assigned, machine_facts, shown_change

Values = Mapping[tuple[str, str], Any]


def net(sends: Iterable[Sent]) -> dict[tuple[str, str, str], tuple[Any, Any]]:
    """Return what is left of predicted changes in the end: each value before the first and after the last."""
    found: dict[tuple[str, str, str], tuple[Any, Any]] = {}
    for sent in sends:
        for change in sent.changes:
            owner = sent.migration if change.object in {"account", "dmsa"} else ""
            key = (owner, change.object, change.name)
            found[key] = _joined(found.get(key), change)
    return {key: (was, now) for key, (was, now) in found.items() if _set(was) != _set(now)}


def _joined(known: tuple[Any, Any] | None, change: Change) -> tuple[Any, Any]:
    """Entries of a descriptor, and principals, come and go one by one; every other value is whole."""
    if known is None:
        return change.before, change.after
    if change.name not in {"nTSecurityDescriptor", "msDS-GroupMSAMembership"}:
        return known[0], change.after
    came = [one for one in known[1] or () if one not in (change.before or ())]
    gone = [one for one in known[0] or () if one not in (change.after or ())]
    gone += [one for one in change.before or () if one not in (known[1] or ())]
    came += [one for one in change.after or () if one not in (known[0] or ())]
    return gone or None, came or None


def _set(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


class Truth:
    """An estate before, to be compared with the same after."""

    def __init__(self, estate: Estate, accounts: Mapping[str, str]) -> None:
        self._estate = estate
        self._replica = next(iter(estate.directory.replicas.values()))
        found = {id_: self._replica.at_dn(dn) for id_, dn in accounts.items()}
        self._accounts = {entry.guid: id_ for id_, entry in found.items() if entry is not None}
        self._dmsas = {f"{id_}$".lower(): id_ for id_ in accounts}
        self._cells = {guid: dict(entry.cells) for guid, entry in self._replica.entries.items()}
        self._machines = {name: machine_facts(machine) for name, machine in estate.machines.items()}

    def net(self) -> dict[tuple[str, str, str], tuple[Any, Any]]:
        """Return what differs now."""
        return {key: (was, now) for key, was, now in self._differences()}

    def _differences(self) -> Iterator[tuple[tuple[str, str, str], Any, Any]]:
        for guid, entry in self._replica.entries.items():
            before, new = self._cells.get(guid, {}), guid not in self._cells
            dmsa, account = self._dmsas.get(entry.sam.lower()), self._accounts.get(guid)
            object_ = "dmsa" if dmsa else "account" if account else f"container {self._replica.dn(entry)}"
            if new:
                yield (dmsa or "", object_, "object"), None, self._replica.dn(entry)
            for folded, cell in entry.cells.items():
                was = before[folded].value if folded in before else None
                if new and is_assigned(cell.name):
                    continue
                change = shown_change(self._replica, object_, cell.name, was, cell.value)
                if change is not None and change.before != change.after:
                    yield (dmsa or account or "", object_, cell.name), change.before, change.after
        for name, was in self._machines.items():
            machine = self._estate.machines[name]
            now = machine_facts(machine)
            for fact, value in now.items():
                if was.get(fact) != value:
                    yield ("", f"host {machine.name}", fact), was.get(fact), value
