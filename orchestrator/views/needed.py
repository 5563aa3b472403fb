"""What needs a person while a run goes on, each with the exact command to give: holds, failures, approvals.

Pure. A command is never cut: it is broken into lines, between its words wherever they fit.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime

from orchestrator.model.state import Hold
from orchestrator.views.along import Along
from orchestrator.views.approvals import gate_document, gate_lines, known_time
from orchestrator.views.rows import Line, Look, Seen, Span, Style
from orchestrator.views.summary import advice

_NAMED = 3
"""So many migrations that are held alike are named; the others are counted."""


def needed(along: Along, found: dict[str, Seen], look: Look, now: datetime | None) -> Iterator[list[Line]]:
    """Yield an entry of a few lines for everything that needs a person: failures, then holds, then approvals."""
    alike: dict[tuple[str, str, str, str], list[str]] = {}
    for id_, one in found.items():
        if one.state.held is not None:
            alike.setdefault(_kind(one.mark, one.state.held, look), []).append(id_)
    for mark in ("FAILED", "HELD"):
        for (word, reason, detail, release), ids in alike.items():
            if word == mark:
                yield _held(word, reason, detail, release, ids, look)
    yield from _approvals(along, look, now)


def _kind(mark: str, held: Hold, look: Look) -> tuple[str, str, str, str]:
    return mark, held.reason, look.spelled(held.detail), look.spelled(advice(held.release, look.command))


def _held(mark: str, reason: str, detail: str, release: str, ids: list[str], look: Look) -> list[Line]:
    named = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
    style: Style = "failed" if mark == "FAILED" else "held"
    head = look.cut(f" {look.spelled(named)}, {reason}: {detail}", look.width - len(mark))
    return [(Span(mark, style), Span(head)), *broken(f"to go on: {release}", look)]


def broken(text: str, look: Look) -> list[Line]:
    """Return a text as lines, none of it lost."""
    lines = textwrap.wrap(
        text,
        max(20, look.width),
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
    )
    return [(Span(line),) for line in lines]


def _approvals(along: Along, look: Look, now: datetime | None) -> Iterator[list[Line]]:
    """Yield what the next approver types, for each gate at which something waits for people."""
    for wave in along.plan.waves:
        waits = (along.admission_wait(migration.id) for migration in wave.migrations)
        asked = {wait.waiting_for for wait in waits if wait is not None}
        for gate in ("start", "complete"):
            if f"approval:{gate}" not in asked:
                continue
            known = known_time(along.state, now)
            document = gate_document(along.state, along.plan, wave, gate, known)
            if document is None or not document["next"]:
                continue
            first, *others = gate_lines({**document, "given": [], "withdrawn": []})
            head = look.cut(look.spelled(f"wave {wave.name}, {first}"), look.width - len("waits "))
            more = [line for text in others for line in broken(look.spelled(advice(text, look.command)), look)]
            yield [(Span("waits", "waits"), Span(f" {head}")), *more]
