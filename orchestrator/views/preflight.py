"""What the guards said: the document for programs, and its table for people."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.engine.preflight import Asked
from orchestrator.errors import PRECEDENCE, Exit
from orchestrator.guards import Answer
from orchestrator.model.guard_ids import Stage
from orchestrator.model.plan import Plan, Wave
from orchestrator.model.run import RunState
from orchestrator.model.stray import Stray
from orchestrator.model.words import Gate
from orchestrator.views.approvals import gate_lines, known_time, wave_approvals
from orchestrator.views.status import iso
from orchestrator.views.summary import advice
from orchestrator.views.verification import WIDTH, wrapped

GATES = {Stage.PREFLIGHT: "prepare", Stage.START: "start", Stage.COMPLETE: "complete"}
"""What each stage of guards stands before, as a person says it."""
_ROOM = 27
"""For the longest name of a guard."""


def preflight_document(
    plan: Plan,
    digest: str,
    at: datetime | None,
    run: RunState,
    found: Mapping[str, Asked],
    strays: Sequence[Stray] | str,
) -> dict[str, Any]:
    """Return everything as JSON data; its shape is in :mod:`orchestrator.views.preflight_schema`.

    Args:
        plan: the plan.
        digest: its digest.
        at: estate time.
        run: where everything stands.
        found: what the guards said, by migration.
        strays: half links of the domain, or why they could not be searched for.
    """
    words = Counter(_word(answer) for one in found.values() for answer in one.answers)
    codes = {one.exit for one in found.values()}
    return {
        "plan": plan.name,
        "digest": digest,
        "exit": int(next((code for code in PRECEDENCE if code in codes), Exit.DONE)),
        "estate_time": iso(at),
        "counts": {word: words[word] for word in ("pass", "refuse", "unknown", "waived", "waiting")},
        "stray_links": None if isinstance(strays, str) else [{"dn": one.dn, "says": one.says} for one in strays],
        "waves": [
            {
                "name": wave.name,
                "approvals": _approvals(run, plan, wave, at, found),
                "migrations": [
                    _migration(migration.account, migration.id, run, found[migration.id])
                    for migration in wave.migrations
                    if migration.id in found
                ],
            }
            for wave in plan.waves
            if any(migration.id in found for migration in wave.migrations)
        ],
    }


_PEOPLE: Mapping[Stage, Gate] = {Stage.PREFLIGHT: "start", Stage.START: "start", Stage.COMPLETE: "complete"}
"""The gate that people approve, which comes after each stage of guards."""


def _approvals(
    run: RunState, plan: Plan, wave: Wave, at: datetime | None, found: Mapping[str, Asked]
) -> list[dict[str, Any]]:
    """Return how it stands with the approvals that the migrations which were asked about need next."""
    stages = {found[one.id].stage for one in wave.migrations if one.id in found}
    gates = {_PEOPLE[stage] for stage in stages if stage is not None}
    return [one for one in wave_approvals(run, plan, wave, known_time(run, at)) if one["gate"] in gates]


def _migration(account: str, id_: str, run: RunState, one: Asked) -> dict[str, Any]:
    wave = one.wave
    return {
        "account": account,
        "dmsa": id_,
        "phase": run[id_].phase.value,
        "gate": GATES[one.stage] if one.stage else None,
        "waiting": {"for": wave.waiting_for, "until": iso(wave.until)} if wave else None,
        "guards": [
            {
                "guard": answer.guard,
                "subject": answer.verdict.subject,
                "verdict": answer.verdict.word,
                "waived": answer.waived,
                "waiting": answer.verdict.waits is not None,
                "evidence": answer.verdict.evidence,
                "remedy": answer.verdict.remedy,
            }
            for answer in one.answers
        ],
    }


def _word(answer: Answer) -> str:
    verdict = answer.verdict
    if verdict.passed is True:
        return "pass"
    return "waived" if answer.waived else "waiting" if verdict.waits is not None else verdict.word


def preflight_text(document: dict[str, Any], command: str, *, everything: bool) -> str:
    """Return the document as a table for 80 columns.

    Args:
        document: as :func:`preflight_document` made it.
        command: the plan (and journal) as a person would give them to the next command.
        everything: also what passed, guard by guard.
    """
    return "\n".join(_lines(document, command, everything))


def _lines(document: dict[str, Any], command: str, everything: bool) -> Iterator[str]:
    time = f", estate time {document['estate_time']}" if document["estate_time"] else ""
    yield f"{document['plan']} ({document['digest'][:12]}){time}"
    for wave in document["waves"]:
        yield from ("", f"wave {wave['name']}")
        for one in wave["approvals"]:
            yield from (f"  {advice(line, command)}" for line in gate_lines(one))
        for migration in wave["migrations"]:
            yield from _of_migration(migration, command, everything)
    yield ""
    yield from _of_the_domain(document["stray_links"])
    yield from textwrap.wrap(_end(document), WIDTH)


def _of_migration(migration: dict[str, Any], command: str, everything: bool) -> Iterator[str]:
    if migration["gate"] is None:
        yield f"  {migration['dmsa']}  {migration['phase']}: no gate is ahead of it"
        return
    guards = migration["guards"]
    said = Counter(_shown(guard) for guard in guards)
    counted = ", ".join(f"{count} {word}" for word, count in said.items())
    yield f"  {migration['dmsa']}  {migration['phase']}, before {migration['gate']}: {counted}"
    if migration["waiting"]:
        until = f" until {migration['waiting']['until']}" if migration["waiting"]["until"] else ""
        yield f"    its wave waits: {migration['waiting']['for']}{until}"
    for guard in guards:
        word = _shown(guard)
        if word == "pass" and not everything:
            continue
        first = f"    {word:<8}{guard['guard']:<{_ROOM}}"
        about = "" if guard["subject"] in guard["evidence"] else f"{guard['subject']}: "
        yield from wrapped(f"{first}{about}{guard['evidence']}", "", " " * 12)
        if word != "pass" and guard["remedy"]:
            yield from wrapped(f"next: {advice(guard['remedy'], command)}", " " * 12, " " * 18)


def _shown(guard: dict[str, Any]) -> str:
    if guard["verdict"] == "pass":
        return "pass"
    return "waived" if guard["waived"] else "waiting" if guard["waiting"] else str(guard["verdict"])


def _of_the_domain(strays: list[dict[str, str]] | None) -> Iterator[str]:
    if strays is None:
        yield from ("Half links in the domain could not be searched for.", "")
    elif strays:
        yield "Half links in the domain, whatever is migrated (a sign of an attack, BadSuccessor):"
        for one in strays:
            yield from wrapped(f"{one['dn']} {one['says']}", "  ", "    ")
        yield ""


def _end(document: dict[str, Any]) -> str:
    counts = document["counts"]
    against = {word: counts[word] for word in ("refuse", "unknown", "waiting") if counts[word]}
    said = ", ".join(f"{count} {word}" for word, count in against.items())
    passed = f"{counts['pass']} answers pass" + (f", waived: {counts['waived']}" if counts["waived"] else "")
    if not against:
        return f"{passed}. Nothing stands in the way. Nothing was changed."
    unknown = " What could not be read is unknown, and unknown refuses." if counts["unknown"] else ""
    return f"{passed}; {said}. Nothing was changed.{unknown}"
