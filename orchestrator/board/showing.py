"""One page as it is open somewhere, perhaps two hundred times: drawn once, and what changed on it since when.

No page has a queue. Each part knows the version of what was seen in which it changed last, so whoever asks is told
what is newer than what he has, in one piece: a page that did not listen for an hour gets the newest state, once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import Any

from markupsafe import Markup

from orchestrator import __version__
from orchestrator.board.ink import Ink
from orchestrator.board.page import Page, Part
from orchestrator.board.sight import Line

NEVER = 0
"""Before every version."""


@dataclass(frozen=True)
class Change:
    """What is newer on a page. ``anew`` says that it has another shape now and is to be loaded again."""

    title: str
    parts: Mapping[str, str] = field(default_factory=dict)
    rows: tuple[str, ...] = ()
    anew: bool = False

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.parts or self.rows or self.anew)

    @property
    def document(self) -> dict[str, Any]:
        """The change as JSON data. Rows are newest first."""
        return {"title": self.title, "parts": dict(self.parts), "rows": list(self.rows), "anew": self.anew}


@dataclass
class _Drawn:
    part: Part
    html: Markup
    since: int


class Showing:
    """One page, drawn."""

    def __init__(self, ink: Ink, page: Page, version: int) -> None:
        self._ink, self._page = ink, page
        self.shape = _shape(page)
        self._parts = {part.id: self._drawn(part, version) for part in page.parts}
        self._rows = [(line["seq"], self._row(line)) for line in page.rows or ()]
        self._row_since = [version] * len(self._rows)
        self.version = version

    def take_in(self, page: Page, version: int) -> bool:
        """Draw what is not as it was; return False where the page has another shape now, and is to be shown anew."""
        if _shape(page) != self.shape:
            return False
        for part in page.parts:
            if part.data != self._parts[part.id].part.data:
                self._parts[part.id] = self._drawn(part, version)
        self._take_in_rows(page.rows or (), version)
        self._page, self.version = page, version
        return True

    def since(self, version: int, shape: str) -> Change:
        """Return what is newer than *version* on a page that was loaded in *shape*."""
        if shape != self.shape:
            return Change(self._page.title, anew=True)
        parts = {id_: str(one.html) for id_, one in self._parts.items() if one.since > version}
        rows = tuple(str(html) for (_, html), at in zip(self._rows, self._row_since, strict=True) if at > version)
        return Change(self._page.title, parts, rows)

    def whole(self, frame: Mapping[str, Any]) -> Markup:
        """Return the page; *frame* is what every page has around it."""
        parts = {id_: one.html for id_, one in self._parts.items()}
        rows = [html for _, html in self._rows]
        return self._ink.draw(
            self._page.template, {**frame, **self._page.frame, "title": self._page.title, "parts": parts, "rows": rows}
        )

    def _drawn(self, part: Part, version: int) -> _Drawn:
        return _Drawn(part, self._ink.draw(part.template, {**part.data, "id": part.id}), version)

    def _row(self, line: Line) -> Markup:
        return self._ink.draw("row.html", {"row": line, "plan": self._page.frame["plan"]})

    def _take_in_rows(self, lines: tuple[Line, ...], version: int) -> None:
        newest = self._rows[0][0] if self._rows else 0
        new = [(line["seq"], self._row(line)) for line in lines if line["seq"] > newest]
        self._rows = [*new, *self._rows][: len(lines)]
        self._row_since = [*([version] * len(new)), *self._row_since][: len(lines)]


def _shape(page: Page) -> str:
    """Return a short word that is another one as soon as a page has other parts, or another frame around them."""
    whole = [
        __version__,
        page.template,
        page.frame,
        [(part.id, part.template) for part in page.parts],
        page.rows is None,
    ]
    return blake2s(json.dumps(whole, sort_keys=True).encode(), digest_size=6).hexdigest()
