"""The shapes of a drill's certificate, and of the history of drills, as JSON Schema."""

from __future__ import annotations

from typing import Any, get_args

from orchestrator.model.drilled import Verdict
from orchestrator.model.lifecycle import PATH, Phase
from orchestrator.views.certificate import FORM
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, TIME, closed, list_of, one_of, or_null

_SECONDS = or_null({"type": "integer"})
_WORD = one_of(get_args(Verdict))
_MOMENT = closed(estate=TIME, clock=TIME)
_SLOWEST = or_null(closed(host=TEXT, dmsa=TEXT, seconds={"type": "integer"}))


def certificate_schema() -> dict[str, Any]:
    """Return the JSON Schema of a certificate: its file, and what ``drill --json`` prints."""
    document = closed(
        certificate={"const": FORM},
        plan=TEXT,
        digest=DIGEST,
        drill=NUMBER,
        verdict=_WORD,
        estate=one_of(("real", "lab")),
        origin=or_null(closed(snapshots=list_of(TEXT), made_up=list_of(TEXT))),
        by=TEXT,
        tool=TEXT,
        to=one_of(PATH),
        began=_MOMENT,
        turned=closed(estate=TIME),
        ended=_MOMENT,
        restore=closed(seconds=_SECONDS, slowest=_SLOWEST),
        migrations=list_of(_migration()),
        head=closed(seq=NUMBER, hash=DIGEST),
    )
    return {"$schema": DIALECT, "title": "dmsa drill", **document}


def _migration() -> dict[str, Any]:
    states = {"type": "object", "additionalProperties": {"type": "object", "additionalProperties": TEXT}}
    steady = or_null(closed(account=TEXT, workloads=states, troubles=list_of(TEXT)))
    difference = closed(object=TEXT, name=TEXT, before={}, now={}, why=TEXT, by_hand=TEXT)
    leg = {"way": one_of(("forward", "back")), "from": one_of(Phase), "to": one_of(Phase)}
    return closed(
        account=TEXT,
        dmsa=TEXT,
        attempt=NUMBER,
        verdict=_WORD,
        reached=or_null(one_of(Phase)),
        why=or_null(TEXT),
        ended=one_of(Phase),
        held=or_null(TEXT),
        steady=closed(before=steady, after=steady),
        snapshot=closed(
            before=or_null(DIGEST),
            now=or_null(DIGEST),
            equal=or_null(COUNT),
            differences=closed(**dict.fromkeys(("failed", "foreign", "declared"), list_of(difference))),
        ),
        legs=list_of(closed(**leg, began=TIME, ended=TIME, seconds=_SECONDS)),
        hosts=list_of(closed(name=TEXT, seconds=_SECONDS)),
        seconds=_SECONDS,
    )


def drills_schema() -> dict[str, Any]:
    """Return the JSON Schema of what ``drill --history --json`` prints."""
    one = closed(
        drill=NUMBER,
        began=_MOMENT,
        by=TEXT,
        estate=one_of(("real", "lab")),
        to=one_of(PATH),
        migrations=COUNT,
        verdict=or_null(_WORD),
        seconds=_SECONDS,
        slowest=_SLOWEST,
        head=or_null(closed(seq=NUMBER, hash=DIGEST)),
    )
    return {"$schema": DIALECT, "title": "dmsa drill --history", **closed(plan=TEXT, drills=list_of(one))}
