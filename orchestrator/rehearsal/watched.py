"""What each write changes, seen from the far side: both directory objects, hosts, and what restarts with what.

The simulated directory tells of each originating write, a machine is looked at before and after each pipeline; whose a
write is, its intent in the journal says. Nothing here knows what a step is meant to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from orchestrator.lab.command import Command, Request, Result
from orchestrator.lab.estate.machine import Machine
from orchestrator.lab.estate.replica import Change as Written
from orchestrator.lab.estate.replica import Entry, Replica
from orchestrator.model.event import AttemptStarted, Event, Moved
from orchestrator.model.lifecycle import Intention, Trigger, Way, next_step
from orchestrator.preview import Change, Restart, Sent
from orchestrator.rehearsal.facts_shown import is_assigned, machine_facts, shown_change
from orchestrator.rehearsal.world import WitnessedEstate


@dataclass
class _Arriving:
    """A write that takes effect just now."""

    request: Request
    intent: AttemptStarted
    machine: Machine
    pids: Mapping[str, int]
    changes: list[Change] = field(default_factory=list)


class Watched:
    """Watches an estate, and is told what the journal is told; ``sends`` is what it saw, in its order.

    Args:
        estate: the estate.
        accounts: the DN of each migration's account, by the migration's id.
    """

    def __init__(self, estate: WitnessedEstate, accounts: Mapping[str, str]) -> None:
        self.sends: list[Sent] = []
        self._estate = estate
        first: Replica = next(iter(estate.directory.replicas.values()))
        found = {id_: first.at_dn(dn) for id_, dn in accounts.items()}
        self._accounts = {entry.guid: id_ for id_, entry in found.items() if entry is not None}
        self._dmsas = {f"{id_}$".lower(): id_ for id_ in accounts}
        self._intents: dict[UUID, AttemptStarted] = {}
        self._steps: dict[str, Trigger] = dict.fromkeys(accounts, Trigger.PREPARE)
        self._facts = {name: machine_facts(machine) for name, machine in estate.machines.items()}
        self._last_at: dict[str, AttemptStarted] = {}
        """Whose write a machine was sent last."""
        self._now: _Arriving | None = None
        self._aside: list[Sent] = []
        """What happens by itself while a write to a host takes effect; told after it."""
        estate.directory.wrote = self._wrote
        estate.begins = self._begins
        inner = estate.performed

        def performed(request: Request, result: Result) -> None:
            self._performed(request)
            inner(request, result)

        estate.performed = performed

    def told(self, events: Iterable[Event]) -> None:
        """Take in what reached the journal."""
        for event in events:
            if isinstance(event, AttemptStarted):
                self._intents[event.pipeline] = event
                self._steps[event.migration] = event.step
            elif isinstance(event, Moved):
                step = next_step(event.dest, Intention.FORWARD, None, Way.UNDO)
                self._steps[event.migration] = step or event.trigger

    def look_around(self) -> None:
        """Look at every machine that was written to: what has become of it since belongs to that write."""
        for name, intent in self._last_at.items():
            self._by_itself(self._estate.machines[name], intent)

    # What the far side shows.

    def _begins(self, request: Request) -> None:
        intent = self._intents.get(request.pipeline)
        if intent is None or not self._estate.writes(request):
            return
        machine = self._estate.machine(request.host)
        self._by_itself(machine, self._last_at.get(machine.name.lower(), intent))
        self._last_at[machine.name.lower()] = intent
        pids = {name: one.pid for name, one in machine.services.items()}
        self._now = _Arriving(request, intent, machine, pids)

    def _performed(self, request: Request) -> None:
        now, self._now = self._now, None
        if now is None or now.request is not request:
            return
        commands = [command for statement in request.statements for command in statement]
        changes = (*now.changes, *self._differences(now.machine))
        restarts = tuple(_restarts(now, commands))
        intent = now.intent
        parameters = dict(intent.parameters)
        sent = Sent(intent.migration, intent.step, intent.subject, intent.cmdlet, parameters, changes, restarts)
        self.sends += [sent, *self._aside]
        self._aside.clear()

    def _by_itself(self, machine: Machine, intent: AttemptStarted) -> None:
        """Note what has become of a machine since it was looked at last: a reboot that was asked for, mostly."""
        changes = tuple(self._differences(machine))
        if changes:
            self.sends.append(Sent(intent.migration, intent.step, intent.subject, "", {}, changes))

    def _differences(self, machine: Machine) -> list[Change]:
        name = machine.name.lower()
        was, now = self._facts[name], machine_facts(machine)
        self._facts[name] = now
        where = f"host {machine.name}"
        return [Change(where, fact, was.get(fact), now[fact]) for fact in now if was.get(fact) != now[fact]]

    def _wrote(self, dc: str, written: tuple[tuple[Written, object], ...]) -> None:
        replica = self._estate.directory.replicas[dc]
        entry = replica.entries[written[0][0].guid]
        now = self._now if self._now is not None and self._now.machine.dc is not None else None
        object_, id_ = self._whose(replica, entry, now)
        if id_ is None:
            return
        changes = list(_changes(replica, entry, object_, written))
        if now is not None:
            now.changes += changes
        elif changes:
            told = self.sends if self._now is None else self._aside
            told.append(Sent(id_, self._steps[id_], "directory", "", {}, tuple(changes)))

    def _whose(self, replica: Replica, entry: Entry, now: _Arriving | None) -> tuple[str, str | None]:
        """Return what a migration calls an object, and which migration; none of what others do elsewhere."""
        if entry.sam.lower() in self._dmsas:
            return "dmsa", self._dmsas[entry.sam.lower()]
        if entry.guid in self._accounts:
            return "account", self._accounts[entry.guid]
        return f"container {replica.dn(entry)}", now.intent.migration if now else None


def _changes(
    replica: Replica, entry: Entry, object_: str, written: tuple[tuple[Written, object], ...]
) -> Iterator[Change]:
    made = any(change.name == "rdn" and change.stamp.version == 1 for change, _ in written)
    if made:
        yield Change(object_, "object", None, replica.dn(entry))
    for change, before in written:
        if made and is_assigned(change.name):
            continue
        shown = shown_change(replica, object_, change.name, before, change.value)
        if shown is not None and (shown.before, shown.after) != (None, None):
            yield shown


def _restarts(now: _Arriving, commands: Iterable[Command]) -> Iterator[Restart]:
    host = now.machine.name
    for command in commands:
        name = _named(command.parameters)
        match command.name:
            case "Restart-Service" | "Start-Service":
                again = [one for key, one in now.machine.services.items() if one.pid != now.pids[key] and one.running]
                along = tuple(sorted(one.spec.name for one in again if one.spec.name.lower() != name.lower()))
                yield Restart(host, "service", name, along)
            case "Restart-WebAppPool":
                yield Restart(host, "app-pool", name)
            case "Start-ScheduledTask":
                yield Restart(host, "task", f"{command.parameters['TaskPath']}{name}")
            case "Restart-Computer":
                running = (now.machine.services[key].spec.name for key, pid in now.pids.items() if pid)
                yield Restart(host, "computer", host, tuple(sorted(running)))
            case _:
                pass


def _named(parameters: Mapping[str, Any]) -> str:
    name = parameters.get("Name") or parameters.get("TaskName") or ""
    return str(name[0] if isinstance(name, list | tuple) and name else name)
