"""What a verification has found: the document for programs, and its text for people."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any

from orchestrator.model.plan import Plan, Wave
from orchestrator.verification import Finding, Verdict, Verified
from orchestrator.views.status import iso
from orchestrator.views.summary import advice

WIDTH = 80
_LABELS = {"there": "there:", "should": "should be:", "since": "since:", "next": "next:"}
_INDENT = " " * 6
_SINCE = {"right-until": "after {at}, when it was still right", "first-seen": "first seen {at}"}
_COMMAND = re.compile(r"`[^`]+`")
_KEPT = "\N{NO-BREAK SPACE}"


def verification_document(verified: Verified, plan: Plan, digest: str) -> dict[str, Any]:
    """Return everything as JSON data; its shape is in :mod:`orchestrator.views.verification_schema`."""
    every = [one for found in verified.found.values() for one in found]
    verdicts = Counter(one.verdict for one in every)
    return {
        "plan": plan.name,
        "digest": digest,
        "exit": int(verified.exit),
        "estate_time": iso(verified.at),
        "counts": {
            "migrations": len(verified.found),
            "as_journaled": sum(not found for found in verified.found.values()),
            "drift": verdicts["drift"],
            "unknown": verdicts["unknown"],
            "under_way": verdicts["under-way"],
        },
        "waves": [
            {"name": wave.name, "migrations": [*_migrations(verified, wave)]}
            for wave in plan.waves
            if any(migration.id in verified.found for migration in wave.migrations)
        ],
    }


def _migrations(verified: Verified, wave: Wave) -> Iterator[dict[str, Any]]:
    for migration in wave.migrations:
        if migration.id not in verified.found:
            continue
        state = verified.run[migration.id]
        yield {
            "account": migration.account,
            "dmsa": migration.id,
            "phase": state.phase.value,
            "intention": state.intention.value,
            "attempt": state.attempt,
            "lost": sorted(state.lost),
            "as_journaled": not verified.found[migration.id],
            "findings": [_finding(one) for one in verified.found[migration.id]],
        }


def _finding(one: Finding) -> dict[str, Any]:
    return {
        "id": one.id,
        "verdict": one.verdict,
        "subject": one.subject,
        "there": one.there,
        "should": one.should,
        "since": {"at": iso(one.since.at), "how": one.since.how} if one.since else None,
        "next": one.next,
    }


def verification_text(document: dict[str, Any], command: str) -> str:
    """Return the document as text for 80 columns.

    Args:
        document: as :func:`verification_document` made it.
        command: the plan (and journal) as a person would give them to the next command.
    """
    return "\n".join(_lines(document, command))


def _lines(document: dict[str, Any], command: str) -> Iterator[str]:
    time = f", estate time {document['estate_time']}" if document["estate_time"] else ""
    yield f"{document['plan']} ({document['digest'][:12]}){time}"
    width = max(len(one["dmsa"]) for wave in document["waves"] for one in wave["migrations"])
    for wave in document["waves"]:
        yield from ("", f"wave {wave['name']}")
        for migration in wave["migrations"]:
            yield from _migration(migration, width, command)
    yield from ("", *textwrap.wrap(_end(document["counts"]), WIDTH))


def _migration(migration: dict[str, Any], width: int, command: str) -> Iterator[str]:
    found = migration["findings"]
    says = _counted(Counter(one["verdict"] for one in found)) if found else "as the journal says"
    yield f"  {migration['dmsa']:<{width}}  {migration['phase']:<11}  {says}"
    for host in migration["lost"]:
        yield f"    lost: {host} is gone for good, and was not looked at"
    for one in found:
        yield from wrapped(f"{one['id']}: {one['subject']}", "    ", "      ")
        since = one["since"]
        shown = {**one, "since": _SINCE[since["how"]].format(at=since["at"]) if since else "", "next": one["next"]}
        for key, label in _LABELS.items():
            if shown[key]:
                yield from wrapped(f"{label:<11}{advice(shown[key], command)}", _INDENT, _INDENT + " " * 11)


def wrapped(text: str, first: str, rest: str) -> list[str]:
    """Wrap between words; a name or a command stays whole, however long it is, so that it can be copied."""
    whole = _COMMAND.sub(lambda found: found[0].replace(" ", _KEPT), text)
    lines = textwrap.wrap(
        whole, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_KEPT, " ") for line in lines]


_WORDS: dict[Verdict, tuple[str, str]] = {
    "drift": ("difference", "differences"),
    "unknown": ("that could not be read", "that could not be read"),
    "under-way": ("still under way", "still under way"),
}


def _counted(verdicts: Counter[Verdict]) -> str:
    return ", ".join(f"{count} {_WORDS[one][count > 1]}" for one in _WORDS if (count := verdicts[one]))


def _end(counts: dict[str, int]) -> str:
    whole, fine = counts["migrations"], counts["as_journaled"]
    if whole == fine:
        return "Everything is as the journal says." if whole > 1 else "It is as the journal says."
    verdicts: Counter[Verdict] = Counter(
        {"drift": counts["drift"], "unknown": counts["unknown"], "under-way": counts["under_way"]}
    )
    unknown = " What could not be read is unknown, and unknown is never as it should be." if counts["unknown"] else ""
    return f"{fine} of {whole} as the journal says; {_counted(verdicts)}. Nothing was changed.{unknown}"
