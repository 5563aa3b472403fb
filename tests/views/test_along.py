"""Whoever reads along knows what the runner knows: the same state, the same answers, at every event of a rough run."""

from __future__ import annotations

import pytest

from orchestrator.engine.waves import admissible
from orchestrator.model.event import Event
from orchestrator.model.run import RunState
from orchestrator.views.along import Along
from orchestrator.views.progress import Lines, Picture
from orchestrator.views.rows import Look
from tests.simulation.seeds import played


@pytest.fixture(scope="module")
def rough() -> tuple[Along, list[tuple[Event, object]], RunState]:
    """A small plan in which much goes wrong, and its events."""
    world = played(31).world
    return Along(world.plan), list(world.told()), world.state()


def test_it_is_the_run_itself_and_every_frame_can_be_drawn(rough: tuple[Along, list, RunState]):
    along, told, end = rough
    picture = Picture(along, "PLAN", ticks=False)
    picture.begin(RunState(along.plan.name))
    looks = Look(80, 40), Look(80, 10), Look(40, 24)
    for number, (event, at) in enumerate(told):
        picture.notice(event, at)
        if number % 10 == 0:
            assert {look: max(len(line) for line in picture.drawn(look).text()) <= look.width for look in looks} == (
                dict.fromkeys(looks, True)
            )
            answers = {id_: along.answer(id_) for id_ in along.ids}
            assert answers == admissible(along.state, along.plan, along.at)
    for id_ in along.ids:
        assert along.state[id_] == end[id_]


def test_in_a_pipe_every_move_and_hold_is_a_line(rough: tuple[Along, list, RunState]):
    along, told, _ = rough
    written: list[str] = []
    lines = Lines(written.append, along)
    lines.begin(RunState(along.plan.name))
    for event, at in told:
        lines.notice(event, at)
    for kind, words in (("moved", " -> "), ("held", "HELD (")):
        assert sum(event.kind == kind for event, _ in told) == sum(words in line for line in written) > 0
