"""The far side of the small world: the product's estate, which can be forked, and on which nothing happens by itself.

Directory, log-ons, cmdlets and hosts are the product's own code. What is another here is when things happen: what the
estate's queue would do at its own time (a change arrives at the other domain controller, tickets are renewed) is kept
as data, and the search says when. A call takes no time; but on a host's own clock each restart comes a microsecond
after everything before it, so that a process is younger than the baseline that was read before it, and older than
one that is read after.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import timedelta
from uuid import UUID

from orchestrator.lab.command import Request, Result
from orchestrator.lab.estate import identity
from orchestrator.lab.estate.clock import Clock
from orchestrator.lab.estate.directory import Directory
from orchestrator.lab.estate.estate import Estate
from orchestrator.lab.estate.logon import Authority
from orchestrator.lab.estate.machine import Machine
from orchestrator.lab.estate.replica import Change, Entry, Replica
from orchestrator.lab.estate.spec import EstateSpec
from orchestrator.lab.estate.workloads import Workloads

RENEWED_AFTER = timedelta(seconds=30)
"""A wait of this length is one in which everything renews its tickets."""


class ForkedReplica(Replica):
    """A copy that shares everything with the one it was forked from, until either is written to."""

    _shared = False

    def fork(self) -> ForkedReplica:
        """Return another one with the same content."""
        self._shared = True
        return copy(self)

    def apply(self, change: Change, now: object) -> bool:
        """Take a change over, in a copy of the object that nobody shares."""
        if self._shared:
            self.entries, self._index = dict(self.entries), dict(self._index)
            self._dns, self._shown = dict(self._dns), dict(self._shown)
            self._shared = False
        known = self.entries.get(change.guid)
        if known is not None:
            self.entries[change.guid] = _copied(known)
        return super().apply(change, now)  # type: ignore[arg-type]  # a datetime; the name is the base's

    def _touch_targets(self, value: object) -> None:
        for guid in value if isinstance(value, tuple) else (value,):
            if isinstance(guid, UUID) and guid in self.entries:
                self.entries[guid] = _copied(self.entries[guid])
        super()._touch_targets(value)

    def _forget(self, entry: Entry, folded: str) -> None:
        for key in self._keys(entry, folded):
            bucket = {guid: None for guid in self._index.get(key, ()) if guid != entry.guid}
            self._index.pop(key, None)
            if bucket:
                self._index[key] = bucket

    def _learn(self, entry: Entry, folded: str) -> None:
        for key in self._keys(entry, folded):
            self._index[key] = {**self._index.get(key, {}), entry.guid: None}


def _copied(entry: Entry) -> Entry:
    other = copy(entry)
    other.cells = dict(entry.cells)
    return other


Unit = tuple[Change, ...]
"""What one operation wrote: it arrives at the other domain controller as a whole, as the estate lets it."""


class ForkedDirectory(Directory):
    """All copies; what one has written waits for the search to let it arrive at the other."""

    outbox: dict[tuple[str, str], tuple[Unit, ...]]
    replicas: dict[str, ForkedReplica]  # type: ignore[assignment]  # the base's, made forkable
    formed: object = None
    """What the canonical form makes of all this; nothing once anything is written."""
    _written: frozenset[tuple[str, str]] = frozenset()
    """The ways on which the present operation has already sent something."""

    def fork(self, clock: Clock) -> ForkedDirectory:
        """Return another one with the same content, at another clock."""
        other = copy(self)
        other._clock = clock
        other.replicas = {name: replica.fork() for name, replica in self.replicas.items()}
        other.outbox = dict(self.outbox)
        return other

    def create(self, dc: str, parent: Entry, rdn: str, values: Mapping[str, object]) -> UUID:
        """Create an object; which comes first does not show in its GUID or SID, so that histories can meet."""
        guid = identity.guid(self.spec.seed, "created", rdn)
        named = {**values, "objectSid": f"{self.sid}-{5000 + guid.int % 1_000_000}"}
        self.write(dc, guid, {"rdn": rdn, "parent": parent.guid, **named})
        return guid

    def write(self, dc: str, guid: UUID, values: Mapping[str, object]) -> None:
        """Change attributes on one domain controller."""
        self.formed = None
        super().write(dc, guid, values)

    def begin_operation(self) -> None:
        """What is written from here on arrives together."""
        self._written = frozenset()

    def _send(self, source: str, target: str, changes: tuple[Change, ...]) -> None:
        waiting = self.outbox[source, target]
        if (source, target) in self._written:
            waiting, changes = waiting[:-1], (*waiting[-1], *changes)
        self.outbox[source, target] = (*waiting, changes)
        self._written |= {(source, target)}

    def deliver(self, source: str, target: str) -> None:
        """Let the oldest of what waits arrive."""
        self.formed = None
        unit, *rest = self.outbox[source, target]
        self.outbox[source, target] = tuple(rest)
        for change in unit:
            self.replicas[target].apply(change, self._clock.now)


class QuietAuthority(Authority):
    """Log-ons that leave no further row in a Security log: none here is by a stranger, and it would grow for ever."""

    def _security_event(self, *_row: object) -> None:
        """Keep nothing."""


class SmallEstate(Estate):
    """An estate on which nothing happens by itself."""

    directory: ForkedDirectory
    ticks: dict[str, int]
    """How often something was restarted on each host."""

    def __init__(self, spec: EstateSpec) -> None:
        super().__init__(spec)
        directory: Directory = self.directory
        directory.__class__ = ForkedDirectory
        for replica in directory.replicas.values():
            replica.__class__ = ForkedReplica
        names = tuple(self.directory.replicas)
        self.directory.outbox = {(one, other): () for one in names for other in names if one != other}
        self.clock = self.directory._clock = Clock(self.clock.now)
        self.ticks = dict.fromkeys(self.machines, 0)
        self._wire()

    def _wire(self) -> None:
        """Let log-ons and workloads belong to this estate."""
        controllers = {name: machine for name, machine in self.machines.items() if machine.dc is not None}
        logs = self.authority.security
        self.authority = QuietAuthority(self.directory, self.clock, controllers, self.reachable)
        self.authority.security = logs
        self.workloads = Workloads(self.authority, self.clock, self.reachable)

    def fork(self) -> SmallEstate:
        """Return another estate in the same state."""
        other = copy(self)
        other.clock = Clock(self.clock.now)
        other.directory = self.directory.fork(other.clock)
        other.machines = {name: _forked(machine) for name, machine in self.machines.items()}
        other.ticks = dict(self.ticks)
        other._wire()
        return other

    def arrive(self, request: Request) -> None:
        """Let no reading of the clock move it."""

    def execute(self, request: Request) -> Result:
        """Run a pipeline at once."""
        name = request.host.lower()
        restarts = any(one.name in _RESTARTS for statement in request.statements for one in statement)
        self.ticks[name] += restarts
        self.directory.begin_operation()
        now = self.clock.now
        self.clock.now = now + timedelta(microseconds=self.ticks[name])
        try:
            return super().execute(request)
        finally:
            self.clock.now = now

    def pass_time(self, delta: timedelta) -> None:
        """Let time pass; in a long wait every process renews its tickets."""
        self.clock.now += delta
        if delta >= RENEWED_AFTER:
            self.directory.begin_operation()
            self._renew_tickets()


_RESTARTS = frozenset({"Restart-Service", "Start-Service"})


def _forked(machine: Machine) -> Machine:
    if machine.dc is not None:
        return machine
    other = copy(machine)
    other.services = {name: copy(service) for name, service in machine.services.items()}
    return other
