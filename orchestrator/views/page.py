"""A text of many lines for a person: on a terminal broken at its width and with its marks in colour, else as it is.

In a pipe nothing is broken, so that a line that is looked for is one line. A line with a command is never broken, so
that it can be copied: the terminal breaks it. Nor is a line of a file with its number, and the caret below it.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterator

from orchestrator.views.marks import MARK_WIDTH
from orchestrator.views.output import say, visible

_COMMAND = re.compile(r"\bdmsa [a-z]")
_EXCERPT = re.compile(r" *[0-9]* \| ")
_MARK = re.compile(rf"^  \S.*?  (?P<mark>waits|HELD|FAILED)(?: {{1,{MARK_WIDTH}}}\S)")
_STYLES = {"waits": "cyan", "HELD": "bold yellow", "FAILED": "bold red"}


def laid_out(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a text, those that are longer than *width* broken between words, with their margin."""
    for line in text.split("\n"):
        if len(line) <= width or _COMMAND.search(line) or _EXCERPT.match(line):
            yield line
            continue
        margin = line[: len(line) - len(line.lstrip())]
        yield from textwrap.wrap(
            line,
            max(20, width),
            subsequent_indent=f"{margin}  ",
            break_long_words=False,
            break_on_hyphens=False,
            replace_whitespace=False,
            drop_whitespace=True,
        )


def mark_in(line: str) -> tuple[int, int, str] | None:
    """Return where the mark of a migration's line begins and ends, and its style; None where there is none."""
    found = _MARK.match(line)
    return (*found.span("mark"), _STYLES[found["mark"]]) if found else None


def say_page(text: str) -> None:
    """Write a text for a person."""
    if not sys.stdout.isatty() or os.environ.get("TERM", "").lower() in {"dumb", "unknown"}:
        say(text)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in laid_out(visible(text), console.width):
        shown, mark = Text(line), mark_in(line)
        if mark is not None:
            shown.stylize(mark[2], mark[0], mark[1])
        console.print(shown, soft_wrap=True)
