"""The document of a verification and its text: 80 columns, whole commands, a line where all is well."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator

from orchestrator.errors import Exit
from orchestrator.model.run import RunState
from orchestrator.verification import Finding, Since, Verified
from orchestrator.views.verification import WIDTH, verification_document, verification_text
from orchestrator.views.verification_schema import verification_schema
from tests.engine.runs import plan

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
DRIFT = Finding(
    "half-link",
    "CN=svc-a,OU=A rather long name of an organizational unit,OU=Another one,DC=corp,DC=example",
    "there " * 30,
    "as it was",
    "`dmsa hold PLAN --only a --reason TEXT`, then `a command that must not be broken, however long it is, by a line`",
    Since(AT, "right-until"),
)
UNKNOWN = Finding("unreadable", "host", "it is down", "an answer", "start it")
MOVING = Finding("under-way", "b", "a write", "at rest", "`dmsa verify PLAN` again")


def shown(**found: tuple[Finding, ...]) -> tuple[dict, str]:
    verified = Verified(RunState("table"), AT, found)
    document = verification_document(verified, plan({"ids": "ab"}, {"ids": "c"}), "0" * 64)
    Draft202012Validator(verification_schema()).validate(document)
    return document, verification_text(document, "my.yaml --journal j.db")


def test_where_all_is_well_it_is_one_line_each():
    document, text = shown(a=(), b=(), c=())
    assert text.splitlines()[1:] == [
        "",
        "wave w1",
        "  a  planned      as the journal says",
        "  b  planned      as the journal says",
        "",
        "wave w2",
        "  c  planned      as the journal says",
        "",
        "Everything is as the journal says.",
    ]
    assert document["exit"] == 0


def test_a_finding_is_wrapped_but_for_what_is_copied():
    _, text = shown(a=(DRIFT,))
    lines = text.splitlines()
    assert "wave w2" not in text, "what was not chosen is not shown"
    long = [line.strip() for line in lines if len(line) > WIDTH]
    assert long == ["half-link: " + DRIFT.subject] or all("`" in line or "CN=" in line for line in long)
    assert "`a command that must not be broken, however long it is, by a line`" in text
    assert "`dmsa hold my.yaml --journal j.db --only a --reason TEXT`" in text
    assert "after 2026-03-02T12:00:00Z, when it was still right" in text
    assert lines[-1] == "0 of 1 as the journal says; 1 difference. Nothing was changed."


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((), Exit.DONE),
        ((DRIFT,), Exit.FAILED),
        ((DRIFT, UNKNOWN), Exit.HELD),
        ((DRIFT, MOVING), Exit.FAILED),
        ((MOVING,), Exit.WAITING),
        ((MOVING, UNKNOWN), Exit.HELD),
    ],
)
def test_the_first_of_the_contracts_order_is_the_exit(found, code):
    document, text = shown(a=found, b=())
    assert document["exit"] == code
    assert document["counts"]["migrations"] == 2
    assert document["counts"]["as_journaled"] == 1 + (not found)
    assert ("unknown is never as it should be" in text.replace("\n", " ")) is (UNKNOWN in found)
