"""What a terminal shows of a run: frames, word for word, at 80 columns and at 40, and what keeps them calm."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from itertools import product
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.model.event import Held, Moved, Released, WaitBegan
from orchestrator.model.lifecycle import PATH, Phase, Trigger
from orchestrator.model.state import Waiting
from orchestrator.views.frame import Frame, frame
from orchestrator.views.marks import BAR_WIDTH, DRAWN, PLAIN, bar, signs_for
from orchestrator.views.moment import brief, span
from orchestrator.views.progress import Picture
from orchestrator.views.rows import Look
from tests.engine.runs import AT, later, plan
from tests.views.scenes import SCENES, Scene, crowded

LOOKS = {80: Look(80, 24, DRAWN, "utf-8", "plans/x.yaml"), 40: Look(40, 24, PLAIN, "ascii", "plans/x.yaml")}


def frames() -> dict[tuple[str, int], list[str]]:
    """Return the frames of ``frames.txt`` by scene and width."""
    text = (Path(__file__).parent / "frames.txt").read_text(encoding="utf-8")
    _, *parts = re.split(r"^== (\w+) (\d+)\n", text, flags=re.MULTILINE)
    found = zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    return {(name, int(width)): body.removesuffix("\n").split("\n") for name, width, body in found}


def drawn(scene: Scene, look: Look) -> Frame:
    return frame(scene.along, look, scene.at, scene.latest)


@pytest.mark.parametrize(("name", "width"), frames(), ids=str)
def test_what_is_shown(name: str, width: int):
    shown = drawn(SCENES[name](), LOOKS[width])
    assert shown.text() == frames()[name, width]
    assert max(len("".join(span.text for span in line)) for line in shown.lines) <= width


def test_every_scene_is_shown_at_both_widths():
    assert frames().keys() == {(name, width) for name in SCENES for width in LOOKS}


@pytest.mark.parametrize("name", SCENES)
def test_whatever_the_terminal_no_line_is_too_long(name: str):
    scene = SCENES[name]()
    along = scene.along
    for width, height in product((20, 33, 59, 60, 79, 200), (5, 24, 70)):
        look = Look(width, height, PLAIN, "ascii", "plans/x.yaml")
        shown = frame(along, look, scene.at, scene.latest)
        assert all(sum(len(span.text) for span in line) <= width for line in shown.lines), look
        assert not [line for line in shown.text() if re.search(r"[^\x20-\x7e]", line)]


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("name", ["gates", "troubles"])
def test_a_command_is_whole_however_narrow_it_is(name: str, width: int):
    text = " ".join(" ".join(drawn(SCENES[name](), LOOKS[width]).text()).split())
    for command in {
        "gates": ["dmsa approve plans/x.yaml --wave w2 --gate start"],
        "troubles": [
            "`dmsa release plans/x.yaml --only dmsa-held`",
            "`dmsa release plans/x.yaml --only dmsa-failed --reason TEXT`",
        ],
    }[name]:
        assert command in text


def test_waiting_held_and_failed_never_look_alike_not_even_without_colours():
    shown = drawn(SCENES["troubles"](), LOOKS[80])
    marks = {line[1].text.strip(): line[1].style for line in shown.lines if len(line) == 6}
    assert marks == {"HELD": "held", "FAILED": "failed", "waits": "waits", "": ""}


STEPS = dict(zip(PATH, (Trigger.PREPARE, Trigger.START, Trigger.LINK, Trigger.REGISTRY, Trigger.RESTART), strict=False))


def test_where_not_everything_fits_the_picture_stays_as_high_whatever_happens():
    """A row keeps its line as long as it is shown, and the picture its height: nothing jumps."""
    scene = crowded(60)
    picture = Picture(scene.along, "plans/x.yaml", ticks=False)
    picture.begin(scene.along.state)
    lines: dict[str, int] = {}
    shown = set()
    for _ in range(3):
        for id_, state in list(picture.along.state.migrations.items()):
            if state.held is not None or state.phase not in STEPS:
                continue
            dest = PATH[PATH.index(state.phase) + 1]
            picture.notice(Moved(migration=id_, trigger=STEPS[state.phase], source=state.phase, dest=dest), AT)
            found = picture.drawn(LOOKS[80])
            assert len(found.lines) == 23
            now = {id_: place for place, id_ in enumerate(found.slots) if id_}
            assert all(place == lines[id_] for id_, place in now.items() if id_ in lines)
            lines, shown = now, shown | set(now)
    assert len(shown) > 5


def test_a_picture_where_everything_fits_grows_only_by_what_needs_a_person():
    scene = SCENES["moving"]()
    picture = Picture(scene.along, "plans/x.yaml", ticks=False)
    picture.begin(scene.state)
    first = picture.drawn(LOOKS[80]).text()
    picture.notice(
        WaitBegan(migration="dmsa-queue", subject="directory", waiting_for="replication", until=later(hours=9)), AT
    )
    second = picture.drawn(LOOKS[80]).text()
    assert len(second) == len(first)
    assert second[6] == "  dmsa-queue   waits  ●◉······· prepared, for replication until 21:00Z"
    picture.notice(Held(migration="dmsa-queue", reason="fault", detail="broke", release="mend it"), AT)
    third = picture.drawn(LOOKS[80]).text()
    assert third[6] == "  dmsa-queue   FAILED ●◉······· prepared, fault"
    assert [line[:9] for line in third[3 : len(first)]] == [line[:9] for line in first[3:]]
    assert third[len(first) :] == ["FAILED dmsa-queue, fault: broke", "  to go on: mend it"]


def test_it_begins_with_what_was_before_and_what_was_before_that_is_forgotten():
    scene = SCENES["troubles"]()
    picture = Picture(SCENES["troubles"]().along, "PLAN", ticks=False)
    picture.begin(scene.along.state)
    assert picture.drawn(LOOKS[80]).text()[0] == "table   estate time 2026-03-02T12:00:00Z"
    picture.begin(SCENES["ended"]().along.state)
    assert picture.drawn(LOOKS[80]).text()[0] == "table   estate time 2026-03-17T12:00:00Z"


def test_time_goes_on_where_it_is_real_and_only_there():
    seconds = [100.0]
    for ticks, expected in ((True, "2 h 59 min"), (False, "3 h")):
        scene, seconds[0] = SCENES["moving"](), 100.0
        picture = Picture(scene.along, "PLAN", ticks=ticks, seconds=lambda: seconds[0])
        picture.begin(scene.along.state)
        seconds[0] += 60
        assert f"window open, {expected} left" in picture.drawn(LOOKS[80]).text()[3]
        picture.rest("at rest: nothing", later(hours=2))
        shown = picture.drawn(LOOKS[80]).text()
        assert (shown[2], "2 h left" in shown[3]) == ("at rest: nothing", True)


@pytest.mark.parametrize(
    ("width", "words"),
    [
        (120, "registered, restart 1/5: app02, app03, app04, for registration until 22:00Z"),
        (90, "registered, restart 1/5, for registration until 22:00Z"),
        (80, "restart 1/5, for registration until 22:00Z"),
        (70, "for registration until 22:00Z"),
        (60, "registration until 22:00Z"),
    ],
)
def test_while_one_host_is_waited_for_it_is_told_how_far_the_others_are(width: int, words: str):
    scene = SCENES["moving"]()
    waits = {"app05.corp.example": Waiting("registration", later(hours=10))}
    scene.state.migrations["dmsa-web"] = replace(scene.state["dmsa-web"], waits=waits)
    (found,) = (line for line in drawn(scene, Look(width, 24)).text() if "dmsa-web" in line and "waits" in line)
    assert found.endswith(f" {words}")


def test_rich_draws_the_same_and_colours_only_where_there_are_some():
    scene = SCENES["troubles"]()
    picture = Picture(scene.along, "plans/x.yaml", ticks=False)
    picture.begin(scene.along.state)
    for colours, escapes in ((None, False), ("standard", True)):
        paper = StringIO()
        console = Console(
            file=paper,
            width=80,
            height=24,
            force_terminal=True,
            color_system=colours,
            legacy_windows=False,
            no_color=not escapes,
        )
        console.print(picture)
        shown = re.sub(r"\x1b\[[0-9;]*m", "", paper.getvalue()).rstrip("\n").split("\n")
        assert [line.rstrip() for line in shown] == picture.drawn(LOOKS[80]).text()
        assert ("\x1b[1;33mHELD" in paper.getvalue()) is escapes


@pytest.mark.parametrize(
    ("phase", "back", "expected"),
    [
        ("planned", False, "o........"),
        ("linked", False, "***o....."),
        ("linked", True, "***<....."),
        ("completed", False, "*********"),
        ("completed", True, "********<"),
        ("reopened", True, "<........"),
        ("restored", True, "<<<......"),
        ("rolled_back", True, "<<<<....."),
    ],
)
def test_a_row_of_phases(phase: str, back: bool, expected: str):
    assert bar(Phase(phase), back=back) == expected


def test_every_phase_has_a_row_of_its_own():
    assert len({bar(phase) for phase in Phase}) == len(Phase)
    assert {len(bar(phase, DRAWN)) for phase in Phase} == {BAR_WIDTH}


@pytest.mark.parametrize(
    ("encoding", "signs"),
    [("utf-8", DRAWN), ("cp1252", PLAIN), ("ascii", PLAIN), (None, PLAIN), ("no-such", PLAIN)],
)
def test_signs_are_those_that_the_terminal_has(encoding: str | None, signs: object):
    assert signs_for(encoding) is signs


@pytest.mark.parametrize(
    ("seconds", "expected", "shortest"),
    [
        (-5, "0 s", "0 s"),
        (45, "45 s", "45 s"),
        (125, "2 min", "2 min"),
        (3600, "1 h", "1 h"),
        (10799, "2 h 59 min", "2 h"),
        (86400 * 4 + 7200, "4 d 2 h", "4 d"),
        (86400 * 14 + 7200, "14 d", "14 d"),
    ],
)
def test_a_length_of_time(seconds: int, expected: str, shortest: str):
    length = timedelta(seconds=seconds)
    assert (span(length), span(length, units=1)) == (expected, shortest)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [(later(hours=2), "14:00Z"), (later(hours=13), "3 Mar 01:00Z"), (later(days=400), "6 Apr 2027")],
)
def test_a_moment_is_told_as_briefly_as_it_is_clear(moment: object, expected: str):
    assert brief(moment, AT) == expected


def test_a_wave_that_has_a_window_says_when_it_opens_while_something_else_is_waited_for():
    shut = {"days": ["sat"], "open": "10:00", "close": "16:00", "zone": "UTC"}
    scene = Scene(plan({"ids": ("dmsa-a",)}, {"ids": ("dmsa-b",), "window": shut}), SCENES["beginning"]().state)
    line = drawn(scene, LOOKS[80]).text()[5]
    assert line.startswith("wave w2: pending, for needs  window opens 7 Mar 10:00Z (in 4 d 22 h)")


def test_the_runbook_shows_a_frame_as_it_is():
    page = (Path(__file__).parents[2] / "runbooks" / "read-the-status.md").read_text(encoding="utf-8")
    assert "```text\n" + "\n".join(frames()["troubles", 80]) + "\n```" in page


def test_it_is_drawn_anew_only_where_it_has_changed():
    scene = SCENES["moving"]()
    picture = Picture(scene.along, "PLAN", ticks=False)
    picture.begin(scene.along.state)
    console = Console(file=StringIO(), width=80, height=24, force_terminal=True)
    assert picture.is_another(console.options)
    console.print(picture)
    assert not picture.is_another(console.options)
    assert picture.is_another(console.options.update(width=100)), "the terminal was made wider"
    picture.notice(Released(migration="dmsa-web", by="ann", reason="again"), AT)
    assert picture.is_another(console.options)
