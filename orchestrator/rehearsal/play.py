"""One seed, played through: processes that die and take over, an operator who attends to what is held, and the end.

The same plan, estate, seed and disturbances give the same journal, byte for byte.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from orchestrator.engine.approving import rules_of
from orchestrator.journal import JournalHeld, LeaseLost
from orchestrator.lab.estate.spec import EstateSpec
from orchestrator.lab.estate.weather_spec import RegistryChanged
from orchestrator.model.event import Event
from orchestrator.model.lifecycle import FINAL, Intention, Phase
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState
from orchestrator.rehearsal import hands
from orchestrator.rehearsal.approvers import SLIPS, Approvers
from orchestrator.rehearsal.disturbance import Disturbance, hosts_changed
from orchestrator.rehearsal.judgements import Violation
from orchestrator.rehearsal.process import Crash, Doing
from orchestrator.rehearsal.rehearsed import Rehearsed
from orchestrator.rehearsal.world import World

ROUNDS = 12
"""How often an operator attends to what is held before a rehearsal ends where it stands."""
PROCESSES = 60
"""How many processes a rehearsal takes at most; those that begin because people have approved come on top."""
FEW = 50
"""In fair weather, the calls of a plan with more migrations end together, as in a pool: that takes less time."""
DEEPEST = 3
"""How many processes may be frozen one in the other."""


@dataclass(frozen=True)
class Played:
    """What came of one seed."""

    seed: int
    violations: tuple[Violation, ...]
    state: RunState
    disturbances: tuple[Disturbance, ...]
    happened: frozenset[int]
    """The numbers of the acts that took place; weather strikes if something meets it."""
    began: datetime
    ended: datetime
    processes: int
    rows: int
    world: World = field(repr=False, compare=False)

    @property
    def lasted(self) -> timedelta:
        """How long it took in estate time."""
        return self.ended - self.began


def play(
    rehearsed: Rehearsed,
    seed: int,
    disturbances: Sequence[Disturbance] = (),
    *,
    attended: bool = True,
    tell: Callable[[int], object] = lambda _rows: None,
) -> Played:
    """Play one seed.

    Args:
        rehearsed: the plan and its estate.
        seed: decides the interleaving, the operator, and what becomes of calls of dead processes.
        disturbances: what goes wrong.
        attended: whether an operator mends and releases what is held, so that everything ends.
        tell: hears now and then how many rows the journal has.
    """
    playing = _Play(rehearsed, seed, tuple(disturbances), attended=attended)
    playing.tell = tell
    return playing.run()


class _Life:
    """One process's life within a play."""

    def __init__(self, play: _Play) -> None:
        self._play = play
        self._dead = False

    def moment(self, doing: Doing) -> None:
        """Let a moment pass, and let happen what is due then.

        Raises:
            Crash: the process dies, or has died.
        """
        if self._dead:
            raise Crash
        self._dead = self._play.moment(doing)
        if self._dead:
            raise Crash


