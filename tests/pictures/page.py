"""Pictures of pages: board and report of the story, in a browser of fixed size, for light and dark."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests import story
from tests.boards import JOURNAL, board, with_plans
from tests.browser import Scheme, started, visiting
from tests.pictures.album import say

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PLAN = "plans/waves.yaml"


@dataclass(frozen=True)
class Shot:
    """A page as a reader meets it: so wide, so much of it, by day or by night."""

    of: Literal["board", "report"]
    scheme: Scheme
    width: int = 1240
    height: int = 838
    path: str = "plans/waves/wave?name=many"
    """Which page of the board."""


SHOTS = {
    "board-light.png": Shot("board", "light"),
    "board-dark.png": Shot("board", "dark"),
    "board-phone.png": Shot("board", "light", 375, 720),
    "report-light.png": Shot("report", "light", 1100, 760),
    "report-dark.png": Shot("report", "dark", 1100, 760),
}


@contextmanager
def places(folder: Path, shots: Sequence[Shot]) -> Iterator[dict[str, str]]:
    """Lay out what the pictures show: yield the address of the board, and of the report, of those that are wanted."""
    with_plans(folder)
    story.write(folder / JOURNAL, end=story.middle())
    found = {}
    with ExitStack() as afterwards:
        if any(shot.of == "board" for shot in shots):
            found["board"] = afterwards.enter_context(board(folder, PLAN))
        if any(shot.of == "report" for shot in shots):
            say(folder, "report", PLAN, "-o", "report.html")
            found["report"] = (folder / "report.html").as_uri()
        yield found


def photographed(browser: Browser, shot: Shot, address: str) -> bytes:
    """Return the picture of a page (PNG)."""
    url = f"{address}{shot.path}" if shot.of == "board" else address
    with visiting(browser, url, width=shot.width, height=shot.height, scheme=shot.scheme) as page:
        if shot.of == "board":
            page.wait_for_selector("#link[data-is=live]")
        taken: bytes = page.screenshot()
        return taken


_APART = """async pictures => {
    const [one, two] = await Promise.all(pictures.map(async picture => {
        const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
        const drawing = new OffscreenCanvas(image.width, image.height).getContext('2d');
        drawing.drawImage(image, 0, 0);
        return drawing.getImageData(0, 0, image.width, image.height);
    }));
    if (one.width !== two.width || one.height !== two.height) return 1;
    let apart = 0;
    for (let at = 0; at < one.data.length; at += 4)
        if ([0, 1, 2].some(part => Math.abs(one.data[at + part] - two.data[at + part]) > 48)) apart += 1;
    return apart / (one.width * one.height);
}"""
ENOUGH = 0.0005
"""Which part of the pixels must differ clearly: another release of Chromium smooths letters in another way."""


def is_another(browser: Browser, path: Path, picture: bytes) -> bool:
    """Whether somebody would see a difference between the picture at *path* and this one."""
    if not path.exists():
        return True
    page = browser.new_page()
    both = [base64.b64encode(one).decode() for one in (path.read_bytes(), picture)]
    apart: float = page.evaluate(_APART, both)
    page.close()
    return apart > ENOUGH


@contextmanager
def camera(folder: Path, shots: Sequence[Shot]) -> Iterator[tuple[Browser, dict[str, str]]]:
    """Yield a browser, and where it finds what it is to take pictures of."""
    with started() as browser, places(folder, shots) as found:
        yield browser, found
