"""Whatever plans, directories and people put into a report stays text: in the page, in its drawings, in its table."""

from __future__ import annotations

import copy
import csv
import io
import re
from functools import cache
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.report.drawings import ledger_curve, restart_bars, wave_timeline
from orchestrator.report.shown import coded, shown
from tests.report.reports import TOLD, page_of, reported, table_of, texts

ATTACKS = (
    "<script>alert(1)</script>",
    "</title></style></svg><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "--><!--",
    "]]><![CDATA[",
    "&lt;b&gt;&#60;i&#62;",
    "javascript:alert(1)",
    "`<b>`",
    "\x00\x07\x1b[31m",
    "\u202egnp.exe\u2066",
    "line\r\nbreak\u2028\u2029",
    "\ud800",
    "x" * 4_000,
    "=cmd|' /C calc'!A0",
)
HOSTILE = st.one_of(
    st.sampled_from(ATTACKS),
    st.lists(st.sampled_from((*ATTACKS[:14], "<", ">", '"', "'", "&", "`", "a ")), min_size=1, max_size=6).map("".join),
    st.text(st.characters(exclude_categories=()), max_size=40),
)


class _Seen(HTMLParser):
    """What a page has: each kind of element with the names of its attributes, their values, and its text."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.shapes: set[tuple[str, tuple[str, ...]]] = set()
        self.values: set[tuple[str, str]] = set()
        self.said: list[str] = []
        self.odd: list[str] = []
        self.feed(content.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shapes.add((tag, tuple(name for name, _ in attrs)))
        self.values |= {(name, value or "") for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_decl(self, decl: str) -> None:
        if decl != "DOCTYPE html":
            self.odd.append(decl)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)


_DRAWN = frozenset({"viewbox", "x", "y", "width", "height", "d"})
"""Attributes that hold numbers of our own."""
_NUMBERS = re.compile(r"[-0-9. MHV]*")
_REFERENCE = re.compile(r"#?[a-z0-9-]+")
_CLASSES = re.compile(r"[a-z -]*")


@cache
def plain() -> _Seen:
    """Return what pages of ordinary reports have: everything that the template can make."""
    whole = [_Seen(page_of(reported(name))) for name in TOLD]
    found = whole[0]
    for one in whole[1:]:
        found.shapes |= one.shapes
        found.values |= one.values
    return found


def attacked(name: str, pick: Any) -> tuple[dict[str, Any], list[str]]:
    """Return a report with other text wherever text is free, and all of that text."""
    document = copy.deepcopy(reported(name))
    put = []
    for holder, key in list(texts(document)):
        holder[key] = pick()
        put.append(holder[key])
    return document, put


@given(data=st.data(), name=st.sampled_from(TOLD))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_text_makes_an_element_or_an_attribute(data, name):
    pool = data.draw(st.lists(HOSTILE, min_size=1, max_size=8))
    turn = iter(range(10**9))
    document, put = attacked(name, lambda: pool[next(turn) % len(pool)])
    judge(document, put)


@pytest.mark.parametrize("name", TOLD[1:3])
def test_every_attack_at_every_place(name):
    for number in range(len(ATTACKS)):
        document, put = attacked(name, lambda number=number: ATTACKS[number])
        judge(document, put)


def judge(document: dict[str, Any], put: list[str]) -> None:
    content = page_of(document, put[0])  # the plan's path is typed by somebody, too
    seen, known = _Seen(content), plain()
    assert seen.shapes <= known.shapes, seen.shapes - known.shapes
    assert not seen.odd
    for name, value in seen.values:
        if name in {"id", "href", "aria-labelledby"}:
            assert all(_REFERENCE.fullmatch(one) for one in value.split()), value
        elif name in _DRAWN:
            assert _NUMBERS.fullmatch(value), value
        elif name == "class":
            assert _CLASSES.fullmatch(value), value
        elif name != "colspan" and name != "start":
            assert (name, value) in known.values, (name, value)
    assert content.count(b"<style>") == 1
    said = "".join(seen.said)
    assert not [one for one in said if not one.isprintable() and one != "\n"]
    assert shown(document["description"] or "") in said
    assert set(put), "nothing was changed"


@given(HOSTILE)
@example("x`y`z`")
def test_what_cannot_be_seen_is_written_out(text):
    said = shown(text)
    assert all(one.isprintable() or one == "\n" for one in said)
    said.encode("utf-8")
    assert shown(said) == said
    assert text == said or not text.replace("\n", "").isprintable()


@given(HOSTILE)
def test_code_in_a_sentence_is_escaped_too(text):
    seen = _Seen(str(coded(text)).encode("utf-8"))
    assert seen.shapes <= {("code", ())}
    assert "".join(seen.said).replace("`", "") == shown(text).replace("`", "")


@given(HOSTILE)
@settings(max_examples=50)
def test_drawings_are_whole_whatever_things_are_called(name):
    at = "2026-03-02T18:00:00Z"
    span = {"first": at, "last": at}
    wave = {"name": name, "state": name, "began": at, "last": at, "start": span, "complete": span}
    drawn = (
        ledger_curve([{"at": at, "hosts": 1, "others": 2}], 3, at, key="k", name=name),
        wave_timeline([wave, {**wave, "began": None, "last": None}], key="k"),
        restart_bars([{"name": name, "planned": 300, "p95": 400, "measured": 1}], key="k"),
    )
    for one in drawn:
        tree = ET.fromstring(str(one))
        assert tree.get("role") == "img"
        assert tree.get("aria-labelledby") == "k-t k-d"
        assert [child.tag for child in tree][:2] == ["title", "desc"]
        assert {child.tag for child in tree.iter()} <= {"svg", "title", "desc", "path", "rect", "text"}


@pytest.mark.parametrize("name", TOLD[1:2])
def test_no_cell_of_the_table_is_a_formula(name):
    for start in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1"):
        document, _ = attacked(name, lambda start=start: f"{start}<b>\x00")
        cells = [cell for row in csv.reader(io.StringIO(table_of(document).decode("utf-8"))) for cell in row]
        assert not [cell for cell in cells if cell.lstrip(" ")[:1] in {"=", "+", "-", "@", "\t", "\r", "\uff1d"}]
        assert not [cell for cell in cells if "\x00" in cell]
