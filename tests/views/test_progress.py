"""The table that a terminal shows while a run goes on: what stands where, and what fits."""

from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.model.event import Held, Moved, WaitBegan
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
