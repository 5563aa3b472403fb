"""The report in a real browser, as a file: it asks nobody anything, and every reader can use it, screen or paper."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from tests import story
from tests.boards import JOURNAL, ROOT, with_plans
from tests.browser import (
    OF_COLOUR,
    PHONE,
    SCHEMES,
    WALL,
    Visit,
    chromium,
    too_wide,
    unreached,
    violations,
    violations_by_day_and_night,
    visiting,
)
from tests.report.reports import page_of, reported, texts
from tests.report.test_hostile import ATTACKS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["chromium"]

pytestmark = pytest.mark.service

NAMES = ("middle", "end")
PAPER = 720
"""About what A4 is wide between its margins, in CSS pixels (190 mm at 96 to the inch)."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The reports of the story: in its middle, with a migration of every kind, and at its end, with a way back."""
    found = {}
    for name, end in (("middle", story.middle()), ("end", None)):
        folder = with_plans(tmp_path_factory.mktemp(name))
        story.write(folder / JOURNAL, end=end)
        found[name] = folder / "report.html"
        words = (str(folder / "plans" / "waves.yaml"), "--journal", str(folder / JOURNAL), "-o", str(found[name]))
        written = CliRunner().invoke(app, ["report", *words])
        assert written.exit_code == 0, written.output
    return found


@contextlib.contextmanager
def opened(browser: Browser, report: Path, **screen: object) -> Iterator[Page]:
    """Open a report as a file, and everything on it that can be opened."""
    with visiting(browser, report.as_uri(), **screen) as page:
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        yield page


def test_it_asks_for_nothing_but_itself(chromium, reports):
    """Not even once everything is opened, and the reader follows each of its links."""
    with contextlib.closing(chromium.new_context()) as context:
        page = context.new_page()
        visit = Visit(page)
        page.goto(reports["end"].as_uri())
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        for link in page.locator("a[href]").all()[:40]:
            link.evaluate("one => one.click()")
        assert visit.asked == [reports["end"].as_uri()]
        assert visit.complaints == []
        assert page.locator("script, iframe, object, embed, link[href]").count() == 0


def test_what_people_and_directories_say_is_text(chromium, tmp_path):
    document, turn = copy.deepcopy(reported("released-4-held")), itertools.cycle(ATTACKS)
    for holder, key in list(texts(document)):
        holder[key] = next(turn)
    (tmp_path / "report.html").write_bytes(page_of(document))
    with opened(chromium, tmp_path / "report.html", width=PHONE) as page:
        assert page.locator("script, img, [onmouseover]").count() == 0
        assert ATTACKS[0] in page.inner_text("main")


def test_every_link_leads_to_something_on_the_page(chromium, reports):
    for name in NAMES:
        with opened(chromium, reports[name]) as page:
            dead = page.evaluate(
                "() => [...document.querySelectorAll('a')].map(one => one.getAttribute('href')).filter("
                "to => !to.startsWith('#') || !document.getElementById(decodeURIComponent(to.slice(1))))"
            )
            twice = page.evaluate(
                "() => [...document.querySelectorAll('[id]')].map(one => one.id)"
                ".filter((id, at, all) => all.indexOf(id) !== at)"
            )
        assert (dead, twice) == ([], [])


@pytest.mark.parametrize(("name", "width"), [("middle", PHONE), ("middle", WALL), ("end", PHONE)])
def test_every_reader_can_use_it_on_every_screen(chromium, reports, name, width):
    """axe in light and dark; nothing sideways or cut off; everything that a mouse reaches, by the keyboard."""
    with opened(chromium, reports[name], width=width) as page:
        faults = violations_by_day_and_night(page) if width == PHONE else violations(page, without=OF_COLOUR)
        faults += [*too_wide(page), *unreached(page)]
    assert not faults, "\n".join(faults)


def test_on_paper_everything_is_there_and_nothing_is_cut(chromium, reports):
    with visiting(chromium, reports["middle"].as_uri(), width=PAPER, scheme="dark") as page:
        hidden = page.locator("details:not([open])").count()
        assert hidden, "nothing was closed"
        page.emulate_media(media="print")
        drawn = page.locator("details table").evaluate_all(
            "all => all.map(one => one.checkVisibility({contentVisibilityAuto: true}) && one.offsetHeight > 0)"
        )
        assert drawn
        assert all(drawn), f"{drawn.count(False)} of {len(drawn)} tables are not printed"
        assert too_wide(page) == []
        ink, paper = page.evaluate(
            "() => [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert brightness(ink) < 0.3 < 0.9 < brightness(paper), "paper is white, also where the screen is dark"
        assert not page.locator("nav").first.is_visible()
        assert violations(page, only=OF_COLOUR) == []
        assert page.pdf(format="A4").startswith(b"%PDF-")


def brightness(colour: str) -> float:
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    return (red + green + blue) / 3 / 255


LOOK = """one => {
    const before = getComputedStyle(one, '::before');
    return {word: one.textContent.trim(), colour: getComputedStyle(one).color, shape: before.content};
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_waits_what_is_held_and_what_failed_never_look_alike(chromium, reports, scheme):
    with visiting(chromium, reports["middle"].as_uri(), scheme=scheme) as page:
        kinds = ("waits", "held", "failed", "done")
        looks = {kind: page.locator(f"summary .k.{kind}").first.evaluate(LOOK) for kind in kinds}
    for feature in ("word", "shape", "colour"):
        assert len({look[feature] for look in looks.values()}) == len(kinds), (feature, json.dumps(looks))


def test_what_matters_is_said_before_anybody_scrolls(chromium, reports):
    with visiting(chromium, reports["middle"].as_uri(), width=1280, height=800) as page:
        for said in (".verdict", "text=1 has failed", "text=dmsa release"):
            box = page.locator(said).first.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= 800, f"{said} stands below the first screen"


def test_states_have_the_colours_that_they_have_on_the_board():
    templates, assets = ROOT / "orchestrator" / "report" / "templates", ROOT / "orchestrator" / "board" / "assets"
    report, of_board = (
        dict(re.findall(r"--(done|moving|waits|held|failed|back): (light-dark\([^)]+\));", path.read_text()))
        for path in (templates / "style.css", assets / "board.css")
    )
    assert report == of_board
    assert len(report) == 6
