"""A page as data: its parts, each with the template and the data it is drawn from. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from orchestrator.board.sight import Line

KINDS = ("plan", "wave", "migration", "host", "hosts", "ledger", "journal")
NAMED = frozenset({"wave", "migration", "host"})


@dataclass(frozen=True)
class Address:
    """Which page. Names stand in the query, so that a name with a slash or of two dots is a name like any other."""

    kind: str = "overview"
    plan: str = ""
    name: str = ""
    before: int | None = None

    @classmethod
    def of(cls, path: str, query: str) -> Address | None:
        """Return the address of a page; None where there can be none.

        Args:
            path: the path of a URL, decoded.
            query: its query, as it is.
        """
        if path == "/":
            return cls()
        first, _, rest = path.removeprefix("/").partition("/")
        plan, _, kind = rest.partition("/")
        if first != "plans" or not plan or (kind or "plan") not in KINDS or path.endswith("/"):
            return None
        given = dict(parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=10))
        name = given.get("migration" if kind == "journal" else "name", "")
        if kind in NAMED and not name:
            return None
        return cls(kind or "plan", plan, name, _number(given.get("before")) if kind == "journal" else None)

    @property
    def url(self) -> str:
        """The address as a relative reference; whatever stands in it, it leads nowhere but to this board."""
        if self.kind == "overview":
            return "/"
        base = f"/plans/{quote(self.plan, safe='')}" + ("" if self.kind == "plan" else f"/{self.kind}")
        given: dict[str, Any] = {}
        if self.name:
            given["migration" if self.kind == "journal" else "name"] = self.name
        if self.before is not None:
            given["before"] = self.before
        return base + (f"?{urlencode(given, errors='replace')}" if given else "")


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 15:
        return None
    return int(text)


@dataclass(frozen=True)
class Part:
    """A piece of a page that is drawn, and sent, by itself. ``id`` is that of its element."""

    id: str
    template: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Page:
    """A page. ``frame`` is what its template needs beside the parts; if that changes, the page is loaded anew.

    ``rows`` are the newest rows of the journal, which are added to the page as they come; None where it shows none.
    """

    title: str
    template: str
    parts: tuple[Part, ...]
    frame: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Line, ...] | None = None
