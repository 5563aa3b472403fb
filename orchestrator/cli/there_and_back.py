"""What a runner does for a drill, under one lease: look, forward, turn, back, look again.

Each part is begun by what the journal says, so that whoever comes after an interruption goes on where it stood. The
word that asks for the way back is one transaction with what was reached: a drill that has turned never goes forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from orchestrator.conductor import Conductor
from orchestrator.engine.drill import ENDS, is_over, not_free, turned
from orchestrator.engine.outcome import waiting_of
from orchestrator.engine.waves import admissible
from orchestrator.errors import PersonNeeded
from orchestrator.model.case import Case, Seen
from orchestrator.model.drilled import DrillBegan, DrillEnded, DrillTurned, Origin, SteadyStateSeen
from orchestrator.model.event import Event, Released, WayBackAsked
from orchestrator.model.lifecycle import Intention, Phase, Way
from orchestrator.model.run import RunState
from orchestrator.steps.steady import steady_reads, steady_state


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a drill is of. ``clock`` reads the time of this machine."""

    ids: tuple[str, ...]
    to: Phase
    by: str
    tool: str
    clock: Callable[[], datetime]
    estate: Literal["real", "lab"]
    origin: Origin | None = None
    number: int | None = None
    """The number of the drill, where that is not for the journal to say."""


@dataclass
class ThereAndBack:
    """A conductor's duty for one drill: the one that is under way by the journal, else the one that is ordered.

    ``troubles`` are why it did not begin, by migration.
    """

    order: Order
    troubles: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __call__(self, conductor: Conductor) -> None:
        """Drill; what was told to stop ends early, and the next call goes on."""
        if conductor.state.drill is None and not self._begin(conductor):
            return
        if conductor.state.turned is None:
            conductor.drive()
            if not conductor.going_on:
                return
            conductor.tell(lambda state: self._turn(state, conductor))
        conductor.drive(homeward=True)
        drill = conductor.state.drill
        if (
            drill is None
            or not conductor.going_on
            or not all(is_over(conductor.state[id_]) for id_ in drill.migrations)
        ):
            return
        seen = self._look(conductor, "after", drill.number, drill.migrations)
        if conductor.going_on:
            ended = DrillEnded(number=drill.number, clock=self.order.clock())
            conductor.tell(lambda _state: [*seen, ended])

    def _begin(self, conductor: Conductor) -> bool:
        """Begin if all is well with every migration; say whether it did."""
        refuse_unfree(conductor.state, self.order.ids)
        number = self.order.number or conductor.state.drills + 1
        seen = self._look(conductor, "before", number, self.order.ids)
        if not conductor.going_on:
            return False
        self.troubles = {one.migration: one.troubles for one in seen if one.troubles}
        conductor.tell(lambda state: seen if self.troubles else self._beginning(state, number, seen))
        return not self.troubles

    def _look(
        self, conductor: Conductor, when: Literal["before", "after"], number: int, ids: tuple[str, ...]
    ) -> list[SteadyStateSeen]:
        cases = {id_: Case.of(conductor.state, conductor.plan, id_, conductor.state.last_at) for id_ in ids}
        looked: dict[str, Seen] = {}
        wanted = {id_: steady_reads(case) for id_, case in cases.items()}
        while wanted:
            more = conductor.look(wanted)
            looked |= {id_: looked[id_].plus(one.replies) if id_ in looked else one for id_, one in more.items()}
            asked = {id_: steady_reads(cases[id_], looked[id_]) for id_ in more}
            wanted = {id_: reads for id_, reads in asked.items() if reads} if conductor.going_on else {}
        found = {id_: steady_state(cases[id_], seen) for id_, seen in looked.items()}
        return [
            SteadyStateSeen(
                migration=id_,
                number=number,
                when=when,
                account=found[id_].account,
                workloads=found[id_].workloads,
                troubles=found[id_].troubles,
            )
            for id_ in ids
            if id_ in found
        ]

    def _beginning(self, state: RunState, number: int, seen: list[SteadyStateSeen]) -> Iterator[Event]:
        refuse_unfree(state, self.order.ids)
        order = self.order
        yield DrillBegan(
            number=number,
            migrations=order.ids,
            to=order.to,
            by=order.by,
            tool=order.tool,
            clock=order.clock(),
            estate=order.estate,
            origin=order.origin,
        )
        yield from seen
        for id_ in order.ids:
            if state[id_].intention is Intention.BACK:
                yield Released(migration=id_, by=order.by, reason=f"drill {number}", forward=True)

    def _turn(self, state: RunState, conductor: Conductor) -> Iterator[Event]:
        drill = state.drill
        if drill is None or state.turned is not None:
            return
        answers = admissible(state, conductor.plan, state.last_at)
        reached = {
            id_: turned(state[id_], drill.to, waiting_of(state[id_], answers.get(id_))) for id_ in drill.migrations
        }
        yield DrillTurned(number=drill.number, reached=reached)
        for id_ in drill.migrations:
            if state[id_].phase is not Phase.PLANNED and not _went_back(state, id_):
                why = f"drill {drill.number}"
                yield WayBackAsked(migration=id_, way=Way.ROLLBACK, by=self.order.by, reason=why)


def refuse_unfree(state: RunState, ids: tuple[str, ...], typed: str = "PLAN") -> None:
    """Refuse to drill what is in a real run.

    Raises:
        PersonNeeded: names every such migration, and what to do; nothing was done.
    """
    found = {id_: why for id_ in ids if (why := not_free(state[id_])) is not None}
    if not found:
        return
    first = next(iter(found))
    word = "release" if state[first].phase in ENDS else "rollback"
    rest = " --reason TEXT" if word == "release" else ""
    said = " ".join(f"{id_} {why.rstrip('.')}." for id_, why in found.items())
    raise PersonNeeded(
        f"{said} Nothing was done. "
        f"`dmsa {word} {typed} --only {first}{rest}` comes first; or name the others with --only."
    )


def _went_back(state: RunState, id_: str) -> bool:
    return state[id_].phase is Phase.ROLLED_BACK and state[id_].intention is Intention.BACK
