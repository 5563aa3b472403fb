"""The small world: two migrations, two hosts, two domain controllers, one journal, and the process that drives it.

A world is a value: :meth:`World.fork` gives another that goes its own way. Its methods are what may happen to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from orchestrator.conductor import Assignment, Conductor
from orchestrator.journal import Lease
from orchestrator.journal.memory import MemoryJournal
from orchestrator.journal.protocol import Entry
from orchestrator.lab.estate.spec import load_spec
from orchestrator.lab.estate.weather import WeatherFault
from orchestrator.lab.memory import MemoryTransport, _refused
from orchestrator.model.call import Read, Ticket, Write
from orchestrator.model.event import VERSION, Event, to_body
from orchestrator.model.observation import Outcome, Reply
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.planfile import canonical, digest
from tests.simulation.exhaustive.far_side import SmallEstate
from tests.simulation.exhaustive.laws import Law, Witness
from tests.simulation.exhaustive.process import (
    HeldPool,
    Line,
    Waiting,
    Watch,
    begun,
    forked,
    forked_journal,
    forked_state,
    named,
)

DCS = ("dc01.corp.example", "dc02.corp.example")
HOSTS = ("app01.corp.example", "app02.corp.example")
IDS = ("dmsa-a", "dmsa-b")
OPERATOR = "CORP\\operator"

ESTATE = """
name: small
seed: 1
domain: {dns: corp.example, netbios: CORP}
clock: {start: 2026-03-02T18:00:00Z}
operator: {name: operator}
dcs:
  - {name: dc01.corp.example, site: One}
  - {name: dc02.corp.example, site: Two}
ous: ["OU=Service Accounts,DC=corp,DC=example", "OU=Managed,DC=corp,DC=example"]
users:
  - {dn: "CN=svc-a,OU=Service Accounts,DC=corp,DC=example", protected: true, spns: [HTTP/a.corp.example]}
  - {dn: "CN=svc-b,OU=Service Accounts,DC=corp,DC=example", protected: true}
hosts:
  - name: app01.corp.example
    site: One
    kerberos: absent
    services: [{name: A1, log_on: 'CORP\\svc-a'}, {name: B1, log_on: 'CORP\\svc-b'}]
  - name: app02.corp.example
    site: Two
    kerberos: 0
    services: [{name: A2, log_on: 'CORP\\svc-a'}, {name: B2, log_on: 'CORP\\svc-b'}]
"""
"""Each host is in another domain controller's site, and one had the switch off where the other had none."""

TICK = timedelta(seconds=30)
"""Every wait of the small world is a whole number of these: what is due falls together, and histories meet."""


@dataclass(frozen=True)
class Size:
    """How small the world is, and how much may go wrong in one history."""

    faults: int = 0
    words: int = 0
    at_once: int = 2
    ids: tuple[str, ...] = IDS
    hosts: tuple[str, ...] = HOSTS
    looks: int = 1
    """How often replication and registration are looked at before a person is asked."""
    reads_lost: bool = True

    @property
    def policy(self) -> dict[str, Any]:
        """Every wait is a few looks long, so that a history is short; polls during the hold never come."""
        tick, patience = f"{TICK.seconds}s", f"{TICK.seconds * self.looks}s"
        return {
            **dict.fromkeys(("dwell", "flat_for", "settle"), tick),
            **dict.fromkeys(("converge_within", "register_within"), patience),
            "ledger_every": "1000d",
            "retry": {"attempts": 2, "first_wait": tick, "longest_wait": tick},
        }


@cache
def plan_of(size: Size) -> Plan:
    """Return the plan."""
    waiver = {"guard": "dwell-minimum", "reason": "a small world", "approved_by": ["ann"]}
    migrations = [
        {
            "account": f"CN=svc-{id_[-1]},OU=Service Accounts,DC=corp,DC=example",
            "dmsa": {"name": id_, "dns_host_name": f"{id_}.corp.example", "path": "OU=Managed,DC=corp,DC=example"},
            "hosts": [{"name": host, "services": [f"{id_[-1].upper()}{host[4]}"]} for host in size.hosts],
            "waivers": [waiver],
        }
        for id_ in size.ids
    ]
    directory = {"endpoint": DCS[0], "server": DCS[0], "converge_on": DCS}
    return Plan.model_validate(
        {
            "version": 1,
            "name": "small",
            "estate": {"lab": "small.yaml", "domain": "corp.example", "directory": directory},
            "policy": size.policy,
            "waves": [{"name": "only", "at_once": size.at_once, "failures": {"allow": 2}, "migrations": migrations}],
        }
    )


@dataclass(frozen=True)
class Late:
    """A write that was not answered: it may take effect at any time until its shell is deleted, or never."""

    key: tuple[str, str]
    call: Write
    ticket: Ticket

    def __str__(self) -> str:
        """Return the write in a few words."""
        return f"{self.key[0]}/{self.key[1].partition('.')[0]}: {named(self.call)}"


