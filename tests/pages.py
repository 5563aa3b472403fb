"""The pages that people read: their blocks, what the marks above a block say, and the commands in it.

A mark is a comment in the line above a block's fence, or among those at the top of a page; it is not seen by a reader:

- ``<!-- not run: WHY -->``: nothing runs this block; :data:`REASONS` has every reason that counts, and what must be so.
- ``<!-- stays until TEXT -->``: the block's one command stays; the page goes on once it has printed the text.
- ``<!-- walkthrough: PLACE -->``: a developer writes this into a file of the program, or runs it (``run``).
- ``<!-- begins after: COMMAND -->``: at the top of a page; what was done before its first command.
- ``<!-- needs: SERVER -->``: at the top of a page; what must run on loopback for its commands (:mod:`tests.needs`).

A block of commands (``console``) without a mark is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.documents import PAGES, ROOT

FENCE = re.compile(
    r"(?:^ *<!-- (?P<mark>[^\n]+?) -->\n)?^(?P<by> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=by)```$",
    re.DOTALL | re.MULTILINE,
)
BEGINS = re.compile(r"^<!-- begins after: (.+) -->$", re.MULTILINE)
NEEDS = re.compile(r"^<!-- needs: (.+) -->$", re.MULTILINE)
STAYS, NOT_RUN, WALKTHROUGH = "stays until ", "not run: ", "walkthrough: "
DATA = {"json", "yaml", "mermaid"}
"""Languages of blocks that hold no command; other tests read them."""


@dataclass(frozen=True)
class Block:
    """What stands between two fences, and the mark above it."""

    page: str
    language: str
    text: str
    mark: str

    @property
    def steps(self) -> Iterator[tuple[str, str]]:
        """The commands, each with the output that the page shows."""
        for step in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            yield command, shown


@dataclass(frozen=True)
class Step:
    """A command that a reader types, what he sees, and the text until which it stays, where it does."""

    command: str
    shown: str
    stays_until: str | None = None


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page.name, found["language"], _dedented(found["text"], found["by"]), _mark(found["mark"]))
        for found in FENCE.finditer(text)
    ]


def _mark(found: str | None) -> str:
    return "" if found is None or found.startswith(("begins after: ", "needs: ")) else found


def _dedented(text: str, by: str) -> str:
    return "".join(line.removeprefix(by) for line in text.splitlines(keepends=True))


def begins_after(page: Path) -> tuple[str, ...]:
    """Return what was done before a page's first command."""
    return tuple(BEGINS.findall(page.read_text(encoding="utf-8")))


def needs(page: Path) -> tuple[str, ...]:
    """Return the servers that must run for a page's commands."""
    return tuple(NEEDS.findall(page.read_text(encoding="utf-8")))


def steps(page: Path) -> list[Step]:
    """Return everything that a reader of the page types, in its order."""
    return [
        Step(command, shown, block.mark.removeprefix(STAYS) if block.mark.startswith(STAYS) else None)
        for block in blocks(page)
        if block.language == "console" and not block.mark.startswith((NOT_RUN, WALKTHROUGH))
        for command, shown in block.steps
    ]


RUNNABLE = tuple(page for page in PAGES if steps(page))
"""Every page with commands that are run."""


def _powershell(block: Block) -> bool:
    """Whether each line calls a cmdlet, continues a call, or calls a tool of Windows; and nothing of this program."""
    return bool(re.search(r"\b[A-Z][a-z]+-[A-Z]\w+|\brepadmin\b", block.text)) and not re.search(
        r"^(?:\$ )?dmsa ", block.text, re.MULTILINE
    )


def _named(block: Block) -> bool:
    test = ROOT / "tests" / block.mark.partition(" by ")[2]
    return test.is_file() and block.page in test.read_text(encoding="utf-8")


def _output(block: Block) -> bool:
    return not re.search(r"^\s*(?:\$ |dmsa |python |\.venv/)", block.text, re.MULTILINE)


REASONS: dict[str, Callable[[Block], bool]] = {
    "for Windows": _powershell,
    "output": _output,
    "the log-on of another domain": lambda block: "ktutil" in block.text,
    "takes hours": lambda block: block.page == "figures.md",
    "read by": _named,
    "for cron": lambda block: bool(re.match(r"(?:[*\d/,-]+ ){5}\S", block.text)),
    "a form": lambda block: bool(re.search(r"\b[A-Z]{4,}\b", block.text)),
    "for psql": lambda block: block.language == "sql",
    "makes a virtual environment": lambda block: "-m venv" in block.text,
}
"""Why a block is not run, and what must be so where that is said."""


def why_not(block: Block) -> str | None:
    """Return the reason that a block gives for not being run; None if it gives none that holds."""
    said = block.mark.removeprefix(NOT_RUN) if block.mark.startswith(NOT_RUN) else ""
    return next((why for why, holds in REASONS.items() if said.startswith(why) and holds(block)), None)


class Placed(NamedTuple):
    """A block of a walkthrough: a file, or lines after, or instead of, one of its lines; ``run``: commands."""

    where: str
    line: str
    instead: bool
    block: Block


def walkthrough(page: Path) -> list[Placed]:
    """Return what a page tells a developer to write and run, in its order."""
    found = []
    for block in blocks(page):
        if block.mark.startswith(WALKTHROUGH):
            where, how, line = re.split(r", (after|instead of) ", f"{block.mark.removeprefix(WALKTHROUGH)}, after ")[:3]
            found.append(Placed(where, line.removesuffix(", after "), how == "instead of", block))
    return found
