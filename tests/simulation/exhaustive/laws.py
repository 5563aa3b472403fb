"""What must hold in every state of the small world, held against journal, live state and far side.

The far side is its own witness: what a Complete needs (convergence, switches, membership, dwell) is watched where it
is, and not taken from the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from orchestrator.engine.waves import admissible
from orchestrator.journal.memory import MemoryJournal
from orchestrator.lab.estate import account_control as uac
from orchestrator.lab.estate.migration import MEMBERSHIP, PRECEDED_BY, SPNS, STATE, SUPERSEDED_BY, SUPERSEDED_STATE
from orchestrator.lab.estate.replica import Entry, Replica
from orchestrator.model.event import Admitted, AttemptSettled, AttemptStarted, Event, Held, Moved, from_body
from orchestrator.model.lifecycle import MOVES, Intention, Pair, Phase
from orchestrator.model.plan import Migration, Plan
from orchestrator.model.run import RunState
from tests.simulation.exhaustive.far_side import SmallEstate
from tests.simulation.exhaustive.process import forked_state


class Broken(Exception):
    """An invariant does not hold; ``steps`` is what happened since the last state that was visited."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what, self.steps = what, list[str]()


def must(holds: object, what: str) -> None:
    """Say that something must hold.

    Raises:
        Broken: it does not.
    """
    if not holds:
        raise Broken(what)


class Unanswered(Protocol):
    """A write that may still take effect."""

    @property
    def key(self) -> tuple[str, str]:
        """Its migration and subject."""

    @property
    def ticket(self) -> Any:
        """The ticket it was sent under."""


_STANDS_FOR = (
    dict.fromkeys(Phase, Pair.STARTED)
    | dict.fromkeys((Phase.SWITCHED, Phase.COMPLETED), Pair.COMPLETED)
    | dict.fromkeys((Phase.PREPARED, Phase.UNLINKED, Phase.RESTORED, Phase.ROLLED_BACK), Pair.UNLINKED)
)
"""The pair that each phase stands for."""
_PAIRS = {(0, 0): Pair.UNLINKED, (1, 1): Pair.STARTED, (2, 2): Pair.COMPLETED}
_AGREED = frozenset({Phase.LINKED, Phase.SWITCHED, Phase.REOPENED, Phase.UNLINKED, Phase.ROLLED_BACK})
"""Phases that every domain controller must show."""
_SWITCHED_ON = frozenset({Phase.REGISTERED, Phase.RESTARTED, Phase.SOAKED, Phase.SWITCHED, Phase.COMPLETED})


@dataclass(frozen=True)
class Witness:
    """What the far side remembers of one migration, for the law alone."""

    attempt: int = 1
    starts: int = 0
    completes: int = 0
    ready_since: datetime | None = None
    """Since when both copies show 1/1, every host has its switch and is among the principals."""


