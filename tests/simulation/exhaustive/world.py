"""The small world: two migrations, two hosts, two domain controllers, one journal, and the process that drives it.

A world is a value: :meth:`World.fork` gives another that goes its own way. Its methods are what may happen to it.
"""

from __future__ import annotations

from collections.abc import Collection
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
from tests.simulation.exhaustive.laws import OPERATOR, Law, must
from tests.simulation.exhaustive.process import HeldPool, Line, Waiting, Watch, begun, forked, forked_journal, named

DCS = ("dc01.corp.example", "dc02.corp.example")
HOSTS = ("app01.corp.example", "app02.corp.example")
IDS = ("dmsa-a", "dmsa-b")

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
    at_once: int = 1
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
    dead: bool = False
    """The process is gone, and no other has come yet."""

    @classmethod
    def first(cls, size: Size) -> World:
        """Return the world before anything happened; its process has taken over, and not looked yet."""
        plan = plan_of(size)
        estate = SmallEstate(load_spec(ESTATE))
        journal = MemoryJournal(_never)
        lease = journal.acquire("first")
        line, watch = Line(), Watch(estate.clock)
        job = Assignment(
            plan=plan, digest=digest(plan), canonical=canonical(plan), by="tester", chosen=size.ids, host="here", pid=1
        )
        process = begun(job, journal, lease, line, watch, RunState(plan.name))
        law = Law(plan, estate)
        law.invariants.leased(lease.epoch)
        return cls(size, estate, journal, line, process, law, faults=size.faults, words=size.words)

    def fork(self) -> World:
        """Return another world in the same state."""
        estate, journal, line = self.estate.fork(), forked_journal(self.journal), self.line.fork()
        process = forked(self.process, journal, line, Watch(estate.clock))
        law = self.law.fork(estate)
        return replace(self, estate=estate, journal=journal, line=line, process=process, law=law)

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

    def execute(self, call: Read | Write, ticket: Ticket, again: bool = False) -> Reply:
        """Let a call take effect, and return what it would say; *again*: the far side runs it a second time."""
        request = _TRANSLATOR._request(call, ticket)
        result = self.estate.execute(request)
        if isinstance(call, Write):
            self.law.arrived(request, result, again)
        return _TRANSLATOR._reply(result, request)

    def land(self, one: Waiting, times: int = 1) -> None:
        """Let a write take effect (so many times) and its last answer come back; or a shell be deleted."""
        self.pool.end(one, self._take_place(one, times))

    def lose_request(self, one: Waiting) -> None:
        """Let a call be lost, and nobody know; a write may be late only."""
        if isinstance(one.call, Write):
            self._let_stray(one, one.call)
        self._leave_unanswered(one)

    def lose_reply(self, one: Waiting) -> None:
        """Let a call take effect, or a shell be deleted, and nobody know."""
        self._take_place(one)
        self._leave_unanswered(one)

    def _leave_unanswered(self, one: Waiting) -> None:
        self.pool.end(one, one.call is not None and _refused(_LOST, one.ticket.endpoint))

    def _let_stray(self, one: Waiting, write: Write) -> None:
        """A write takes effect at any time until its shell is deleted, or never."""
        self.late = (*self.late, Late(one.flight.key, write, one.ticket))

    def _take_place(self, one: Waiting, times: int = 1) -> Reply | bool:
        if one.call is None:
            self.end_shells({one.ticket.shell})
            return True
        reply = Reply(Outcome.FAILED, fault=one.leave() if one.leave is not None else None)
        for again in range(times if reply.fault is None else 0):
            reply = self.execute(one.call, one.ticket, again > 0)
        return reply

    def take_effect(self, late: Late) -> None:
        """Let a write that nobody waits for take effect now."""
        self.late = tuple(other for other in self.late if other is not late)
        self.execute(late.call, late.ticket)

    def end_shells(self, shells: Collection[UUID]) -> None:
        """Let nothing that runs in these shells take effect any more."""
        self.late = tuple(late for late in self.late if late.ticket.shell not in shells)
        for shell in shells:
            self.law.invariants.shell_gone(shell)

    def deliver(self, source: str, target: str) -> None:
        """Let the oldest change that waits arrive at the other domain controller."""
        self.estate.directory.deliver(source, target)
        self.law.look(self.state)

    def replicate(self) -> bool:
        """Let everything that waits arrive; say whether anything did."""
        directory = self.estate.directory
        waiting = [way for way, units in directory.outbox.items() for _ in units]
        for source, target in waiting:
            directory.deliver(source, target)
        self.law.look(self.state)
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
        self.law.invariants.moment()
        self.process._deck.collect(0.0)
        must(self.process._hear(), "goes-on", "the process", "it would stop, and nobody told it to")
        progressed = self.process._turn()
        self.check()
        return progressed

    def check(self) -> None:
        """Hold the law against what was written since."""
        self.law.read(self.journal, self.state)
        self.law.remembered(self.state, self.late)

    def die(self) -> None:
        """Let the process die, and what it has in the air be lost, or late."""
        for one in self.pool.waiting:
            if isinstance(one.call, Write):
                self._let_stray(one, one.call)
        self.pool.close(0.0)
        self.journal.close()
        self.dead = True

    def take_over(self, deaf: Collection[str] = ()) -> None:
        """Let another process take over, to which these hosts say nothing when it deletes what was left open."""
        lease: Lease = self.journal.acquire("next")
        self.law.invariants.leased(lease.epoch)
        self.line = Line(self.line.number)
        watch, state = Watch(self.estate.clock), self.law.replayed.copied()
        self.process = begun(self.process._job, self.journal, lease, self.line, watch, state, deaf)
        self.end_shells(self.pool.swept)
        self.dead = False
        self.check()

    def due(self) -> datetime | None:
        """When the process looks again by itself."""
        return self.process._agenda.next_due()

    def pass_time(self, due: datetime) -> None:
        """Let time pass until then."""
        self.estate.pass_time(due - self.now)
        self.law.look(self.state)

    def say(self, event: Event) -> None:
        """Let an operator's word reach the journal."""
        entry = Entry(self.state.run, self.law.replayed.last_at, event.kind, VERSION, to_body(event))
        self.journal.append([entry], expected=self.journal.head(), lease=None)


def _never() -> datetime:
    return datetime(2026, 3, 2, tzinfo=UTC)


_LOST = WeatherFault("lost-reply")


def _no_ids() -> UUID:
    raise AssertionError("what only translates opens no shell")


_TRANSLATOR = MemoryTransport(None, OPERATOR, ids=_no_ids)  # type: ignore[arg-type]  # it only translates
