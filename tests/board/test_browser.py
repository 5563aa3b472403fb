"""The board in a real browser: live while the wave runs, told apart at a glance, for every reader, on every screen."""

from __future__ import annotations

import contextlib
import html
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import yaml

from orchestrator.board.page import KINDS
from orchestrator.journal import open_journal
from orchestrator.model.event import VERSION, Held, to_body
from orchestrator.model.lifecycle import PATH
from tests import story
from tests.board.certificate import write_certificate
from tests.boards import JOURNAL, ROOT, board, with_plans
from tests.browser import (
    OF_COLOUR,
    PHONE,
    SCHEMES,
    WALL,
    WIDTHS,
    chromium,
    too_wide,
    unreached,
    violations,
    violations_by_day_and_night,
    visiting,
)
from tests.cli.running import running

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["chromium"]

pytestmark = pytest.mark.service

PLAN = "plans/waves.yaml"
PAGES = {
    "overview": "",
    "plan": "plans/waves",
    "wave": "plans/waves/wave?name=many",
    "migration": "plans/waves/migration?name=dmsa-web",
    "host": "plans/waves/host?name=app03.corp.example",
    "hosts": "plans/waves/hosts",
    "ledger": "plans/waves/ledger",
    "journal": "plans/waves/journal",
    "one-in-the-journal": "plans/waves/journal?migration=dmsa-web",
    "nothing": "plans/waves/wave?name=nothing",
}


@pytest.fixture(scope="module")
def at_rest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A board on the middle of the story, to which nothing is added."""
    folder = with_plans(tmp_path_factory.mktemp("at-rest"))
    story.write(folder / JOURNAL, end=story.middle())
    with board(folder, PLAN) as url:
        yield url


@pytest.fixture
def beginning(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A board on the story while the pilot begins, and the journal, for a test that tells on from there."""
    folder = with_plans(tmp_path)
    story.write(folder / JOURNAL, end=BEGINS)
    with board(folder, PLAN) as url:
        yield url, folder / JOURNAL


BEGINS = 30


# Live.


def phases(page: Page) -> dict[str, str]:
    """Return the phase of each migration that a page shows."""
    shown = page.locator("li.migration").evaluate_all(
        "all => all.map(one => [one.querySelector('a').textContent, one.dataset.phase])"
    )
    return dict(shown)


def is_live(page: Page) -> None:
    page.wait_for_selector("#link[data-is=live]")
    page.evaluate("window.same = true")


def has_stayed(page: Page) -> bool:
    """Whether the page was never loaded anew since it was live."""
    stayed: bool = page.evaluate("window.same === true")
    return stayed


def test_a_wave_that_runs_is_seen_to_move(chromium, tmp_path):
    """The board is there before the journal; then comes a real run over the wire, held back so that it can be seen."""
    folder = with_plans(tmp_path)
    run = (sys.executable, "-m", "orchestrator", "run", "plans/one-account.yaml")
    with board(folder, "plans/one-account.yaml") as url, visiting(chromium, f"{url}plans/one-account") as page:
        is_live(page)
        assert phases(page) == {"dmsa-mail": "planned"}
        seen = []
        with running(run, folder, {"PYTHONPATH": str(ROOT)}) as runner:
            runner.until(lambda line: "drives" in line)
            page.wait_for_selector("text=Driven by")
            for phase in PATH[1:]:
                runner.until(lambda line, phase=phase: line.rstrip().endswith(f"-> {phase}"))
                later = ",".join(f'li.migration[data-phase="{one}"]' for one in PATH[PATH.index(phase) :])
                page.wait_for_selector(later)
                seen.append(phases(page)["dmsa-mail"])
            assert runner.end().returncode == 0
        assert seen[-1] == "completed"
        assert len(set(seen)) > 3, f"the page did not keep up: {seen}"
        assert seen == sorted(seen, key=[*PATH].index)
        page.wait_for_selector("text=Nobody drives now")
        assert has_stayed(page)


