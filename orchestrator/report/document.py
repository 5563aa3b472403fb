"""The document of a report: everything that its page, its table and its JSON show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.engine.outcome import exit_of
from orchestrator.model.plan import Migration, Plan, Wave, Window
from orchestrator.report.evidence import Given
from orchestrator.report.glance import glance
from orchestrator.report.hosts_allowed import together
from orchestrator.report.migrations import migrations_of
from orchestrator.report.reading import Reading
from orchestrator.report.restart_times import p95_of
from orchestrator.report.shelf import Shelved
from orchestrator.report.totals import Totals
from orchestrator.report.unverified import Facts, not_verified
from orchestrator.views.approvals import migration_waivers
from orchestrator.views.certificate import Drill, slowest, verdict
from orchestrator.views.drill_legs import seconds_between
from orchestrator.views.moment import iso
from orchestrator.views.status import Standing

FORM = 1
"""The number of this form."""


@dataclass(frozen=True)
class Checked:
    """How the journal was checked while it was read: every row against the hash chain, up to row ``rows``.

    ``witnessed`` is the row up to which something apart from the rows confirms that none was cut off at the end; None
    if there is no such witness.
    """

    rows: int
    hash: str
    witnessed: int | None


def report_document(reading: Reading, plan: Plan, digest: str, checked: Checked) -> dict[str, Any]:
    """Return the document; its shape is in :mod:`orchestrator.report.schema`.

    What grows with the migrations, ``answers`` and ``migrations``, is in it as lists that hold nothing
    (:class:`orchestrator.report.shelf.Shelved`); :func:`in_full` returns the same as JSON data.

    Args:
        reading: what the run's rows tell, all of them.
        plan: the plan that the run goes by.
        digest: its identity.
        checked: how the journal was checked.
    """
    run = reading.state
    standing = Standing(run, plan, run.last_at)
    totals, given, migrations = Totals(), Given(reading.answers), Shelved(reading.shelf)
    for one in migrations_of(reading, plan, standing, given):
        totals.take_in(one)
        migrations.append(one)
    ids = [migration.id for migration in plan.migrations()]
    hosts = {host.name.casefold() for migration in plan.migrations() for host in migration.hosts}
    return {
        "report": FORM,
        "plan": plan.name,
        "description": plan.description,
        "change": plan.change,
        "owner": plan.owner,
        "digest": digest,
        "exit": int(exit_of(run, plan)),
        "estate": _estate(reading, plan),
        "journal": {
            "rows": checked.rows,
            "hash": checked.hash,
            "witnessed": checked.witnessed,
            "of_this_run": reading.rows,
        },
        "summary": glance(reading, totals, len(hosts)),
        "runners": reading.runners,
        "words": reading.words,
        "waves": [_wave(reading, plan, wave, standing.wave(wave), totals) for wave in plan.waves],
        "ledger": together(reading.curves, ids, sum(len(one.hosts) for one in plan.migrations())),
        "guards": reading.answers.table(),
        "answers": given,
        "waivers": list(_waivers(reading, plan)),
        "restarts": {"planned": _planned(plan, ids), "p95": p95_of(reading.restarts)},
        "changes": totals.shown,
        "drills": [_drill(one) for one in reading.drills],
        "ways_back": [one.document() for one in reading.ways_back],
        "not_verified": not_verified(Facts(reading, plan, ids, checked.witnessed, totals)),
        "migrations": migrations,
    }


def in_full(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document as JSON data, all of it in memory."""
    return {name: list(value) if isinstance(value, Shelved) else value for name, value in document.items()}


def _estate(reading: Reading, plan: Plan) -> dict[str, Any]:
    directory = plan.estate.directory
    named = directory.converge_on if directory else None
    return {
        "kind": "simulated" if plan.is_lab else "real",
        "domain": plan.estate.domain,
        "copies": list(named or reading.state.controllers),
        "copies_by": "plan" if named else "directory" if reading.state.controllers else None,
        "witness": directory.witness if directory else "none",
    }