@dataclass
class Law:
    """The law, and what it must remember. A new one for every world."""

    plan: Plan
    replayed: RunState
    originals: Mapping[str, Any]
    witnesses: dict[str, Witness] = field(default_factory=dict)
    head: int = 0

    @classmethod
    def first(cls, plan: Plan, estate: SmallEstate) -> Law:
        """Return the law of a world on its first day."""
        law = cls(plan, RunState(plan.name), {}, {one.id: Witness() for one in plan.migrations()})
        law.originals = {one.id: _account(estate, one) for one in plan.migrations()}
        law.originals |= {name: estate.machine(name).kerberos for name in _hosts(plan)}  # type: ignore[operator]
        return law

    def fork(self) -> Law:
        """Return another one, of another world."""
        other = copy(self)
        other.replayed = forked_state(self.replayed)
        other.witnesses = dict(self.witnesses)
        return other

    # Journal and live state.

    def read(self, journal: MemoryJournal, live: RunState, estate: SmallEstate) -> None:
        """Fold what was written since in, as a replay would; every row must be allowed, and both must agree."""
        if journal.head() == self.head:
            return
        for row in journal.read(after=self.head):
            event = from_body(row.kind, row.body)
            self._allowed(event, row.at, estate)
            self.replayed.apply(event, row.at)
        self.head = journal.head()
        self.replayed.touched.clear()
        must(_same(self.replayed, live), "what is replayed is not what is alive")
        # Equal, and from here on the same: the next comparison finds what did not change at a glance.
        self.replayed.migrations, self.replayed.registry = dict(live.migrations), dict(live.registry)

    def _allowed(self, event: Event, at: datetime | None, estate: SmallEstate) -> None:
        match event:
            case AttemptStarted():
                open_ = self.replayed[event.migration].open.get(event.subject)
                must(open_ is None, f"{event.cmdlet} is sent while an earlier write there is not settled: {open_}")
                must(self.replayed[event.migration].held is None, f"{event.cmdlet} is sent although it is held")
            case Moved():
                row = (event.trigger, event.source, event.dest)
                must(any(row == (m.trigger, m.source, m.dest) for m in MOVES), f"{row} is no row of the table")
                must(
                    event.source is self.replayed[event.migration].phase, f"{event.migration} is not at {event.source}"
                )
                must(event.pair in {None, _STANDS_FOR[event.dest]}, f"{row} on {event.pair}")
                self._proved(event, estate)
            case AttemptSettled():
                since = self.replayed[event.migration].open[event.subject].unsettled_since
                settle = self.plan.policy_of(event.migration).settle
                must(at and since and at - since >= settle, f"{event.migration} settles before the settling time")
            case Held():
                must(event.reason and event.detail and event.release, "a hold without a reason")
            case Admitted():
                wave = self.plan.waves[0]
                others = [self.replayed[m.id] for m in wave.migrations if m.id != event.migration]
                must(sum(one.in_flight for one in others) < wave.at_once, "more in flight than at_once")
                must(at is not None, "admitted at no time")

    def _proved(self, event: Moved, estate: SmallEstate) -> None:
        """A phase is proved by what is there at that moment: on the pinned copy, or on every one; at the hosts."""
        one, dest = self.plan.migration(event.migration), event.dest
        agree = dest in _AGREED and not (dest is Phase.ROLLED_BACK and event.source is Phase.PREPARED)
        shown = {_PAIRS.get(_states(replica, one)) for replica in _copies(estate)[: None if agree else 1]}
        must(shown == {_STANDS_FOR[dest]}, f"{one.id} moves to {dest}, and the directory shows {shown}")
        if dest in _SWITCHED_ON:
            off = [host.name for host in one.hosts if estate.machine(host.name).kerberos != 1]
            must(not off, f"{one.id} moves to {dest}, and {off} are not switched on")
        if dest in {Phase.RESTARTED, Phase.COMPLETED}:
            baselines = self.replayed[one.id].baselines
            for host in one.hosts:
                for name in host.services:
                    began = estate.machine(host.name).services[name.lower()].started
                    anew = began is not None and began > baselines[host.name].local_time
                    must(anew, f"{one.id} moves to {dest}, and {name} was not restarted")

    def fenced(self, live: RunState, late: Iterable[Unanswered]) -> None:
        """Nothing may still take effect that nobody remembers."""
        for one in late:
            attempt = live[one.key[0]].open.get(one.key[1])
            known = attempt is not None and attempt.started.shell == one.ticket.shell
            must(known, f"{one} may still take effect, and nobody waits for that any more")
            must(attempt is None or not attempt.shell_ended, f"{one} may still take effect after its shell's end")

    # The far side.

    def before(self, estate: SmallEstate) -> dict[str, tuple[int, int]]:
        """Return both states of every pair."""
        return {one.id: _states(_pinned(estate), one) for one in self.plan.migrations()}

    def after_write(self, estate: SmallEstate, live: RunState, before: Mapping[str, tuple[int, int]]) -> None:
        """Count what took effect, and hold a Complete against what it needs."""
        for one in self.plan.migrations():
            was, now = before[one.id], _states(_pinned(estate), one)
            witness = self.witnesses[one.id]
            if witness.attempt != live[one.id].attempt:
                witness = Witness(live[one.id].attempt, ready_since=witness.ready_since)
            if was != (1, 1) and was != (2, 2) and now == (1, 1):
                witness = replace(witness, starts=witness.starts + 1)
                must(witness.starts == 1, f"{one.id}: two Starts of one attempt took effect")
            elif was == (1, 1) and now == (2, 2):
                self._completed(one, witness, estate.clock.now)
                witness = replace(witness, completes=witness.completes + 1)
                must(witness.completes == 1, f"{one.id}: two Completes of one attempt took effect")
            elif was == (2, 2) and now == (1, 1):
                witness = replace(witness, completes=0)
            self.witnesses[one.id] = witness
        self.look(estate, live)

    def _completed(self, migration: Migration, witness: Witness, now: datetime) -> None:
        dwell: timedelta = self.plan.policy_of(migration.id).dwell
        since = witness.ready_since
        must(since is not None, f"{migration.id}: Complete before convergence, switches and membership")
        must(since and now - since >= dwell, f"{migration.id}: Complete {since and now - since} into the dwell")

    def look(self, estate: SmallEstate, live: RunState) -> None:
        """Watch since when everything is ready; the original must be there, and every switch that somebody needs."""
        for one in self.plan.migrations():
            witness, ready = self.witnesses[one.id], _ready(estate, one)
            if ready != (witness.ready_since is not None):
                self.witnesses[one.id] = replace(witness, ready_since=estate.clock.now if ready else None)
            if live[one.id].phase in _SWITCHED_ON:
                off = [host.name for host in one.hosts if estate.machine(host.name).kerberos != 1]
                must(not off, f"{one.id} is {live[one.id].phase}, and {off} are switched off")
            for replica in estate.directory.replicas.values():
                entry = replica.at_dn(one.account)
                must(entry is not None and not entry.deleted, f"{one.account} is gone")

    # The ends.

    def ended(self, estate: SmallEstate, live: RunState, at: datetime, quiet: bool) -> str:
        """Return how a history ends in which the process has nothing more to do; hold each end against the far side.

        Args:
            estate: the far side.
            live: where everything stands.
            at: estate time.
            quiet: nothing is still on its way.
        """
        answers = admissible(live, self.plan, at)
        return " + ".join(
            sorted(self._end(estate, live, one, answers[one.id], quiet) for one in self.plan.migrations())
        )

    def _end(self, estate: SmallEstate, live: RunState, migration: Migration, answer: Any, quiet: bool) -> str:
        state = live[migration.id]
        if state.held is not None:
            return f"held {state.held.reason}"
        if state.phase is Phase.ROLLED_BACK and state.intention is Intention.BACK:
            self._rolled_back(estate, live, migration, quiet)
            return "rolled back"
        if state.phase is Phase.COMPLETED and state.intention is Intention.FORWARD:
            shown = {_states(replica, migration) for replica in _copies(estate)}
            must(shown == {(2, 2)}, f"{migration.id} is completed, and the directory shows {shown}")
            must(_running(estate, migration), f"{migration.id} is completed, and a service is down")
            return "completed"
        waits = getattr(answer, "waiting_for", None)
        must(waits, f"{migration.id} stands at {state.phase} ({state.intention}) and nothing says why: {answer}")
        return f"waits {waits}"

    def _rolled_back(self, estate: SmallEstate, live: RunState, migration: Migration, quiet: bool) -> None:
        now, was = _account(estate, migration), self.originals[migration.id]
        must(now[0] == was[0] and (now == was or not quiet), f"{migration.id}: the account is not as it was: {now}")
        must(_running(estate, migration), f"{migration.id} is rolled back, and a service is down")
        for host in migration.hosts:
            others = [m.id for m in self.plan.migrations() if m.id != migration.id and live.needs(host.name, m.id)]
            value = estate.machine(host.name).kerberos
            restored = others or not quiet or value == self.originals[host.name]
            must(restored, f"{host.name} has {value!r}, and nobody needs it")