def test_what_the_journal_says_comes_to_every_page_without_loading_it_anew(chromium, beginning):
    url, journal = beginning
    with visiting(chromium, f"{url}plans/waves") as plan, visiting(chromium, f"{url}plans/waves/journal") as rows:
        for page in (plan, rows):
            is_live(page)
        assert phases(plan) == {**dict.fromkeys(("dmsa-report", "dmsa-web", "dmsa-sync", "dmsa-erp"), "planned")} | {
            "dmsa-batch": "linked"
        }
        story.write(journal, BEGINS, story.middle())
        plan.wait_for_selector("li.migration.held")
        assert phases(plan) == {
            "dmsa-batch": "completed",
            "dmsa-report": "restarted",
            "dmsa-web": "registered",
            "dmsa-sync": "restarted",
            "dmsa-erp": "planned",
        }
        assert "A person is needed: 2" in plan.inner_text(".needs")
        rows.wait_for_selector(f"#r-{story.middle()}")
        assert rows.locator("#rows tr").count() == 100
        story.write(journal, story.middle())
        plan.wait_for_selector('li.migration.failed[data-phase="rolled_back"]')
        assert sorted(set(phases(plan).values())) == ["completed", "rolled_back"]
        assert all(map(has_stayed, (plan, rows)))


MARKUP = "<img src=x onerror=console.error('in')><script>console.error('in')</script>"


def test_what_a_journal_says_is_text_also_where_it_comes_live(chromium, beginning):
    url, journal = beginning
    held = Held(migration="dmsa-batch", reason="operator", detail=MARKUP, release=f"`{MARKUP}`", by=MARKUP)
    with visiting(chromium, f"{url}plans/waves") as plan, visiting(chromium, f"{url}plans/waves/journal") as rows:
        for page in (plan, rows):
            is_live(page)
        with contextlib.closing(open_journal(journal, create=False)) as opened:
            story.append(opened, [row_like(held)])
        plan.wait_for_selector("li.migration.held")
        rows.wait_for_selector(f"#r-{BEGINS + 1}")
        for page in (plan, rows):
            assert MARKUP in page.inner_text("main")
            assert page.locator("main img, main script").count() == 0


def row_like(event: Held) -> Any:
    """Return a row of the story that says something else."""
    last = story.rows()[BEGINS - 1]
    return type(last)(
        **{**last.__dict__, "kind": event.kind, "version": VERSION, "body": to_body(event), "epoch": None}
    )


def test_what_a_plan_says_is_text_on_every_page(chromium, tmp_path):
    folder = with_plans(tmp_path)
    plan = yaml.safe_load((folder / "plans" / "one-account.yaml").read_text())
    plan |= {"change": MARKUP, "owner": MARKUP, "description": MARKUP}
    plan["waves"][0]["name"] = MARKUP
    (migration,) = plan["waves"][0]["migrations"]
    migration["account"] = r"CN=\3Cimg src\3Dx onerror\3Dconsole.error(1)\3E,OU=Service Accounts,DC=corp,DC=example"
    migration["hosts"][0]["services"] = [MARKUP]
    (folder / "plans" / "hostile.json").write_text(json.dumps(plan))
    seen = set()
    with board(folder, "plans/hostile.json") as url, visiting(chromium, url) as page:
        wanted = [url]
        for address in wanted:
            page.goto(address)
            seen.add(page.inner_text("h1"))
            links = page.locator("a[href]").evaluate_all("all => all.map(one => one.href.split('#')[0])")
            wanted += [link for link in dict.fromkeys(links) if link not in wanted]
            assert page.locator("main img, main script").count() == 0, address
            assert too_wide(page) == [], address
    assert seen > {f"Wave {MARKUP}", "dmsa-mail"}


def test_a_board_that_is_gone_is_told_to_be_gone(chromium, tmp_path):
    folder = with_plans(tmp_path)
    with visiting(chromium, "about:blank", forgives="net::ERR_") as page:
        with board(folder, PLAN) as url:
            page.goto(url)
            is_live(page)
        page.wait_for_selector("#link[data-is=lost]")
        assert page.inner_text("#link").startswith("connection lost since ")


# Told apart.


LOOK = """one => {
    const mark = one.querySelector('.mark');
    return {word: mark.textContent.trim(), shape: mark.querySelector('svg').innerHTML.trim(),
            colour: getComputedStyle(mark).color, edge: getComputedStyle(one).borderLeftStyle,
            edged: getComputedStyle(one).borderLeftColor};
}"""


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_waits_what_is_held_and_what_failed_never_look_alike(chromium, at_rest, scheme):
    with visiting(chromium, f"{at_rest}plans/waves", scheme=scheme) as page:
        looks = {
            kind: page.locator(f"li.migration.{kind}").first.evaluate(LOOK)
            for kind in ("waits", "held", "failed", "done")
        }
    for feature in ("word", "shape", "colour", "edged"):
        assert len({look[feature] for look in looks.values()}) == len(looks), feature
    assert len({looks[kind]["edge"] for kind in ("waits", "held", "failed")}) == 3
    assert [looks[kind]["word"] for kind in ("waits", "held", "failed")] == ["waits", "HELD", "FAILED"]


