"""Draws templates. Whatever a plan, a directory or a person wrote is text here, and never anything else.

Every value is escaped. Before that, what is no printable character is shown as its escape, line breaks apart: a name
cannot turn the reading direction of a line around, hide something, or break the encoding of the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from orchestrator.board.page import Address
from orchestrator.report.drawings import ledger_curve, wave_timeline
from orchestrator.report.shown import shown

_CODE = re.compile(r"`([^`]+)`")


class Ink:
    """The templates of the board."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("orchestrator.board"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=visible,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters["said"] = said
        self._templates.globals |= {"to": to, "curve": ledger_curve, "timeline": wave_timeline}

    def draw(self, template: str, data: Mapping[str, Any]) -> Markup:
        """Return a template, drawn with data."""
        return Markup(self._templates.get_template(template).render(data))  # noqa: S704 - every value in it is escaped


def to(kind: str, plan: str, name: str = "", before: int | None = None) -> str:
    """Return the URL of a page."""
    return Address(kind, plan, name, before).url


def visible(value: object) -> object:
    """Return a value as it may stand on a page: text of printable characters and line breaks."""
    if value is None:
        return ""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def said(text: str) -> Markup:
    """Return a sentence whose parts between backticks are commands, or code."""
    pieces = _CODE.split(shown(text))
    tagged = (escape(piece) if index % 2 == 0 else _code(piece) for index, piece in enumerate(pieces))
    return Markup("").join(tagged)


def _code(text: str) -> Markup:
    kind = "command" if text.startswith("dmsa ") else "word"
    return Markup('<code class="{}">{}</code>').format(kind, text)