@dataclass
class World:
    """Everything that there is, at one moment."""

    size: Size
    estate: SmallEstate
    journal: MemoryJournal
    line: Line
    process: Conductor
    law: Law
    late: tuple[Late, ...] = ()
    faults: int = 0
    words: int = 0

    @classmethod
    def first(cls, size: Size) -> World:
        """Return the world before anything happened; its process has not looked yet."""
        plan = plan_of(size)
        estate = SmallEstate(load_spec(ESTATE))
        journal = MemoryJournal(_never)
        lease = journal.acquire("first")
        line = Line()
        watch = Watch(estate.clock)
        job = Assignment(plan=plan, digest=digest(plan), canonical=canonical(plan), by="tester", chosen=size.ids)
        process = begun(job, journal, lease, line, watch, RunState(plan.name), sweeps=True)
        law = Law.first(plan, estate)
        return cls(size, estate, journal, line, process, law, faults=size.faults, words=size.words)

    def fork(self) -> World:
        """Return another world in the same state."""
        other = replace(self)
        other.estate = self.estate.fork()
        other.journal = forked_journal(self.journal)
        other.line = self.line.fork()
        other.process = forked(self.process, other.journal, other.line, Watch(other.estate.clock))
        other.law = self.law.fork()
        return other

    @property
    def pool(self) -> HeldPool:
        """The process's calls."""
        pool: HeldPool = self.process._flights._pool  # type: ignore[assignment]
        return pool

    @property
    def state(self) -> RunState:
        """Where the process believes everything stands."""
        return self.process.state

    @property
    def now(self) -> datetime:
        """Estate time."""
        return self.estate.clock.now

    # What the far side does.

    def execute(self, call: Read | Write, ticket: Ticket) -> Reply:
        """Let a call take effect, and return what it would say."""
        request = _TRANSLATOR._request(call, ticket)
        if isinstance(call, Read):
            return _TRANSLATOR._reply(self.estate.execute(request), request)
        before = self.law.before(self.estate)
        reply = _TRANSLATOR._reply(self.estate.execute(request), request)
        self.law.after_write(self.estate, self.state, before)
        return reply

    def land(self, one: Waiting, times: int = 1) -> None:
        """Let a write arrive (so many times) and its last answer come back; or a shell be deleted."""
        if one.call is None:
            self.late = tuple(late for late in self.late if late.ticket.shell != one.ticket.shell)
            self.pool.end(one, True)
            return
        for _ in range(times):
            refused = one.leave() if one.leave is not None else None
            reply = self.execute(one.call, one.ticket) if refused is None else Reply(Outcome.FAILED, fault=refused)
        self.pool.end(one, reply)

    def unanswered(self, one: Waiting) -> None:
        """Let a call stay without an answer; a write may take effect later."""
        if one.call is None:
            self.pool.end(one, False)
            return
        if isinstance(one.call, Write):
            self.late = (*self.late, Late(one.flight.key, one.call, one.ticket))
        self.pool.end(one, _refused(WeatherFault("lost-reply"), one.ticket.endpoint))

    def take_effect(self, late: Late) -> None:
        """Let a write that nobody waits for take effect now."""
        self.late = tuple(other for other in self.late if other is not late)
        self.execute(late.call, late.ticket)

    def deliver(self, source: str, target: str) -> None:
        """Let the oldest change that waits arrive at the other domain controller."""
        self.estate.directory.deliver(source, target)
        self.law.look(self.estate, self.state)

    def replicate(self) -> bool:
        """Let everything that waits arrive; say whether anything did."""
        directory = self.estate.directory
        waiting = [way for way, units in directory.outbox.items() for _ in units]
        for source, target in waiting:
            directory.deliver(source, target)
        self.law.look(self.estate, self.state)
        return bool(waiting)

    # What the process does.

    def reading(self) -> tuple[str, ...]:
        """The migrations that look at something."""
        return tuple(dict.fromkeys(one.migration for one in self.pool.waiting if isinstance(one.call, Read)))

    def look(self, id_: str) -> None:
        """Let everything that one migration looks at come back."""
        for one in self.pool.waiting:
            if isinstance(one.call, Read) and one.migration == id_:
                self.pool.end(one, self.execute(one.call, one.ticket))

    def turn(self) -> bool:
        """Let the process take one turn of its loop; say whether it goes on without waiting."""
        self.process._deck.collect(0.0)
        self.process._hear()
        progressed = self.process._turn()
        self.check()
        return progressed

    def check(self) -> None:
        """Hold the law against what was written since."""
        self.law.read(self.journal, self.process.state, self.estate)
        self.law.fenced(self.process.state, self.late)
        if not self.process._deck._landed:
            self.process.state.touched.clear()
            self.process._agenda._read = 0

    def crash(self, sweeps: bool) -> None:
        """Let the process die and another take over. What was in the air is unanswered.

        *sweeps*: the hosts acknowledge to the next one that the shells of the first are deleted, or none of them does.
        """
        for one in self.pool.waiting:
            if isinstance(one.call, Write):
                self.late = (*self.late, Late(one.flight.key, one.call, one.ticket))
        self.journal.close()
        lease: Lease = self.journal.acquire("next")
        watch = Watch(self.estate.clock)
        state = forked_state(self.law.replayed)
        self.line = Line(self.line.number)
        self.process = begun(self.process._job, self.journal, lease, self.line, watch, state, sweeps)
        self.late = tuple(late for late in self.late if late.ticket.shell not in self.pool.swept)
        self.check()

    def due(self) -> datetime | None:
        """When the process looks again by itself."""
        return self.process._agenda.next_due()

    def pass_time(self, due: datetime) -> None:
        """Let time pass until then."""
        self.estate.pass_time(due - self.now)
        self.law.look(self.estate, self.state)

    def say(self, event: Event) -> None:
        """Let an operator's word reach the journal."""
        entry = Entry(self.state.run, self.law.replayed.last_at, event.kind, VERSION, to_body(event))
        self.journal.append([entry], expected=self.journal.head(), lease=None)

    def stood(self) -> Iterator[Witness]:
        """Where each migration stands on the far side."""
        return iter(self.law.witnesses.values())


def _never() -> datetime:
    return datetime(2026, 3, 2, tzinfo=UTC)


def _no_ids() -> UUID:
    raise NotImplementedError


_TRANSLATOR = MemoryTransport(None, OPERATOR, ids=_no_ids)  # type: ignore[arg-type]  # it only translates
Happening = tuple[str, Callable[[World], None]]
__all__ = ["Any", "Happening", "Late", "Size", "World"]