def _same(one: RunState, other: RunState) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _COMPARED)


_COMPARED = tuple(one.name for one in fields(RunState) if one.compare and one.name != "touched")


def _hosts(plan: Plan) -> set[str]:
    return {host.name for migration in plan.migrations() for host in migration.hosts}


def _pair(replica: Replica, migration: Migration) -> tuple[Entry | None, Entry | None]:
    return replica.account(f"{migration.id}$"), replica.at_dn(migration.account)


def _pinned(estate: SmallEstate) -> Replica:
    return next(iter(estate.directory.replicas.values()))


def _copies(estate: SmallEstate) -> list[Replica]:
    return list(estate.directory.replicas.values())


def _states(replica: Replica, migration: Migration) -> tuple[int, int]:
    dmsa, account = _pair(replica, migration)
    return (dmsa.number(STATE) if dmsa else 0, account.number(SUPERSEDED_STATE) if account else -1)


def _account(estate: SmallEstate, migration: Migration) -> tuple[object, ...]:
    """Return what must be as before when a migration is rolled back, on every copy."""
    found = []
    for replica in _copies(estate):
        account = replica.at_dn(migration.account)
        assert account is not None
        disabled = account.number("userAccountControl") & uac.DISABLED
        found.append((disabled, account.texts(SPNS), account.number(SUPERSEDED_STATE), account.get(SUPERSEDED_BY)))
    return tuple(found)


def _ready(estate: SmallEstate, migration: Migration) -> bool:
    for replica in estate.directory.replicas.values():
        dmsa, account = _pair(replica, migration)
        if dmsa is None or account is None or (dmsa.number(STATE), account.number(SUPERSEDED_STATE)) != (1, 1):
            return False
        if dmsa.get(PRECEDED_BY) != (account.guid,) or account.get(SUPERSEDED_BY) != (dmsa.guid,):
            return False
    replica = _pinned(estate)
    members = _pair(replica, migration)[0]
    assert members is not None
    allowed = set(members.texts(MEMBERSHIP))
    for host in migration.hosts:
        computer = replica.account(f"{host.name.partition('.')[0]}$")
        if computer is None or computer.sid not in allowed or estate.machine(host.name).kerberos != 1:
            return False
    return True


def _running(estate: SmallEstate, migration: Migration) -> bool:
    return all(
        estate.machine(host.name).services[name.lower()].running for host in migration.hosts for name in host.services
    )
