"""The people who approve in a rehearsal: once something waits for them, some at once, some late, some wrongly."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from orchestrator.engine.approving import GATES, open_rule
from orchestrator.engine.waves import NotYet, admissible
from orchestrator.model.event import Event
from orchestrator.model.plan import Wave
from orchestrator.model.run import RunState
from orchestrator.model.words import ApprovalWithdrawn, Approved, Gate
from orchestrator.rehearsal.world import World

PEOPLE = ("ann", "ben", "cleo", "dora", "emil", "fay", "gus", "hana")
SLIPS = 2
"""How often it goes wrong at one gate before it goes right."""
_WAYS = ("in time", "in time", "in time", "by who runs it", "twice by one", "too late", "of another plan", "taken back")


class Approvers:
    """Whoever is asked to approve; *chance* None: all of them do at once, and rightly."""

    def __init__(self, world: World, chance: random.Random | None) -> None:
        self._world, self._chance = world, chance
        self._slips: Counter[tuple[str, Gate]] = Counter()

    def act(self) -> bool:
        """Do what people do about everything that waits for them; say whether they did anything."""
        world = self._world
        state = world.state()
        answers = admissible(state, world.plan, world.estate.now)
        waiting = {
            (world.plan.wave_of(id_).name, answer.waiting_for)
            for id_, answer in answers.items()
            if isinstance(answer, NotYet)
        }
        asked = [
            (wave, gate) for wave in world.plan.waves for gate in GATES if (wave.name, f"approval:{gate}") in waiting
        ]
        for wave, gate in asked:
            self._about(state, wave, gate)
        return bool(asked)

    def _about(self, state: RunState, wave: Wave, gate: Gate) -> None:
        found = open_rule(state, self._world.plan, wave, gate, self._world.estate.now)
        if found is None:
            return
        rule, tally = found
        way = "in time"
        if self._chance is not None and self._slips[wave.name, gate] < SLIPS:
            way = self._chance.choice(_WAYS)
        self._slips[wave.name, gate] += way != "in time"
        self._world.say(*self._words(state, wave, gate, way, tally.wanted))
        if way == "too late":
            self._world.estate.advance(rule.valid_for + timedelta(seconds=1))

    def _words(self, state: RunState, wave: Wave, gate: Gate, way: str, wanted: int) -> Iterator[Event]:
        """Yield what people say; whatever they do wrong, the last of them is missing afterwards."""
        people = [PEOPLE[number] if number < len(PEOPLE) else f"person-{number}" for number in range(wanted)]
        digest = state.digest or ""
        last = people[-1]
        if way in {"by who runs it", "twice by one"}:
            others = {"by who runs it": state.driver or last, "twice by one": f"CORP\\{people[0].upper()}"}
            people[-1] = others[way] if wanted > 1 or way == "by who runs it" else last
        for name in people:
            yield self._approval(wave, gate, name, "0" * 64 if way == "of another plan" and name is last else digest)
        if way == "taken back":
            yield ApprovalWithdrawn(wave=wave.name, gate=gate, by=last, reason="rehearsed")

    def _approval(self, wave: Wave, gate: Gate, by: str, digest: str) -> Approved:
        given = self._world.estate.now.replace(microsecond=0)
        return Approved(wave=wave.name, gate=gate, digest=digest, by=by, given=given, reason="rehearsed")
