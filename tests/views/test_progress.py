"""What is shown beside a run: plain lines where nothing can be drawn again, and how the picture meets a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest

from orchestrator.model.event import AttemptStarted, Held, Moved, Released, WaitBegan
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.model.run import RunState
from orchestrator.views.along import Along
from orchestrator.views.progress import Lines, Picture, Silence, watching
from tests.engine.runs import AT, later, plan
from tests.views.scenes import SCENES

SHUT = {"days": ["sat"], "open": "10:00", "close": "16:00", "zone": "UTC"}
TWO = plan({"ids": ("dmsa-a", "dmsa-b"), "window": SHUT}, {"ids": ("dmsa-c",)})


def moved(id_: str) -> Moved:
    return Moved(migration=id_, trigger=Trigger.PREPARE, source=Phase.PLANNED, dest=Phase.PREPARED)


@pytest.fixture
def lines() -> tuple[Lines, list[str]]:
    written: list[str] = []
    view = Lines(written.append, Along(TWO))
    view.begin(RunState("table"))
    return view, written


def test_elsewhere_it_is_lines(lines: tuple[Lines, list[str]]):
    view, written = lines
    view.notice(moved("dmsa-a"), None)
    view.notice(Held(migration="dmsa-a", reason="fault", detail="one\ntwo", release="mend it"), None)
    view.rest("at rest: nothing", AT)
    assert written[0] == f"{'-':<20}  {'dmsa-a':<15}  planned -> prepared"
    held = written[1].splitlines()
    assert [line.index(word) for line, word in zip(held, ("HELD", "two", "To go on"), strict=True)] == [39, 39, 39]
    assert written[2] == f"2026-03-02T12:00:00Z  {'':<15}  at rest: nothing"
    assert len(written) == 3, "while nobody knows the time, every window counts as closed, and nobody is told so"


NEEDS = "wave w2 waits for needs: wave w2 needs w1, which is not done"
WINDOW = "wave w1 waits for window until 2026-03-07T10:00:00Z: the window is closed and opens Sat 2026-03-07 10:00 UTC"


def test_what_waits_to_be_admitted_is_told_once_for_each_wave(lines: tuple[Lines, list[str]]):
    view, written = lines
    for number, id_ in enumerate(("dmsa-a", "dmsa-b")):
        view.notice(moved(id_), later(minutes=number))
    told = [line[39:] for line in written]
    assert told == ["planned -> prepared", WINDOW, NEEDS, "planned -> prepared"]
    view.notice(Released(migration="dmsa-b", by="ann", reason="again"), later(hours=1))
    assert [line[39:] for line in written[4:]] == ["released by ann: again"]


def test_what_a_place_in_flight_is_waited_for_is_not_told():
    written: list[str] = []
    view = Lines(written.append, Along(plan({"ids": ("dmsa-a", "dmsa-b"), "at_once": 1})))
    view.begin(RunState("table"))
    for id_ in ("dmsa-a", "dmsa-b"):
        view.notice(moved(id_), AT)
    assert [line[39:] for line in written] == ["planned -> prepared"] * 2


def test_what_comes_before_the_beginning_is_part_of_it():
    written: list[str] = []
    view = Lines(written.append, Along(TWO))
    ended = {"migration": "dmsa-a", "subject": "directory", "waiting_for": "dwell", "detail": "not yet"}
    view.notice(WaitBegan(**ended), None)
    state = RunState("table")
    state.apply(moved("dmsa-a"), AT)
    view.begin(state)
    start = {"migration": "dmsa-a", "step": "start", "subject": "directory", "endpoint": "dc01", "cmdlet": "Start"}
    ids = {"shell": "00000000-0000-0000-0000-000000000001", "pipeline": "00000000-0000-0000-0000-000000000002"}
    view.notice(AttemptStarted.model_validate({**start, **ids, "parameters": {}}), AT)
    assert "start: Start on dc01" in written[1]


class Screen(StringIO):
    """Standard output that says it is a terminal."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Screen]:
    """A terminal of 80 columns for standard output, with whatever the environment says beside."""

    def opened(**environment: str) -> Screen:
        import rich

        found = Screen()
        for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "24", **environment}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.stdout", found)
        monkeypatch.setattr(rich, "_console", None)
        return found

    return opened


def shown(screen: Screen) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())


def test_at_its_end_the_picture_makes_room_for_the_summary(screen: Callable[..., Screen]):
    paper, scene = screen(), SCENES["troubles"]()
    with watching(scene.plan, quiet=False, command="plans/x.yaml") as view:
        view.begin(scene.along.state)
        assert isinstance(view, Picture)
    assert "HELD   ●●●●●◉··· restarted, operator" in shown(paper)
    assert paper.getvalue().endswith("\x1b[2K"), "what was drawn is wiped, from its last line to its first"


def test_after_a_fault_the_last_picture_stays(screen: Callable[..., Screen]):
    paper, scene = screen(), SCENES["troubles"]()

    def breaks() -> None:
        with watching(scene.plan, quiet=False, command="plans/x.yaml") as view:
            view.begin(scene.along.state)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert "to go on: `dmsa release plans/x.yaml --only dmsa-held`" in shown(paper).rpartition("\x1b[2K")[2]


@pytest.mark.parametrize(
    ("environment", "kind"), [({"TERM": "dumb"}, Lines), ({"TERM": "xterm"}, Picture), ({"NO_COLOR": "1"}, Picture)]
)
def test_what_a_terminal_is_shown_depends_on_what_it_can(
    screen: Callable[..., Screen], environment: dict[str, str], kind: type[Any]
):
    paper, scene = screen(**environment), SCENES["troubles"]()
    with watching(scene.plan, quiet=False) as view:
        view.begin(scene.along.state)
        assert type(view) is kind
    colours = re.findall(r"\x1b\[(?:\d+;)*3\d", paper.getvalue())
    assert bool(colours) is (environment == {"TERM": "xterm"})


def test_the_machines_document_has_standard_output_for_itself(screen: Callable[..., Screen]):
    paper = screen()
    with watching(TWO, quiet=True) as view:
        view.begin(RunState("table"))
        view.notice(moved("dmsa-a"), AT)
        view.rest("at rest", AT)
    assert isinstance(view, Silence)
    assert paper.getvalue() == ""
