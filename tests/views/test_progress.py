"""The table that a terminal shows while a run goes on: what stands where, and what fits."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.model.event import Event, Held, Moved, Released, WaitBegan
from orchestrator.model.lifecycle import PATH, Phase, Trigger
from orchestrator.model.run import RunState
from orchestrator.planfile import load_plan
from orchestrator.views.progress import SHORT, Lines, Table, bar

PLANS = Path(__file__).parents[2] / "plans"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def moved(id_: str) -> Moved:
    return Moved(migration=id_, trigger=Trigger.PREPARE, source=Phase.PLANNED, dest=Phase.PREPARED)


def shown(table: Table, height: int) -> list[str]:
    paper = StringIO()
    Console(file=paper, width=80, height=height, force_terminal=True, color_system=None).print(table)
    return [line.rstrip() for line in paper.getvalue().splitlines()]


def test_a_row_of_phases_fits_beside_a_name():
    assert len(SHORT) == len(PATH)
    assert bar("linked") == "* * * link . . . . ."
    assert max(len(bar(phase)) for phase in Phase) <= 80 - len(f"  {'':<15} ")


def test_everything_is_shown_where_there_is_room():
    table = Table(load_plan(PLANS / "quickstart.yaml").plan)
    table.begin(RunState("quickstart"))
    table.notice(moved("dmsa-web"), NOON)
    table.notice(WaitBegan(migration="dmsa-web", subject="directory", waiting_for="window", detail="closed"), NOON)
    lines = shown(table, 24)
    assert lines[:3] == [
        "quickstart   estate time 2026-03-02T12:00:00Z",
        "wave pilot",
        "  dmsa-report     plan . . . . . . . .",
    ]
    assert "  dmsa-web        * prep . . . . . . ." in lines
    assert "      waits for window: closed" in lines


REPLICATION = WaitBegan(
    migration="dmsa-web", subject="directory", waiting_for="replication", until=NOON + timedelta(hours=12), detail="1/1"
)
HELD = Held(migration="dmsa-web", reason="fault", detail="the disk is full", release="mend it")
RELEASED = Released(migration="dmsa-web", by="anna", reason="mended")
BACK = Moved(migration="dmsa-web", trigger=Trigger.UNDO, source=Phase.PREPARED, dest=Phase.UNLINKED)
WAITS = "      waits for replication until 2026-03-03T00:00:00Z: 1/1"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), ["plan . . . . . . . ."]),
        ((REPLICATION,), ["plan . . . . . . . .", WAITS]),
        ((REPLICATION, moved("dmsa-web")), ["* prep . . . . . . ."]),
        ((REPLICATION, HELD), ["plan . . . . . . . .", "      HELD (fault): the disk is full"]),
        ((HELD, RELEASED), ["plan . . . . . . . ."]),
        ((moved("dmsa-web"), BACK), ["<- unlinked"]),
    ],
)
def test_what_a_migration_does_stands_below_it_until_it_is_over(events: tuple[Event, ...], expected: list[str]):
    table = Table(load_plan(PLANS / "quickstart.yaml").plan)
    table.begin(RunState("quickstart"))
    for event in events:
        table.notice(event, NOON)
    others = {line for line in shown(Table(load_plan(PLANS / "quickstart.yaml").plan), 24) if "dmsa-web" not in line}
    own = [line for line in shown(table, 24) if line not in others and "estate time" not in line]
    assert own == [f"  {'dmsa-web':<15} {expected[0]}", *expected[1:]]


def test_it_begins_with_what_was_before():
    state = RunState("quickstart")
    state.apply(moved("dmsa-web"), NOON)
    state.apply(HELD, NOON)
    table = Table(load_plan(PLANS / "quickstart.yaml").plan)
    assert shown(table, 24)[0] == "quickstart   estate time not read yet"
    table.begin(state)
    lines = shown(table, 24)
    assert lines[0] == "quickstart   estate time 2026-03-02T12:00:00Z"
    row = lines.index("  dmsa-web        * prep . . . . . . .")
    assert lines[row + 1] == "      HELD (fault): the disk is full"


def test_a_hold_is_one_line_and_no_longer_than_the_terminal():
    table = Table(load_plan(PLANS / "quickstart.yaml").plan)
    table.notice(Held(migration="dmsa-web", reason="fault", detail="one\n" + "two " * 40, release="mend it"), NOON)
    (line,) = (line for line in shown(table, 24) if "HELD" in line)
    assert line.startswith("      HELD (fault): one two two")
    assert len(line) == 80


@pytest.mark.parametrize("height", [24, 10])
def test_where_there_is_no_room_what_stands_still_is_counted(height):
    plan = load_plan(PLANS / "programme.yaml").plan
    table = Table(plan)
    busy = next(plan.migrations()).id
    table.notice(moved(busy), NOON)
    lines = shown(table, height)
    assert [line for line in lines if busy in line]
    assert len([line for line in lines if "* prep" in line or "plan ." in line]) == 1
    assert sum("of" in line for line in lines) == len(plan.waves)


def test_elsewhere_it_is_lines():
    lines: list[str] = []
    view = Lines(lines.append)
    view.begin(RunState("quickstart"))
    view.notice(moved("dmsa-web"), None)
    view.notice(Held(migration="dmsa-web", reason="fault", detail="one\ntwo", release="mend it"), NOON)
    assert lines[0] == f"{'-':<20}  {'dmsa-web':<15}  planned -> prepared"
    held = lines[1].splitlines()
    assert [line.index(word) for line, word in zip(held, ("HELD", "two", "To go on"), strict=True)] == [39, 39, 39]
