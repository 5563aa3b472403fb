"""A notice as a person reads it, at night, on a small screen: what happened, to which object, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC

from orchestrator.model.notices import Notice
from orchestrator.model.plan import Plan

NAMES = 10
"""How many migrations a text names; the others are counted."""
LONGEST = 1200
"""How many characters of one paragraph are kept: messages of hosts may be long."""
TEST = "test"
"""The reason of a notice that tells of nothing."""
_PLAN = re.compile(r"\bPLAN\b")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_HEADS = {
    "wave-started": "wave started",
    "held": "HELD",
    "approval-needed": "approval needed",
    "window-missed": "window missed",
    "completed": "completed",
    "rolled-back": "rolled back",
    "original-missing": "ORIGINAL ACCOUNT MISSING",
}

Escape = Callable[[str], str]


def headline(notice: Notice, plan: Plan) -> str:
    """Return the first line: the plan, the wave, what happened, and to whom."""
    raised = notice.raised
    wave = f", wave {raised.wave}" if raised.wave else ""
    about = f": {names_of(raised.migrations, plan)}" if raised.migrations else ""
    lab = "[simulated estate] " if plan.is_lab else ""
    head = "a test" if raised.reason == TEST else _HEADS[raised.occasion]
    return plain(f"{lab}{plan.name}{wave}: {head}{about}")


def names_of(ids: tuple[str, ...], plan: Plan) -> str:
    """Return the names of migrations: one with its account, of many the first."""
    if len(ids) == 1:
        return f"{ids[0]} ({account_of(plan, ids[0])})"
    more = f" and {len(ids) - NAMES} more" if len(ids) > NAMES else ""
    return ", ".join(ids[:NAMES]) + more


def account_of(plan: Plan, id_: str) -> str:
    """Return the account that a migration is about."""
    try:
        return plan.migration(id_).account
    except KeyError:
        return "not in this plan any more"


def paragraphs(notice: Notice, plan: Plan, typed: str, missed: int) -> list[str]:
    """Return the text, a paragraph each, as plain characters without line breaks.

    Args:
        notice: what is told.
        plan: the plan of the run.
        typed: the plan (and journal) as a person would give them to the next command.
        missed: how many earlier notices this receiver was never sent.
    """
    raised = notice.raised
    at = notice.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if notice.at else "time unknown"
    told = [headline(notice, plan), plain(raised.detail)]
    if raised.todo:
        told.append(plain(f"Next: {advice(raised.todo, typed)}"))
    if missed:
        told.append(plain(f"{missed} earlier notices did not reach you: `dmsa notices {typed}` lists them."))
    return [*told, f"{at}, notice {notice.id}"]


def text_of(notice: Notice, plan: Plan, typed: str, missed: int = 0, escape: Escape = lambda text: text) -> str:
    """Return the text as lines; *escape* takes what is markup for the receiver out of each."""
    return "\n".join(escape(one) for one in paragraphs(notice, plan, typed, missed))


def advice(todo: str, typed: str) -> str:
    """Return what to do next with the plan as it would be typed."""
    return _PLAN.sub(lambda _: typed, todo)


def plain(text: str) -> str:
    """Return a text on one line, without control characters and without what turns its direction, at most so long."""
    text = " ".join(_CONTROL.sub(" ", text).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
