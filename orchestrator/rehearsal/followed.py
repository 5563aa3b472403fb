"""Which migrations a change at the far side is about: by the objects that were written, and the switches."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.estate.replica import Entry
from orchestrator.model.plan import Plan

_GROUP = "group"


class Followed:
    """Hears of each change of an estate, on every copy of its directory and on every machine."""

    def __init__(self, estate: Estate, plan: Plan, accounts: Mapping[str, UUID | None]) -> None:
        self._replicas = tuple(estate.directory.replicas.values())
        self._ids = frozenset(accounts)
        self._accounts = {guid: id_ for id_, guid in accounts.items() if guid is not None}
        self._named: dict[str, set[str]] = {f"{id_}$".lower(): {id_} for id_ in accounts}
        self._at_host: dict[str, set[str]] = {}
        for migration in plan.migrations():
            for host in migration.hosts:
                name = host.name.lower()
                self._at_host.setdefault(name, set()).add(migration.id)
                self._named.setdefault(f"{name.partition('.')[0]}$", set()).add(migration.id)
        self._switched: set[str] = set()
        for replica in self._replicas:
            replica.recent = set()
        for machine in estate.machines.values():
            machine.switched = self._switched
        self._first = True

    def take(self) -> frozenset[str]:
        """Return the migrations that something changed about since this was asked last; at first all of them."""
        if self._first:
            self._first = False
            self._forget()
            return self._ids
        if not self._switched and not any(replica.recent for replica in self._replicas):
            return frozenset()
        found: set[str] = set()
        for name in self._switched:
            found |= self._at_host.get(name, set())
        for replica in self._replicas:
            for guid in replica.recent or ():
                found |= self._about(replica.entries[guid])
        self._forget()
        return frozenset(found)

    def _about(self, entry: Entry) -> frozenset[str] | set[str]:
        account = self._accounts.get(entry.guid)
        if account is not None:
            return {account}
        # Whose principals a group is among, and which computers are in it, is not followed.
        return self._ids if entry.kind == _GROUP else self._named.get(entry.sam.lower(), set())

    def _forget(self) -> None:
        self._switched.clear()
        for replica in self._replicas:
            if replica.recent:
                replica.recent.clear()