def test_what_needs_a_person_is_told_with_the_command_to_give(chromium, at_rest):
    with visiting(chromium, at_rest) as page:
        commands = page.locator(".needs code").all_inner_texts()
    assert commands == [f"dmsa release {PLAN} --only {name} --reason TEXT" for name in ("dmsa-web", "dmsa-sync")]


# Every page, every reader, every screen.


def test_every_page_is_reached_by_clicking(chromium, at_rest):
    with visiting(chromium, at_rest) as page:
        for link, heading in (
            ("waves", "waves"),
            ("many", "Wave many"),
            ("dmsa-web", "dmsa-web"),
            ("app03.corp.example", "app03.corp.example"),
            ("dmsa-web", "dmsa-web"),
            ("Everything of dmsa-web in the journal", "Journal of dmsa-web"),
            ("The newest rows, live", "Journal"),
            ("Older rows", "Journal"),
            ("Hosts", "Hosts"),
            ("Ledger", "Ledger"),
            ("Plan", "waves"),
            ("dmsa board", "All plans"),
        ):
            page.get_by_role("link", name=link, exact=True).first.click()
            assert page.inner_text("h1") == heading, f"after a click on {link}"


def test_every_link_of_every_page_leads_to_a_page(chromium, at_rest):
    """By the requests that clicks would make, for there are many; what pages look like is for others here."""
    with visiting(chromium, at_rest) as page:
        wanted = [at_rest]
        for address in wanted:
            answer = page.request.get(address)
            assert answer.status == 200, address
            links = (
                urljoin(at_rest, html.unescape(link)) for link in re.findall(r'<a [^>]*?href="([^"#]+)', answer.text())
            )
            wanted += [link for link in dict.fromkeys(links) if link not in wanted]
    kinds = {match[1] for address in wanted if (match := re.search(r"/plans/waves/(\w+)", address))}
    assert kinds == {*KINDS} - {"plan"}


@pytest.mark.parametrize("width", WIDTHS)
def test_every_reader_can_use_every_page_on_every_screen(chromium, at_rest, width):
    """axe in light and dark; nothing sideways; everything that a mouse reaches, by the keyboard, and one sees where.

    Colours are the same at every width, and take most of the time.
    """
    found = []
    with visiting(chromium, at_rest, width=width, forgives="404") as page:
        for name, path in PAGES.items():
            page.goto(f"{at_rest}{path}")
            faults = violations_by_day_and_night(page) if width == PHONE else violations(page, without=OF_COLOUR)
            found += [f"{name}: {fault}" for fault in (*faults, *too_wide(page), *unreached(page))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", ["", "plans/waves", "plans/waves/journal"])
def test_no_width_between_a_telephone_and_a_wall_cuts_anything_off(chromium, at_rest, path):
    with visiting(chromium, f"{at_rest}{path}", width=320) as page:
        found = {}
        for width in range(320, WALL, 80):
            page.set_viewport_size({"width": width, "height": 800})
            found[width] = too_wide(page)
    assert {width: faults for width, faults in found.items() if faults} == {}


def test_a_reader_logs_in_with_the_token_and_stays_live(chromium, tmp_path):
    folder = with_plans(tmp_path)
    story.write(folder / JOURNAL, end=BEGINS)
    certificate, key = write_certificate(folder, "board.corp.example")
    (folder / "token").write_text("0123456789abcdef" * 2)
    words = ("--tls-cert", certificate, "--tls-key", key, "--token-file", "token")
    with (
        board(folder, PLAN, *words) as url,
        visiting(chromium, f"{url}plans/waves", width=PHONE, forgives="401") as page,
    ):
        assert (violations(page), too_wide(page), unreached(page)) == ([], [], [])
        page.keyboard.type("not this one, which is long enough")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")
        page.get_by_label("token").fill("0123456789abcdef" * 2)
        page.keyboard.press("Enter")
        is_live(page)
        assert page.inner_text("h1") == "waves"
        story.write(folder / JOURNAL, BEGINS, story.middle())
        page.wait_for_selector("li.migration.held")
        assert has_stayed(page)