class _Play:
    def __init__(
        self, rehearsed: Rehearsed, seed: int, disturbances: tuple[Disturbance, ...], *, attended: bool
    ) -> None:
        self._seed, self._attended = seed, attended
        self._disturbances = disturbances
        self._order = random.Random(f"order {seed}")  # noqa: S311 - see draw
        self._person = random.Random(f"person {seed}")  # noqa: S311
        approvers = random.Random(f"approvers {seed}") if disturbances else None  # noqa: S311
        few = sum(len(wave.migrations) for wave in rehearsed.plan.waves) <= FEW
        self._together = self._order.choice((1, 3, None)) if disturbances else 1 if few else None
        self.world = World(_under(rehearsed, disturbances))
        self.world.estate.keeps_record = False
        self.world.astray = self._astray
        self._approvers = Approvers(self.world, approvers)
        gates = sum(len(rules_of(self.world.plan, wave)) for wave in self.world.plan.waves)
        self._most = PROCESSES + gates * 2 * (1 + SLIPS)
        for rule in self.world.rehearsed.spec.weather:
            if isinstance(rule, RegistryChanged):
                self.world.excuse(rule.host)
        self._acts: dict[int, list[Disturbance]] = {}
        for one in disturbances:
            if one.rule is None and one.at:
                self._acts.setdefault(one.at, []).append(one)
        self._moments = 0
        self.tell: Callable[[int], object] = lambda _rows: None
        self._depth = 0
        self._happened: set[int] = set()
        self._spoken_of: set[str] = set()
        """Of whom an operator spoke while a process ran: where it ended without a look at that, he runs another."""

    def run(self) -> Played:
        """Play to the end, or to the first violation."""
        began = self.world.estate.now
        try:
            self._to_the_end()
        except Crash:
            if not self.world.violations:
                raise
        return Played(
            seed=self._seed,
            violations=tuple(self.world.violations),
            state=self.world.state(),
            disturbances=self._disturbances,
            happened=frozenset(self._happened),
            began=began,
            ended=self.world.estate.now,
            processes=self.world.processes,
            rows=self.world.journal.head(),
            world=self.world,
        )

    # Processes.

    def _to_the_end(self) -> None:
        rounds = 0
        while self.world.processes < self._most:
            if not self._process() or self._approvers.act():
                continue
            if not self._attended or not self._attend(rounds):
                return
            rounds += 1
        self.world.judge([Violation("comes-to-an-end", "the run", f"not within {self._most} processes")])

    def _process(self) -> bool:
        """Let a process run; say whether it ended by itself."""
        try:
            state = self.world.run(life=_Life(self), choose=self._choose, together=self._together)
        except (Crash, LeaseLost):
            if self.world.violations:
                raise Crash from None
            return False
        spoken_of, self._spoken_of = self._spoken_of, set()
        if not all(_rests(state[id_]) for id_ in spoken_of):
            return False
        self.world.judge_end(state)
        return True

    def _choose(self, waiting: int) -> int:
        return self._order.randrange(waiting) if self._disturbances else 0

    def _astray(self) -> timedelta | None:
        return self._order.choice((None, timedelta(0), timedelta(seconds=5), timedelta(minutes=10)))

    # Moments.

    def moment(self, _doing: Doing) -> bool:
        """Let a moment pass; say whether the process dies at it."""
        self._moments += 1
        self.tell(self.world.journal.head())
        dies = False
        for act in self._acts.pop(self._moments, ()):
            self._happened.add(act.number)
            if act.kind == "crash":
                dies = True
            else:
                self._act(act)
        return dies

    def _act(self, act: Disturbance) -> None:
        done = _ACTS.get(act.kind)
        if done is not None:
            done(self, act)
            return
        event = hands.word(self.world.state()[act.whom], act.kind)
        if event is not None:
            self.world.say(event)
            self._spoken_of.add(act.whom)

    def _second_runner(self, _act: Disturbance) -> None:
        if self.world.journal.holder() is None:
            # The process that runs now has lost its lease, and whoever took it is gone: who is started now is the next.
            self._another_within()
            return
        try:
            self.world.journal.another().acquire("a second runner")
        except JournalHeld:
            return
        self.world.judge([Violation("one-runner", "the journal", "a second runner was given the lease")])

    def _freeze(self, _act: Disturbance) -> None:
        if self._depth < DEEPEST:
            self.world.lose_lease()
            self._another_within()

    def _another_within(self) -> None:
        """Let another process run to its end while the one that runs now stands still."""
        if self._depth < DEEPEST:
            self._depth += 1
            self._process()
            self._depth -= 1

    # The operator.

    def _attend(self, rounds: int) -> bool:
        """Do for each migration that is held what an operator does; say whether anything is to go on."""
        state = self.world.state()
        stuck = [state[id_] for id_ in self.world.ids if state[id_].held is not None]
        if not stuck:
            words = self._second_thoughts(state) if rounds < ROUNDS // 2 else []
        elif rounds >= ROUNDS:
            return False
        else:
            hands.mend(self.world)
            words = [event for one in stuck if (event := self._decision(one, rounds)) is not None]
        if words:
            self.world.say(*words)
        return bool(words)

    def _decision(self, state: MigrationState, rounds: int) -> Event | None:
        back = rounds > ROUNDS // 2 or self._person.random() < 0.3
        if state.held is not None and state.held.reason == "undone":
            onward = None if back else hands.word(state, "forward")
            return onward or hands.word(state, "rollback")
        if state.intention is Intention.FORWARD and back:
            way = self._person.choice(("undo", "reset", "rollback", "rollback"))
            return hands.word(state, way) or hands.word(state, "release")
        return hands.word(state, "release")

    def _second_thoughts(self, state: RunState) -> list[Event]:
        """Once everything has ended: sometimes all of it is to go back, or what went back is to go on."""
        if not self._disturbances or self._person.random() < 0.6:
            return []
        way = self._person.choice(("undo", "reset", "rollback", "forward"))
        words = (hands.word(state[id_], way) for id_ in self.world.ids)
        return [event for event in words if event is not None]


def _rests(state: MigrationState) -> bool:
    """Whether there is nothing more to do about a migration now."""
    ended = {Phase.ROLLED_BACK} if state.intention is Intention.BACK else FINAL
    return state.held is not None or bool(state.waits) or state.phase in ended


_ACTS: dict[str, Callable[[_Play, Disturbance], None]] = {
    "second-runner": _Play._second_runner,
    "frozen": _Play._freeze,
    "time-passes": lambda play, act: play.world.estate.advance(act.takes),
    "duplicate": lambda play, _act: play.world.estate.again(),
    "account-moved": lambda play, act: hands.move_account(play.world, act.whom, act.where),
    "service-stopped": lambda play, act: hands.stop_service(play.world, act.where),
    "service-restarted": lambda play, act: hands.restart_service(play.world, act.where),
    "started-by-hand": lambda play, act: hands.by_hand(play.world, act.whom, "Start"),
    "undone-by-hand": lambda play, act: hands.by_hand(play.world, act.whom, "Undo"),
}


def _under(rehearsed: Rehearsed, disturbances: Sequence[Disturbance]) -> Rehearsed:
    """Return the same with this weather in its estate."""
    rules = tuple(one.rule for one in disturbances if one.rule is not None)
    ahead = hosts_changed(disturbances)
    spec: EstateSpec = rehearsed.spec
    hosts = tuple(
        host.model_copy(update={"clock_ahead": ahead[host.name]}) if host.name in ahead else host for host in spec.hosts
    )
    return rehearsed.under(spec.model_copy(update={"weather": (*spec.weather, *rules), "hosts": hosts}))
