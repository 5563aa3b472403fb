"""Make the pictures anew, all or those named: ``python -m tests.pictures [NAME...]``.

A picture that shows the same as the one that lies there is left as it lies there: other times and durations, or letters
that are smoothed in another way, are no news.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.pictures.album import FOLDER, SCENES, folder_for
from tests.pictures.drawing import drawn
from tests.pictures.page import SHOTS, camera, is_another, photographed
from tests.pictures.terminal import taken

PICTURES = frozenset(SCENES) | frozenset(SHOTS)
"""Every picture that is made."""

_PASSING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d+:\d\d:\d\d|\d\d:\d\dZ")
"""What is another each time: estate time goes on while a machine works."""


def of_a_terminal(name: str) -> str:
    """Return the drawing of a scene."""
    scene = SCENES[name]
    with TemporaryDirectory() as folder:
        lines = taken(scene.take, folder_for(scene, Path(folder)))
    return drawn(scene.take.command, lines, scene.take.columns)


def is_news(path: Path, drawing: str) -> bool:
    """Whether a drawing says anything else than the one at *path*."""
    return not path.exists() or _PASSING.sub("", path.read_text(encoding="utf-8")) != _PASSING.sub("", drawing)


def draw(names: Collection[str]) -> None:
    """Make pictures of a terminal."""
    for name in sorted(names):
        drawing = of_a_terminal(name)
        _keep(FOLDER / name, drawing.encode(), news=is_news(FOLDER / name, drawing))


def photograph(names: Collection[str]) -> None:
    """Make pictures of pages."""
    with TemporaryDirectory() as folder, camera(Path(folder), [SHOTS[name] for name in names]) as (browser, found):
        for name in sorted(names):
            picture = photographed(browser, SHOTS[name], found[SHOTS[name].of])
            _keep(FOLDER / name, picture, news=is_another(browser, FOLDER / name, picture))


def _keep(path: Path, picture: bytes, *, news: bool) -> None:
    if news:
        path.write_bytes(picture)
    sys.stdout.write(f"{path.name}: {'made anew' if news else 'as it was'}\n")
    sys.stdout.flush()


def main(names: list[str]) -> None:
    """Make the pictures of these names, or all."""
    strangers = set(names) - PICTURES
    if strangers:
        sys.exit(f"no picture is called {', '.join(sorted(strangers))}; there are {', '.join(sorted(PICTURES))}")
    wanted = set(names) or PICTURES
    FOLDER.mkdir(exist_ok=True)
    draw(wanted & SCENES.keys())
    if wanted & SHOTS.keys():
        photograph(wanted & SHOTS.keys())


if __name__ == "__main__":
    main(sys.argv[1:])
