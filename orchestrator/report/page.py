"""A report as one page: no script, no picture, no network; everything that is text in it is escaped by the template.

What must be computed is computed here and in the rooms beside it; the template only lays it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import count
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.report.drawings import ledger_curve, restart_bars, wave_timeline
from orchestrator.report.once import Once
from orchestrator.report.passages import Changed, Passages, Said
from orchestrator.report.shown import clock, coded, shown, spoken
from orchestrator.views.summary import advice, anew

MARKS = {
    "done": "completed",
    "moving": "under way",
    "waits": "waits",
    "held": "HELD",
    "failed": "FAILED",
    "back": "rolled back",
    "planned": "not begun",
}
"""How each mark is said. Colour and shape say the same, and never alone."""
SHOWN = {
    "read-back": "read back at the end of its step",
    "snapshot": "seen in the snapshot right before Complete",
    "comparison": "seen in the comparison at the end of the way back",
    "otherwise": "the snapshot right before Complete, or that comparison, shows something else",
    "not-read": "no later reading in this journal tells",
    "unsettled": "nobody knows whether the write took effect",
    "failed": "the far side said that the write failed",
}


def page(document: Mapping[str, Any], command: str) -> Iterator[bytes]:
    """Yield the page of a report, piece by piece; no more than one migration is held at a time.

    Args:
        document: as :func:`orchestrator.report.document.report_document` made it.
        command: the plan (and journal) as a person would give them to the next command.
    """
    gone_through = _GoneThrough(document)
    pieces = (
        _environment()
        .get_template("report.html")
        .generate(
            d=document,
            command=command,
            passages=gone_through.passages,
            by_wave=gone_through.by_wave,
            answers=gone_through.answers,
            lists=gone_through.lists,
            values=gone_through.values,
            needing=gone_through.needing,
            asked=[(wave, gate) for wave in document["waves"] for gate in wave["approvals"] if gate["next"]],
            bars=_bars(document),
            timeline=wave_timeline(document["waves"], key="waves"),
            curve=_curve(document["ledger"], "ledger", "the whole run"),
            marks=MARKS,
            shown_by=SHOWN,
        )
    )
    yield from _together(pieces)
    yield b"\n"


TOGETHER = 1 << 16
"""How many letters of a page are written at once, at least."""


def _together(pieces: Iterator[str]) -> Iterator[bytes]:
    """Yield many small pieces as fewer, longer ones; one of them may be a whole migration."""
    waiting: list[str] = []
    letters = 0
    for piece in pieces:
        waiting.append(piece)
        letters += len(piece)
        if letters >= TOGETHER:
            yield "".join(waiting).encode("utf-8")
            waiting, letters = [], 0
    yield "".join(waiting).encode("utf-8")


KEPT = 4_000
"""How many answers are kept for the next migrations: most are given to neighbours, too."""


class _AllPassages:
    """The passages of every migration, each made anew when it is asked for."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._migrations = document["migrations"]
        self._answer = lru_cache(KEPT)(document["answers"].__getitem__)

    def __getitem__(self, number: int) -> Passages:
        return Passages(self._migrations[number], number, self._answer)

    def __iter__(self) -> Iterator[Passages]:
        return (self[number] for number in range(len(self._migrations)))


class _GoneThrough:
    """What must be known of all migrations before the first is written."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.passages = _AllPassages(document)
        self.by_wave: dict[str, list[int]] = {}
        self.needing: list[dict[str, Any]] = []
        self.answers, self.lists, self.values = Once[Said](), Once[Changed](), Once[str]()
        uses = count()
        for one in self.passages:
            self.by_wave.setdefault(one.one["wave"], []).append(one.number)
            if one.one["mark"] in {"held", "failed"}:
                self.needing.append({name: one.one[name] for name in ("mark", "dmsa", "held", "phase")})
            for said in one.said():
                self.answers.take_in(said, one.number)
            for changed in one.changed():
                self.lists.take_in(changed, one.number)
            for value in one.values():
                self.values.take_in(value, next(uses))


def _bars(document: Mapping[str, Any]) -> Markup:
    rows = [{"name": f"{one['name']}", **one["restarts"]} for one in document["waves"]]
    return restart_bars(rows, key="restarts")


def _curve(ledger: Mapping[str, Any], key: str, name: str) -> Markup:
    return ledger_curve(ledger["points"], ledger["expected"], ledger["last"], key=key, name=name)


def _text(value: Any) -> Any:
    """Return what a template's expression comes to as it is written; markup of our own as it is."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return "-"
    if type(value) is int:
        return f"{value:,}"
    return shown(value)


@lru_cache(1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("orchestrator.report", "templates"),
        autoescape=True,
        finalize=_text,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"clock": clock, "spoken": spoken, "advice": advice, "anew": anew, "coded": coded}
    made.globals["mini"] = lambda one, key: ledger_curve(
        one["curve"]["points"],
        len(one["hosts"]),
        one["curve"]["last"],
        key=key,
        name=one["dmsa"],
        height=80,
    )
    return made
