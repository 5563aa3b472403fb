"""The status for people at 80 columns, on a terminal and in a pipe, with colours and without."""

from __future__ import annotations

import re
from io import StringIO
from itertools import product
from typing import get_args

import pytest

from orchestrator.engine.outcome import WaveState
from orchestrator.model.lifecycle import Phase
from orchestrator.model.waiting import WaitFor
from orchestrator.views.page import laid_out, mark_in, say_page
from orchestrator.views.summary import WIDTH
from tests.views.test_summary import document, lines, one

LONGEST = "dmsa-of-15-long"
UNTIL = "2026-03-16T12:00:00Z"


@pytest.mark.parametrize("wait", get_args(WaitFor))
def test_no_row_is_longer_than_80_columns_whatever_is_waited_for(wait: str):
    waiting = {"for": wait, "until": UNTIL, "detail": ""}
    for phase, intention, attempt in product(Phase, ("forward", "back"), (1, 12)):
        found = lines(one(LONGEST, phase.value, intention=intention, attempt=attempt, waiting=waiting))
        rows = [line for line in found if LONGEST in line or f"for {wait}" in line]
        assert max(map(len, rows)) <= WIDTH
        assert re.search(rf"{phase.value}.*for {wait} until {UNTIL}", " ".join(rows))


def test_a_short_row_is_one_line():
    waiting = {"for": "dwell", "until": UNTIL, "detail": ""}
    assert f"  dmsa-a  waits  restarted, for dwell until {UNTIL}" in lines(one("dmsa-a", "restarted", waiting=waiting))


def test_what_check_shows_of_a_file_keeps_its_caret():
    said = "p.yaml:3:11: waves[0].name: expected text, found a list of many things and more"
    shown = [
        "    3 | " + "name: [" + "x, " * 30 + "]",
        "      | " + " " * 60 + "^",
        "      hint: write one name and no list",
    ]
    assert list(laid_out("\n".join([said, *shown]), 60)) == [
        "p.yaml:3:11: waves[0].name: expected text, found a list of",
        "  many things and more",
        *shown,
    ]


@pytest.mark.parametrize("state", get_args(WaveState))
def test_no_wave_is_longer_either(state: str):
    waiting = {"for": "approval:complete", "until": UNTIL, "detail": ""}
    shown = document(one(), state=state)
    shown["waves"][0] |= {"name": "w" * 40, "waiting": waiting}
    from orchestrator.views.summary import summary

    rows = [line for line in summary(shown, "PLAN").splitlines() if "www" in line or "approval" in line]
    assert max(map(len, rows)) <= WIDTH


LONG = "    why: " + "some words " * 12
COMMAND = "    to go on: `dmsa release plan.yaml --only dmsa-app --reason TEXT` " + "and so on " * 8


def test_long_lines_keep_their_margin_and_lines_with_commands_stay_whole():
    found = list(laid_out(f"short\n{LONG}\n\n{COMMAND}", 60))
    assert found[0] == "short"
    assert [line[:6] for line in found[1:4]] == ["    wh", "      ", "      "]
    assert max(map(len, found[:-1])) <= 60
    assert " ".join(" ".join(found[1:4]).split()) == " ".join(LONG.split())
    assert found[-2:] == ["", COMMAND]


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("  dmsa-erp    waits  restarted", "waits"),
        ("  dmsa-web    FAILED linked, held", "FAILED"),
        ("  dmsa-app  HELD   restarted", "HELD"),
        ("  dmsa-app         restarted", None),
        ("    fault: FAILED to start, HELD back", None),
        ("A person is needed: what is HELD says what for.", None),
    ],
)
def test_only_the_mark_of_a_row_is_a_mark(line: str, marked: str | None):
    found = mark_in(line)
    assert (line[found[0] : found[1]] if found else None) == marked


class Screen(StringIO):
    """Standard output that says it is a terminal, or that it is none."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


ROW = "  dmsa-app  HELD   linked"
BAD = "    fault: \x1b[2Jgo\rne"


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured", "broken"),
    [
        (True, {"TERM": "xterm"}, True, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False, True),
        (True, {"TERM": "dumb"}, False, False),
        (False, {"TERM": "xterm"}, False, False),
    ],
)
def test_what_is_written_depends_on_who_reads(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], coloured: bool, broken: bool
):
    paper = Screen(terminal)
    monkeypatch.setattr("sys.stdout", paper)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"COLUMNS": "60", "LINES": "24", **environment}.items():
        monkeypatch.setenv(name, value)
    say_page(f"{ROW}\n{BAD}\n{LONG}")
    written = paper.getvalue()
    assert ("\x1b[1;33mHELD\x1b[0m" in written) is coloured
    assert r"fault: \x1b[2Jgo\rne" in written
    assert (LONG in written) is not broken
    assert (
        re.sub(r"\x1b\[[\d;]*m", "", written).split()
        == f"{ROW} {BAD} {LONG}".replace("\x1b", r"\x1b").replace("\r", r"\r").split()
    )
