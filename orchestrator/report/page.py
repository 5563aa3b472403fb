"""A report as one page: no script, no picture, no network; everything that is text in it is escaped by the template.

What must be computed is computed here and in the rooms beside it; the template only lays it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.report.drawings import ledger_curve, restart_bars, wave_timeline
from orchestrator.report.once import Once
from orchestrator.report.passages import Passages
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


def page(document: Mapping[str, Any], command: str) -> bytes:
    """Return the page of a report.

    Args:
        document: as :func:`orchestrator.report.document.report_document` made it.
        command: the plan (and journal) as a person would give them to the next command.
    """
    passages = [Passages(one, number, document["answers"]) for number, one in enumerate(document["migrations"])]
    found = (
        _environment()
        .get_template("report.html")
        .render(
            d=document,
            command=command,
            passages=passages,
            by_wave=_by_wave(document["migrations"]),
            answers=Once((said, one.number) for one in passages for said in one.said()),
            lists=Once((changed, one.number) for one in passages for changed in one.changed()),
            values=Once((value, use) for use, value in enumerate(v for one in passages for v in one.values())),
            needing=[one for one in document["migrations"] if one["mark"] in {"held", "failed"}],
            asked=[(wave, gate) for wave in document["waves"] for gate in wave["approvals"] if gate["next"]],
            bars=_bars(document),
            timeline=wave_timeline(document["waves"], key="waves"),
            curve=_curve(document["ledger"], "ledger", "the whole run"),
            marks=MARKS,
            shown_by=SHOWN,
        )
    )
    return (found + "\n").encode("utf-8")


def _by_wave(migrations: Iterable[Mapping[str, Any]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, one in enumerate(migrations):
        found.setdefault(one["wave"], []).append(number)
    return found


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
