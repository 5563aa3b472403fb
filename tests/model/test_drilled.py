"""Drills in the state of a run: one at a time, and nothing of it that was not begun."""

from datetime import UTC, datetime

import pytest

from orchestrator.model.drilled import DrillBegan, DrillEnded, DrillTurned, Turned
from orchestrator.model.event import from_body, to_body
from orchestrator.model.lifecycle import IllegalEvent, Phase
from orchestrator.model.run import RunState

AT = datetime(2026, 3, 2, tzinfo=UTC)


def began(number: int = 1) -> DrillBegan:
    return DrillBegan(
        number=number, migrations=("a",), to=Phase.STARTED, by="ann", tool="1", clock=AT, estate="lab", origin=None
    )


def turned(number: int = 1) -> DrillTurned:
    return DrillTurned(number=number, reached={"a": Turned(phase=Phase.STARTED)})


def after(*events: object) -> RunState:
    run = RunState("plan")
    for event in events:
        run.apply(event, AT)  # type: ignore[arg-type]
    return run


def test_a_drill_is_under_way_from_its_beginning_to_its_end():
    assert after(began()).drill == began()
    assert after(began()).turned is None
    assert after(began(), turned()).turned == turned()
    ended = after(began(), turned(), DrillEnded(number=1, clock=AT))
    assert (ended.drill, ended.turned, ended.drills) == (None, None, 1)
    assert after(began(), DrillEnded(number=1, clock=AT), began(2)).drills == 2


@pytest.mark.parametrize(
    ("before", "event"),
    [
        ((), turned()),
        ((), DrillEnded(number=1, clock=AT)),
        ((began(),), began(2)),
        ((began(),), turned(2)),
        ((began(2),), DrillEnded(number=1, clock=AT)),
        ((began(), DrillEnded(number=1, clock=AT)), DrillEnded(number=1, clock=AT)),
    ],
)
def test_what_was_not_begun_cannot_turn_or_end(before, event):
    run = after(*before)
    with pytest.raises(IllegalEvent):
        run.apply(event, AT)
    assert run == after(*before)


@pytest.mark.parametrize("event", [began(), turned(), DrillEnded(number=1, clock=AT)])
def test_it_survives_the_journal(event):
    assert from_body(event.kind, to_body(event)) == event
