"""Make the pictures anew, all or those named: ``python -m tests.pictures [NAME...]``.

A picture that says the same as the one that lies there, but for times and durations, is left as it lies there: what was
taken on another machine or at another speed is no news.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.pictures.album import FOLDER, PICTURES, SCENES, folder_for
from tests.pictures.drawing import drawn
from tests.pictures.terminal import taken

_PASSING = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d+:\d\d:\d\d")
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


def main(names: list[str]) -> None:
    """Make the pictures of these names, or all."""
    strangers = set(names) - PICTURES
    if strangers:
        sys.exit(f"no picture is called {', '.join(sorted(strangers))}; there are {', '.join(sorted(PICTURES))}")
    FOLDER.mkdir(exist_ok=True)
    for name in sorted(names or PICTURES):
        drawing = of_a_terminal(name)
        news = is_news(FOLDER / name, drawing)
        if news:
            (FOLDER / name).write_text(drawing, encoding="utf-8")
        sys.stdout.write(f"{name}: {'made anew' if news else 'as it was'}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
