"""The shape of a report, as JSON Schema."""

from __future__ import annotations

from typing import Any, get_args

from orchestrator.engine.outcome import WaveState
from orchestrator.errors import Exit
from orchestrator.model.drilled import Verdict
from orchestrator.model.lifecycle import PATH, Pair, Phase, Trigger, Way
from orchestrator.report.chapters import KINDS, OUTCOMES
from orchestrator.report.document import FORM
from orchestrator.report.evidence import VERDICTS
from orchestrator.report.glance import MARKS
from orchestrator.report.traced import SHOWN
from orchestrator.report.unverified import IDS
from orchestrator.views.approvals import approvals_shape
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, TIME, closed, list_of, one_of, or_null
from orchestrator.views.status_schema import WAITING, status_schema

_FLAG = {"type": "boolean"}
_SECONDS = or_null({"type": "number"})
_MAYBE = or_null(TEXT)
_CURVE = list_of(closed(at=TIME, hosts=COUNT, others=COUNT))


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document that ``report`` writes as JSON."""
    document = closed(
        report={"const": FORM},
        plan=TEXT,
        description=TEXT,
        change=_MAYBE,
        owner=_MAYBE,
        digest=DIGEST,
        exit={"enum": [int(code) for code in Exit]},
        estate=closed(
            kind=one_of(("real", "simulated")),
            domain=_MAYBE,
            copies=list_of(TEXT),
            copies_by=or_null(one_of(("plan", "directory"))),
            witness=TEXT,
        ),
        journal=closed(rows=COUNT, hash=DIGEST, witnessed=or_null(COUNT), of_this_run=COUNT),
        summary=_summary(),
        runners=list_of(closed(by=TEXT, host=TEXT, tool=TEXT, took=TIME, row=NUMBER, left=TIME, why=_MAYBE)),
        words=list_of(_word()),
        waves=list_of(_wave()),
        ledger=_together(),
        guards=list_of(_guard()),
        answers=list_of(_answer()),
        waivers=list_of(_waiver()),
        restarts=closed(planned=COUNT, p95=or_null(COUNT)),
        changes=closed(**dict.fromkeys(SHOWN, COUNT)),
        drills=list_of(_drill()),
        ways_back=list_of(_way_back()),
        not_verified=list_of(closed(id=one_of(IDS), what=TEXT, about=list_of(TEXT), ask=TEXT)),
        migrations=list_of(_migration()),
    )
    return {"$schema": DIALECT, "title": "dmsa report", **document}


def _summary() -> dict[str, Any]:
    return closed(
        headline=TEXT,
        mark=one_of(MARKS),
        counts=closed(**dict.fromkeys(MARKS, COUNT)),
        migrations=COUNT,
        hosts=COUNT,
        began=TIME,
        last=TIME,
        restarts=closed(measured=COUNT, p95=or_null(COUNT), longest=_SECONDS),
        restore=closed(measured=COUNT, longest=_SECONDS),
        drivers=list_of(TEXT),
        writes=COUNT,
        unknown_outcomes=COUNT,
        retries=COUNT,
    )


def _word() -> dict[str, Any]:
    return closed(row=NUMBER, kind=TEXT, at=TIME, by=TEXT, about=_MAYBE, said=TEXT, signed=_FLAG, principal=_MAYBE)


def _wave() -> dict[str, Any]:
    window = or_null(closed(days=list_of(TEXT), open=TEXT, close=TEXT, zone=TEXT))
    span = closed(migrations=COUNT, first=TIME, last=TIME)
    gate, _ = approvals_shape()
    return closed(
        name=TEXT,
        state=one_of(get_args(WaveState)),
        waiting=WAITING,
        needs=list_of(TEXT),
        at_once=NUMBER,
        failures_allowed=TEXT,
        windows=closed(start=window, complete=window),
        blackout=list_of(closed(**{"from": TEXT, "to": TEXT, "reason": TEXT})),
        approvals=list_of(gate),
        words=list_of(_word()),
        drivers=list_of(TEXT),
        began=TIME,
        start=span,
        complete=span,
        last=TIME,
        marks={"type": "object", "propertyNames": one_of(MARKS), "additionalProperties": COUNT},
        ledger=_together(),
        restarts=closed(planned=COUNT, measured=COUNT, p95=or_null(COUNT)),
    )


def _together() -> dict[str, Any]:
    return closed(expected=COUNT, last=TIME, points=_CURVE)


def _guard() -> dict[str, Any]:
    return closed(guard=TEXT, stages=TEXT, asked=COUNT, **dict.fromkeys((*VERDICTS, "waived"), COUNT))


def _answer() -> dict[str, Any]:
    return closed(
        guard=TEXT,
        subject=TEXT,
        verdict=one_of(VERDICTS),
        waived=_FLAG,
        evidence=TEXT,
        remedy=TEXT,
        migrations=COUNT,
    )


def _waiver() -> dict[str, Any]:
    _, waiver = approvals_shape()
    used = list_of(closed(subject=TEXT, evidence=TEXT))
    return closed(dmsa=TEXT, wave=TEXT, used=used, **waiver["properties"])


def _drill() -> dict[str, Any]:
    each = closed(dmsa=TEXT, verdict=one_of(get_args(Verdict)), reached=or_null(one_of(Phase)), seconds=_SECONDS)
    return closed(
        drill=NUMBER,
        verdict=or_null(one_of(get_args(Verdict))),
        estate=one_of(("real", "lab")),
        by=TEXT,
        to=one_of(PATH),
        began=TIME,
        turned=TIME,
        ended=TIME,
        seconds=_SECONDS,
        slowest=or_null(closed(host=TEXT, dmsa=TEXT, seconds={"type": "integer"})),
        migrations=list_of(each),
        head=or_null(closed(seq=NUMBER, hash=DIGEST)),
    )


def _way_back() -> dict[str, Any]:
    said = {"dmsa": TEXT, "way": one_of(Way), "by": TEXT, "automatic": _FLAG, "from": one_of(Phase)}
    return closed(**said, asked=TIME, ended=TIME, seconds=_SECONDS)


def _migration() -> dict[str, Any]:
    status = status_schema()["properties"]["waves"]["items"]["properties"]["migrations"]["items"]
    curve = closed(readings=COUNT, last=TIME, points=_CURVE)
    restarts = list_of(closed(at=TIME, seconds={"type": "number"}))
    measured = list_of(closed(host=TEXT, name=TEXT, restarts=restarts))
    return closed(
        wave=TEXT,
        mark=one_of(MARKS),
        **status["properties"],
        began=TIME,
        since=TIME,
        history=list_of(_chapter()),
        writes=list_of(_write()),
        snapshots=list_of(_snapshot()),
        curve=or_null(curve),
        restarts=closed(planned=COUNT, p95=or_null(COUNT), workloads=measured),
    )


def _chapter() -> dict[str, Any]:
    entry = closed(
        row=NUMBER,
        at=TIME,
        kind=one_of(dict.fromkeys(KINDS.values())),
        where=_MAYBE,
        said=TEXT,
        times=NUMBER,
        outcome=or_null(one_of(OUTCOMES)),
        ended=TIME,
        seconds=_SECONDS,
        fault=or_null(closed(code=TEXT, message=TEXT, remedy=TEXT)),
        shell_ended=_MAYBE,
        settled=_MAYBE,
        read=_MAYBE,
        answers=list_of(COUNT),
    )
    said = {
        "attempt": NUMBER,
        "step": or_null(one_of(Trigger)),
        "from": or_null(one_of(Phase)),
        "to": or_null(one_of(Phase)),
        "pair": or_null(one_of(Pair)),
    }
    return closed(**said, began=TIME, ended=TIME, seconds=_SECONDS, entries=list_of(entry))


def _write() -> dict[str, Any]:
    change = closed(
        object=TEXT,
        attribute=_MAYBE,
        old=_MAYBE,
        new=_MAYBE,
        sure=_FLAG,
        note=TEXT,
        shown=one_of(SHOWN),
    )
    return closed(
        step=one_of(Trigger),
        cmdlet=TEXT,
        where=TEXT,
        sent=TIME,
        ended=TIME,
        everywhere=TIME,
        landed=or_null(_FLAG),
        changes=list_of(change),
    )


def _snapshot() -> dict[str, Any]:
    verdict = one_of(("declared", "foreign", "failed"))
    difference = closed(object=TEXT, name=TEXT, before={}, now={}, verdict=verdict, why=TEXT, by_hand=TEXT)
    fact = closed(object=TEXT, name=TEXT, before={}, again={}, changed=_FLAG)
    return closed(
        attempt=NUMBER,
        taken=TIME,
        late=_FLAG,
        sha256=DIGEST,
        account_guid=TEXT,
        dmsa_guid=_MAYBE,
        unasked=list_of(TEXT),
        again=or_null(closed(taken=TIME, sha256=DIGEST)),
        facts=list_of(fact),
        compared=or_null(closed(snapshot=DIGEST, now=DIGEST, equal=COUNT, differences=list_of(difference))),
    )
