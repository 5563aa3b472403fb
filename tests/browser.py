"""Debian's Chromium for tests: a page stays on its own origin, says nothing on its console, and is held to axe.

The browser is a module's and not a session's: while Playwright's synchronous interface is open, nothing else in the
same thread can run an event loop (``asyncio.run`` refuses), and other modules of the same worker do.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import pytest

from tests import services
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, Request

PROGRAM = "chromium"
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-pings",
    # Only loopback has an address: whatever a page or the browser itself asks of others cannot leave the machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
"""What keeps Chromium off the network (its own list of switches; ``chromium --help``, and Playwright's defaults)."""

PHONE, DESK, WALL = 375, 1280, 1920
"""Widths of a screen, in CSS pixels."""
WIDTHS = (PHONE, WALL)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@contextlib.contextmanager
def started() -> Iterator[Browser]:
    """Start Chromium with an empty profile; it ends with the context, and its profile is gone."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which(PROGRAM),
            chromium_sandbox=False,  # which cannot be had as root, nor in a container; the pages are our own
            args=QUIET,
        )
        with contextlib.closing(browser):
            yield browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser of a module's tests; each visit has a context of its own in it."""
    services.require(PROGRAM, modules=("playwright", "axe_playwright_python"))
    with started() as browser:
        yield browser


class Visit:
    """What a page asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        """Every address that was asked for, in order; ``data:`` addresses ask nobody."""
        self.complaints: list[str] = []
        self._origin: str | None = None
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error on the page: {error}"))
        page.on("framenavigated", self._navigated)

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)
        if self._origin is None:
            self._origin = origin(request.url)
        elif origin(request.url) != self._origin:
            self.complaints.append(f"asks another origin than its own {self._origin}: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            where = message.location.get("url", "")
            self.complaints.append(f"{message.type} on the console: {message.text} ({where})")

    def _navigated(self, frame: Frame) -> None:
        if frame.parent_frame is not None:
            self.complaints.append(f"has a frame: {frame.url}")


def origin(url: str) -> str:
    """Return scheme, host and port of an address; of a file, the whole: another file is another origin."""
    parts = urlsplit(url)
    return url.partition("#")[0] if parts.scheme == "file" else f"{parts.scheme}://{parts.netloc}"


@contextlib.contextmanager
def visiting(
    browser: Browser,
    url: str,
    *,
    width: int = DESK,
    height: int = 800,
    scheme: Scheme = "light",
    forgives: str = "",
    headers: dict[str, str] | None = None,
) -> Iterator[Page]:
    """Open a page in a context of its own, without anything that a page's policy (CSP) is relaxed by.

    At the end of the context the test fails if the page, or one that it led to, asked another origin than its own, had
    an error or a warning on the console or a frame, or broke off with an error.

    Args:
        browser: Chromium, see :func:`chromium`.
        url: where to begin.
        width: of the screen, in CSS pixels.
        height: of the screen.
        scheme: what the reader's system prefers.
        forgives: a text; complaints that contain it are expected. Empty: none are.
        headers: what every request carries beside its own.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        ignore_https_errors=url.startswith("https://127.0.0.1"),
        extra_http_headers=headers,
    )
    context.set_default_timeout(PATIENCE * 1000)
    with contextlib.closing(context):
        page = context.new_page()
        visit = Visit(page)
        page.goto(url)
        yield page
        page.evaluate("() => new Promise(done => setTimeout(done))")  # what it has said by now has arrived by then
    left = [one for one in visit.complaints if not (forgives and forgives in one)]
    assert not left, "\n".join(left)


OF_COLOUR = ("color-contrast", "link-in-text-block")
"""The rules of axe whose answer depends on colours."""


def violations(page: Page, *, only: Sequence[str] = (), without: Sequence[str] = ()) -> list[str]:
    """Return what axe finds serious or critical on a page, each with the first elements it is about.

    axe comes in by the debugging protocol, which no policy of the page applies to, and asks nothing of the network.

    Args:
        page: the page.
        only: the rules to ask; all of them where there are none.
        without: the rules not to ask.
    """
    from axe_playwright_python.base import AXE_SCRIPT

    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE_SCRIPT)
    options = {"resultTypes": ["violations"], "rules": {rule: {"enabled": False} for rule in without}}
    found = page.evaluate("options => axe.run(document, options)", options | ({"runOnly": [*only]} if only else {}))
    return [
        f"{one['id']} ({one['impact']}): {one['help']}; {node['html'][:200]} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"][:3]
    ]


def violations_by_day_and_night(page: Page) -> list[str]:
    """Return what :func:`violations` returns by day, and beside it what only colours of the night make wrong."""
    page.emulate_media(color_scheme="light")
    by_day = violations(page)
    page.emulate_media(color_scheme="dark")
    return by_day + [f"by night: {one}" for one in violations(page, only=OF_COLOUR)]


_TOO_WIDE = """() => {
    const all = [...document.body.querySelectorAll('*')].filter(one => one instanceof HTMLElement), found = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) {
        found.push(`the page is ${root.scrollWidth} wide, the screen ${root.clientWidth}`);
        const beyond = all.filter(one => one.getBoundingClientRect().right > root.clientWidth + 1);
        found.push(...beyond.slice(0, 5).map(one => one.outerHTML.slice(0, 160)));
    }
    for (const one of all) {
        const style = getComputedStyle(one), right = one.getBoundingClientRect().right;
        const cuts = /hidden|clip/.test(style.overflowX) && style.display !== 'inline';
        const paints = style.contentVisibility === 'auto' || /paint|content|strict/.test(style.contain);
        const beyond = paints && [...one.children].find(inner => inner.getBoundingClientRect().right > right + 1);
        if (beyond || (cuts && one.scrollWidth > one.clientWidth + 1))
            found.push(`cut off: ${(beyond || one).outerHTML.slice(0, 160)}`);
    }
    return found;
}"""


def too_wide(page: Page) -> list[str]:
    """Return why a page scrolls sideways, with the first elements beyond the screen, and which boxes cut something off.

    What scrolls within itself (a table in a box of its own) is no fault.
    """
    found: list[str] = page.evaluate(_TOO_WIDE)
    return found


_REACHABLE = """() => {
    const wanted = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
    const all = [...document.querySelectorAll(wanted)].filter(one => !one.disabled && one.checkVisibility());
    window.reached = {};
    document.addEventListener('focusin', event => {
        const style = getComputedStyle(event.target);
        const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
        window.reached[all.indexOf(event.target)] = outlined || style.boxShadow !== 'none';
    });
    document.body.tabIndex = -1;  // so that Tab begins at the top, wherever the focus was
    document.body.focus();
    document.body.removeAttribute('tabindex');
    return all.map(one => one.outerHTML.slice(0, 120));
}"""
_BOXES = 20
"""How many boxes that scroll a page may have: Tab stops at them too."""


def unreached(page: Page) -> list[str]:
    """Press Tab through a page; return what can be operated and was not reached, or showed nothing when it was."""
    names: list[str] = page.evaluate(_REACHABLE)
    for _ in range(len(names) + _BOXES):
        page.keyboard.press("Tab")
    found: dict[str, bool] = page.evaluate("window.reached")
    missed = [f"not reached by Tab: {name}" for index, name in enumerate(names) if str(index) not in found]
    dark = [f"shows no focus: {names[int(index)]}" for index, shown in found.items() if index != "-1" and not shown]
    return missed + dark