def _wave(reading: Reading, plan: Plan, wave: Wave, known: dict[str, Any], totals: Totals) -> dict[str, Any]:
    ids = [migration.id for migration in wave.migrations]
    stands = [totals.stands[id_] for id_ in ids]
    marks = [one.mark for one in stands]
    both = wave.windows
    began = [one.began for one in stands if one.began]
    ends = [one.since for one in stands if one.since]
    return {
        "name": wave.name,
        "state": known["state"],
        "waiting": known["waiting"],
        "needs": list(plan.needs_of(wave)),
        "at_once": wave.at_once,
        "failures_allowed": str(wave.failures.allow),
        "windows": {
            "start": _window((both.start if both else None) or (None if both else wave.window)),
            "complete": _window((both.complete if both else None) or (None if both else wave.window)),
        },
        "blackout": [
            {"from": one.from_.isoformat(), "to": one.to.isoformat(), "reason": one.reason} for one in wave.blackout
        ],
        "approvals": known["approvals"],
        "words": [one for one in reading.words if one["kind"] in _OF_GATES and one["about"] == wave.name],
        "drivers": _drivers(reading, min(began, default=None), max(ends, default=None)),
        "began": min(began, default=None),
        "start": _span(reading, ids, "start"),
        "complete": _span(reading, ids, "complete"),
        "last": max(ends, default=None),
        "marks": {mark: marks.count(mark) for mark in dict.fromkeys(marks)},
        "ledger": together(reading.curves, ids, sum(len(one.hosts) for one in wave.migrations)),
        "restarts": _of_wave(reading, plan, ids),
    }


_OF_GATES = frozenset({"approved", "approval-withdrawn"})


def _window(window: Window | None) -> dict[str, Any] | None:
    if window is None:
        return None
    return {"days": list(window.days), "open": window.open, "close": window.close, "zone": window.zone}


def _drivers(reading: Reading, began: str | None, last: str | None) -> list[str]:
    """Return who drove between two times: whoever took the journal by then, and had not left it before."""
    if began is None:
        return []
    return list(
        dict.fromkeys(
            one["by"]
            for one in reading.runners
            if (one["took"] or "") <= (last or began) and (one["left"] or began) >= began
        )
    )


def _span(reading: Reading, ids: Sequence[str], step: str) -> dict[str, Any]:
    """Return how many migrations of a wave took a step, and when the first and the last of them did."""
    moments = [reading.admitted[id_][step] for id_ in ids if step in reading.admitted.get(id_, {})]
    known = [at for at in moments if at is not None]
    return {
        "migrations": len(moments),
        "first": iso(min(known, default=None)),
        "last": iso(max(known, default=None)),
    }


def _of_wave(reading: Reading, plan: Plan, ids: Sequence[str]) -> dict[str, Any]:
    wanted = set(ids)
    found = [one for one in reading.restarts if one.migration in wanted]
    return {"planned": _planned(plan, ids), "measured": len(found), "p95": p95_of(found)}


def _planned(plan: Plan, ids: Sequence[str]) -> int:
    """Return what the plan expects a restart to take at most, in seconds."""
    return max(int(plan.policy_of(id_).restart_takes.total_seconds()) for id_ in ids)


def _waivers(reading: Reading, plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield every waiver of the plan, who gave it, and what the guard had said when it counted."""
    answers = reading.answers.waived()
    for migration in plan.migrations():
        for one in migration_waivers(reading.state, plan, migration.id, reading.state.last_at):
            used = [each for each in answers if each["guard"] == one["guard"] and _concerns(each, migration)]
            yield {
                "dmsa": migration.id,
                "wave": plan.wave_of(migration.id).name,
                **one,
                "used": [{"subject": each["subject"], "evidence": each["evidence"]} for each in used],
            }


def _concerns(answer: dict[str, Any], migration: Migration) -> bool:
    subject = str(answer["subject"]).casefold()
    own = (migration.account, migration.id, *(host.name for host in migration.hosts))
    return any(name.casefold() in subject for name in own)


def _drill(one: Drill) -> dict[str, Any]:
    began, legs = one.began, one.legs
    migrations = legs.migrations()
    return {
        "drill": began.number,
        "verdict": verdict(migrations) if one.ended is not None else None,
        "estate": began.estate,
        "by": began.by,
        "to": began.to.value,
        "began": iso(one.at),
        "turned": iso(legs.turned_at),
        "ended": iso(one.head.at) if one.head else None,
        "seconds": seconds_between(legs.turned_at, legs.back_at),
        "slowest": slowest(migrations),
        "migrations": [
            {"dmsa": each["dmsa"], "verdict": each["verdict"], "reached": each["reached"], "seconds": each["seconds"]}
            for each in migrations
        ],
        "head": {"seq": one.head.seq, "hash": one.head.hash} if one.head else None,
    }
