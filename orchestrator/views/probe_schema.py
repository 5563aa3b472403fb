"""The shape of what ``probe-windows`` keeps and prints: what a program that reads it may rely on."""

from __future__ import annotations

from typing import Any, get_args

from orchestrator.probe import QUESTIONS, SWITCHES
from orchestrator.views.probe import State
from orchestrator.views.shape import COUNT, DIALECT, DIGEST, NUMBER, TEXT, closed, list_of, one_of, or_null


def probe_schema() -> dict[str, Any]:
    """Return the JSON Schema of the document of ``probe-windows``; its result file is the same as YAML."""
    flag, texts = {"type": "boolean"}, list_of(TEXT)
    value = {"type": ["boolean", "string"]}
    said = or_null(closed(id=TEXT, category=TEXT, exception=TEXT, message=TEXT))
    seen = closed(
        pair=TEXT,
        account_enabled=flag,
        account_spns=texts,
        account_delegation=texts,
        account_policies=texts,
        dmsa_spns=texts,
        dmsa_delegation=texts,
        dmsa_policies=texts,
        dmsa_principals=texts,
        dmsa_grant=or_null(texts),
    )
    acted = closed(number=NUMBER, act=TEXT, went=TEXT, said=said, before=seen, after=seen)
    read = closed(number=NUMBER, act=TEXT, went=TEXT, said=said, records=texts)
    question = closed(id=one_of(QUESTIONS), asks=TEXT, answer=value, why=TEXT, switch=flag, evidence=list_of(NUMBER))
    switches = {
        "type": "object",
        "properties": dict.fromkeys(sorted(SWITCHES), value),
        "additionalProperties": False,
    }
    objects = {"type": "object", "required": ["guid", "dn"]}
    document = closed(
        plan=TEXT,
        digest=DIGEST,
        account=TEXT,
        dmsa=TEXT,
        state=one_of(get_args(State)),
        exit=or_null(COUNT),
        estate_time=closed(began=or_null(TEXT), ended=or_null(TEXT)),
        controller=or_null(closed(name=TEXT, version=TEXT, build=NUMBER, ubr=or_null(COUNT))),
        doing=TEXT,
        why=TEXT,
        left=texts,
        switches=switches,
        questions=list_of(question),
        acts=list_of({"anyOf": [acted, read]}),
        found=or_null(closed(account=objects, dmsa=or_null(objects))),
    )
    return {"$schema": DIALECT, "title": "dmsa probe-windows", **document}
