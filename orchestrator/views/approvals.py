"""Who has approved what, how many are missing, and what the next approver types: for status, preflight and approve."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from orchestrator.engine.approving import GATES, open_rule
from orchestrator.model.approvals import CLOCKS_AGREE, Judged
from orchestrator.model.case import Case
from orchestrator.model.people import is_named
from orchestrator.model.plan import Approvals, Plan, Waiver, Wave
from orchestrator.model.run import RunState
from orchestrator.model.words import Approval, Gate, Subject
from orchestrator.views.moment import iso
from orchestrator.views.shape import COUNT, TEXT, TIME, closed, list_of, one_of, or_null


def known_time(run: RunState, at: datetime | None) -> datetime | None:
    """Return the time by which approvals are shown: none was given later than it is now, whatever was read last.

    Nobody has read estate time since the last runner; an approval that was given after him is not of the future.
    """
    given = [word.given for words in run.approvals.standing.values() for word in words]
    return None if at is None else max((at, *(one - CLOCKS_AGREE for one in given)))


def wave_approvals(run: RunState, plan: Plan, wave: Wave, at: datetime | None) -> list[dict[str, Any]]:
    """Return how it stands with the gates of a wave that people must approve, and that migrations have ahead."""
    found = (gate_document(run, plan, wave, gate, at) for gate in GATES)
    return [one for one in found if one is not None]


def gate_document(run: RunState, plan: Plan, wave: Wave, gate: Gate, at: datetime | None) -> dict[str, Any] | None:
    """Return how it stands with a gate; None where nobody must approve, or no migration has it ahead."""
    ahead = open_rule(run, plan, wave, gate, at)
    if ahead is None:
        return None
    rule, found = ahead
    subject = Subject("gate", wave.name, gate)
    return {
        "gate": gate,
        "needed": found.wanted,
        "missing": found.missing,
        "given": [_given(one) for one in found.said],
        "withdrawn": _fallen(run, subject),
        "barred": run.driver,
        "signed_by": sorted(rule.keys) if rule.keys is not None else None,
        "next": _next(f"--wave {shlex.quote(wave.name)} --gate {gate}", rule) if found.missing else None,
    }


def migration_waivers(run: RunState, plan: Plan, id_: str, at: datetime | None) -> list[dict[str, Any]]:
    """Return the waivers of a migration, and which of them count."""
    return [waiver_document(run, plan, id_, waiver, at) for waiver in plan.migration(id_).waivers]


def waiver_document(run: RunState, plan: Plan, id_: str, waiver: Waiver, at: datetime | None) -> dict[str, Any]:
    """Return how it stands with one waiver."""
    found = Case.of(run, plan, id_, at).agreement(waiver)
    counting = [one.word.by for one in found.counting]
    left = [name for name in waiver.approved_by if not any(is_named(by, name) for by in counting)]
    return {
        "guard": waiver.guard,
        "reason": waiver.reason,
        "approved_by": list(waiver.approved_by),
        "counts": not found.missing,
        "given": [_given(one) for one in found.said],
        "missing": left if found.missing else [],
        "withdrawn": _fallen(run, Subject("waiver", id_, waiver.guard)),
        "next": _next(f"--waivers --only {shlex.quote(id_)}", plan.policy_of(id_).approvals) if found.missing else None,
    }


def _given(one: Judged) -> dict[str, Any]:
    word = one.word
    return {
        "by": word.by,
        "at": iso(word.given),
        "until": iso(one.until),
        "signed": word.signature is not None,
        "principal": word.principal,
        "reason": word.reason,
        "counts": one.why_not is None,
        "why_not": one.why_not,
    }


def _fallen(run: RunState, subject: Subject) -> list[dict[str, Any]]:
    words: tuple[Approval, ...] = run.approvals.fallen.get(subject, ())
    return [{"by": word.by, "at": iso(word.given)} for word in words]


def _next(what: str, rule: Approvals) -> str:
    """Return what the next approver types."""
    return f"dmsa approve PLAN {what}" + (" --key FILE" if rule.keys is not None else "")


def gate_lines(one: dict[str, Any]) -> list[str]:
    """Return the same as text. The plan is called PLAN in it, as holds call it."""
    enough = one["needed"] - one["missing"]
    lines = [f"approvals before {one['gate']}: {enough} of {one['needed']}", *_said(one)]
    if one["next"]:
        others = f", not {one['barred']}, who ran it last" if one["barred"] else ""
        keys = f" (who has a key: {', '.join(one['signed_by'])})" if one["signed_by"] is not None else ""
        number = "1 more" if one["missing"] == 1 else f"{one['missing']} more"
        lines += [f"  {number} must approve{others}{keys}:", f"    {one['next']}"]
    return lines


def waiver_lines(one: dict[str, Any]) -> list[str]:
    """Return the same as text."""
    lines = [f"waiver of {one['guard']}: {'counts' if one['counts'] else 'does not count yet'}", *_said(one)]
    if one["next"]:
        lines += [f"  must still approve: {', '.join(one['missing'])}:", f"    {one['next']}"]
    return lines


def _said(one: dict[str, Any]) -> Iterator[str]:
    for given in one["given"]:
        signed = ", signed" if given["signed"] else ""
        counts = f"until {given['until']}{signed}" if given["counts"] else f"{given['why_not']}"
        yield f"  {given['by']} {counts}"
    if one["withdrawn"]:
        people = ", ".join(word["by"] for word in one["withdrawn"])
        yield f"  withdrawn when the plan was amended: {people}"


def approvals_shape() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the JSON Schema of a gate's document, and of a waiver's."""
    flag = {"type": "boolean"}
    given = closed(
        by=TEXT,
        at=TIME,
        until=TIME,
        signed=flag,
        principal=or_null(TEXT),
        reason={"type": "string"},
        counts=flag,
        why_not=or_null(TEXT),
    )
    both = {"given": list_of(given), "withdrawn": list_of(closed(by=TEXT, at=TIME)), "next": or_null(TEXT)}
    gate = closed(
        gate=one_of(GATES),
        needed=COUNT,
        missing=COUNT,
        barred=or_null(TEXT),
        signed_by=or_null(list_of(TEXT)),
        **both,
    )
    waiver = closed(
        guard=TEXT,
        reason=TEXT,
        approved_by=list_of(TEXT),
        counts=flag,
        missing=list_of(TEXT),
        **both,
    )
    return gate, waiver
