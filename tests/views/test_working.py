"""How far something is: a bar on a terminal after a moment, a line now and then elsewhere, never on standard output."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from io import StringIO

import pytest

from orchestrator.views.working import Bar, Lines, Work, working
from tests.patience import PATIENCE


class Screen(StringIO):
    """Standard error that says it is a terminal."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[StringIO, StringIO]]:
    """Standard output and standard error; both terminals, or none."""

    def opened(terminal: bool = True, term: str = "xterm") -> tuple[StringIO, StringIO]:
        found = (Screen(), Screen()) if terminal else (StringIO(), StringIO())
        monkeypatch.setattr("sys.stdout", found[0])
        monkeypatch.setattr("sys.stderr", found[1])
        for name, value in {"TERM": term, "COLUMNS": "80", "NO_COLOR": "1"}.items():
            monkeypatch.setenv(name, value)
        return found

    return opened


def test_a_line_is_written_every_half_minute_and_none_before():
    written: list[str] = []
    seconds = [0.0]
    lines = Lines("reading", written.append, lambda: seconds[0])
    for at in (1, 29, 31, 59, 62, 95):
        seconds[0] = at
        lines.at(at, 200)
        lines.tick()
    lines.now("predicting")
    for at in (130, 161):
        seconds[0] = at
        lines.tick()
        lines.at(7)
    assert written == [
        "reading: 31 of 200, 31 s",
        "reading: 62 of 200, 62 s",
        "reading: 95 of 200, 95 s",
        "predicting: 130 s",
        "predicting: 7, 161 s",
    ]


def test_somebody_looks_at_the_clock_only_as_long_as_it_lasts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("orchestrator.views.working.LOOKS_EVERY", 0.001)
    monkeypatch.setattr("orchestrator.views.working.LINE_EVERY", 0.0)
    first = threading.Event()
    lines = Lines("reading", lambda _text: first.set())
    with lines.ticking():
        assert first.wait(PATIENCE)
    for one in threading.enumerate():
        if one.name == "working":
            one.join(PATIENCE)
            assert not one.is_alive()


def appeared(bar: Bar) -> Bar:
    """Let a bar's moment have passed."""
    bar._appear()
    return bar


def test_a_bar_says_what_and_how_far_and_is_gone_at_the_end(screens: Callable[..., tuple[StringIO, StringIO]]):
    out, err = screens()
    bar = Bar("reading [bold]all[/bold]", after=3600)
    bar.at(3, 12)
    appeared(bar).at(4, 12)
    with bar.aside():
        wiped = err.getvalue()
        print("a result")  # noqa: T201 - as whoever uses it would
    bar.now("predicting")
    bar.end()
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", err.getvalue())
    assert "reading [bold]all[/bold]" in text
    assert "4 of 12" in text
    assert "predicting" in text
    assert wiped.endswith("\x1b[2K")
    assert err.getvalue().endswith("\x1b[2K")
    assert err.getvalue().count("\x1b[?25l") == err.getvalue().count("\x1b[?25h"), "the cursor is given back"
    assert out.getvalue() == "a result\n", "what belongs on standard output goes there, and nothing else"


def test_what_is_done_in_a_moment_shows_nothing(screens: Callable[..., tuple[StringIO, StringIO]]):
    out, err = screens()
    with working("reading") as work:
        assert list(work.over("abc", 3)) == ["a", "b", "c"]
        assert isinstance(work, Bar)
    work._appear()  # the timer may just have fired
    assert (out.getvalue(), err.getvalue()) == ("", "")


@pytest.mark.parametrize(
    ("terminal", "term", "quiet", "kind"),
    [
        (True, "xterm", False, Bar),
        (True, "dumb", False, Lines),
        (False, "xterm", False, Lines),
        (True, "xterm", True, Work),
        (False, "xterm", True, Work),
    ],
)
def test_who_is_told_how(
    screens: Callable[..., tuple[StringIO, StringIO]], terminal: bool, term: str, quiet: bool, kind: type[Work]
):
    out, err = screens(terminal, term)
    with working("reading", quiet=quiet) as work:
        assert type(work) is kind
        work.at(1, 2)
        work.now("more")
        with work.aside():
            pass
    assert (out.getvalue(), err.getvalue()) == ("", "")


def test_a_fault_takes_the_bar_away_and_goes_on(screens: Callable[..., tuple[StringIO, StringIO]]):
    _, err = screens()

    def breaks() -> None:
        with working("reading") as work:
            assert isinstance(work, Bar)
            appeared(work)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaks()
    assert err.getvalue().endswith("\x1b[2K")
