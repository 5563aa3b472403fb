"""A terminal's lines as a drawing (SVG): letters stay letters, nothing is asked of a network, the same is the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import escape

from tests.pictures.screen import Cell, Style

LETTER, LINE, MARGIN = 8.4, 19, 16
"""Width of a letter, height of a line, and what is left free around them, in pixels."""
PAPER, INK, QUIET = "#161b22", "#e6edf3", "#9aa7b4"
PALETTE = (
    *("#8b949e", "#ff9b93", "#7ee2a0", "#f2cc60", "#8ac4ff", "#e2b6ff", "#76e3ea", "#e6edf3"),
    *("#b1bac4", "#ffb3ad", "#a0f0b8", "#f7dc8b", "#b3d9ff", "#edd0ff", "#a5f0f4", "#ffffff"),
)
"""The 16 colours of a terminal, each at 4.5:1 or more on the paper."""
_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<title>{title}</title>
<style>
text {{ font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; white-space: pre }}
.b {{ font-weight: 700 }} .i {{ font-style: italic }} .u {{ text-decoration: underline }}
</style>
<rect width="{width}" height="{height}" rx="8" fill="{paper}"/>
<g fill="{ink}">
{lines}
</g>
</svg>
"""


def drawn(command: str, lines: list[list[Cell]], columns: int) -> str:
    """Return the drawing of a command as it was typed, and of the lines below it."""
    prompt: list[Cell] = [("$", Style(dim=True)), (" ", Style()), *((letter, Style(bold=True)) for letter in command)]
    rows = [prompt, *lines]
    return _FRAME.format(
        width=round(columns * LETTER + 2 * MARGIN),
        height=len(rows) * LINE + 2 * MARGIN,
        title=escape(command),
        ink=INK,
        paper=PAPER,
        lines="\n".join(line for row, cells in enumerate(rows) for line in _line(cells, row)),
    )


def _line(cells: list[Cell], row: int) -> Iterator[str]:
    at = 0
    for style, run in groupby(cells, key=lambda cell: cell[1]):
        text = "".join(letter for letter, _ in run)
        begins = at + len(text) - len(text.lstrip(" "))
        at += len(text)
        if text.strip(" "):
            yield _words(text.strip(" "), style, begins, row)


def _words(text: str, style: Style, column: int, row: int) -> str:
    marks = "".join(mark for mark, on in zip("biu", (style.bold, style.italic, style.underlined), strict=True) if on)
    colour = QUIET if style.dim else None if style.colour is None else PALETTE[style.colour]
    look = (f' class="{" ".join(marks)}"' if marks else "") + (f' fill="{colour}"' if colour else "")
    x, y = MARGIN + column * LETTER, MARGIN + (row + 0.75) * LINE
    # The length keeps columns in line where the reader's font is wider or narrower than ours.
    return f'<text x="{x:g}" y="{y:g}" textLength="{len(text) * LETTER:g}"{look}>{escape(text)}</text>'
