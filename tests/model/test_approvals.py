"""Which approvals count: a table of what was said, and laws that hold for whatever is said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.approvals import Given, tally, unsigned_because
from orchestrator.model.driven import RunBegan, RunnerTook
from orchestrator.model.people import person
from orchestrator.model.plan import Approvals, parse_duration
from orchestrator.model.run import RunState
from orchestrator.model.words import (
    Amended,
    ApprovalWithdrawn,
    Approved,
    Subject,
    WaiverApproved,
    WaiverWithdrawn,
)
from tests.signers import line_of, raw_of, signed_by

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
THIS, OTHER = "a" * 64, "b" * 64
CASES = yaml.safe_load((Path(__file__).parent / "approvals" / "counting.yaml").read_text(encoding="utf-8"))
START = Subject("gate", "first", "start")


def told(case: dict[str, Any]) -> RunState:
    run = RunState("table")
    if case.get("run") != "none":
        run.apply(RunBegan(digest=THIS, plan={}, by="somebody", tool="1"), AT)
    if case.get("driver"):
        run.apply(RunnerTook(by=case["driver"], host="mgmt01", pid=1, tool="1"), AT)
    for said in case.get("said", ()):
        run.apply(word(said), AT)
    return run


def word(said: dict[str, Any]) -> Any:
    if "amended" in said:
        return Amended(digest=OTHER if said["amended"] == "to-another" else THIS, plan={}, by="ann", reason="x")
    about = {"wave": said.get("wave", "first"), "gate": said.get("gate", "start"), "by": said["by"]}
    if "takes" in said:
        return ApprovalWithdrawn(**about)
    moment = AT - length(said["before"]) if "before" in said else AT + length(said["after"])
    approved = Approved(**about, digest=OTHER if said.get("digest") == "other" else THIS, given=moment)
    return signed_by(said["signs"], approved, "table") if "signs" in said else approved


def length(text: str) -> timedelta:
    return timedelta(0) if text == "0s" else parse_duration(text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"].replace(" ", "-"))
def test_counting(case):
    keys = {name: line_of(name.rpartition("\\")[2]) for name in case["keys"]} if "keys" in case else None
    rule = Approvals(valid_for=length(case.get("valid_for", "7d")), keys=keys)
    found = tally(told(case).consent, START, case["wanted"], rule, None if case.get("at") == "unknown" else AT)
    assert [one.word.by for one in found.counting] == case["counts"]
    assert found.missing == case["missing"]
    assert all(one.why_not for one in found.said if one not in found.counting)


# Laws.

NAMES = ("ann", "ANN", "CORP\\ann", "ann@corp.example", "ben", "CORP\\Ben", "cleo", "dora")
WORDS = st.one_of(
    st.builds(
        Approved,
        wave=st.sampled_from(["first", "second"]),
        gate=st.sampled_from(["start", "complete"]),
        digest=st.sampled_from([THIS, THIS, OTHER]),
        by=st.sampled_from(NAMES),
        given=st.integers(-400, 400).map(lambda hours: AT + timedelta(hours=hours)),
    ),
    st.builds(
        ApprovalWithdrawn,
        wave=st.just("first"),
        gate=st.sampled_from(["start", "complete"]),
        by=st.sampled_from(NAMES),
    ),
    st.builds(Amended, digest=st.sampled_from([THIS, OTHER]), plan=st.just({}), by=st.just("x"), reason=st.just("x")),
    st.builds(RunnerTook, by=st.sampled_from(NAMES), host=st.just("h"), pid=st.just(1), tool=st.just("1")),
)


@given(st.lists(WORDS, max_size=25), st.integers(0, 3), st.integers(1, 300), st.integers(-300, 300))
def test_never_enough_without_as_many_different_people_whose_word_is_valid(words, wanted, valid, hours):
    """Said a second time, from the whole history: whoever counts has an approval that stands, and is somebody else."""
    at, rule = AT + timedelta(hours=hours), Approvals(valid_for=timedelta(hours=valid))
    run = RunState("table")
    history = [RunBegan(digest=THIS, plan={}, by="x", tool="1"), *words]
    for event in history:
        run.apply(event, AT)
    found = tally(run.consent, START, wanted, rule, at)
    people = set()
    for place, event in enumerate(history):
        if not isinstance(event, Approved) or event.subject != START or event.digest != run.digest:
            continue
        later = history[place + 1 :]
        undone = any(isinstance(one, Amended) and one.digest != event.digest for one in later) or any(
            isinstance(one, Approved | ApprovalWithdrawn)
            and one.subject == START
            and one.by.casefold() == event.by.casefold()
            for one in later
        )
        fresh = event.given - timedelta(minutes=5) <= at < event.given + rule.valid_for
        if fresh and not undone and (run.driver is None or person(event.by) != person(run.driver)):
            people.add(person(event.by))
    assert {person(one.word.by) for one in found.counting} == people
    assert len(found.counting) == len(people)
    assert (found.missing == 0) is (len(people) >= wanted)


@given(st.lists(WORDS, max_size=25))
def test_a_copy_goes_on_by_itself(words):
    run = RunState("table")
    run.apply(RunBegan(digest=THIS, plan={}, by="x", tool="1"), AT)
    half = len(words) // 2
    for event in words[:half]:
        run.apply(event, AT)
    other, before = run.copied(), Given(dict(run.approvals.standing), dict(run.approvals.fallen))
    for event in words[half:]:
        other.apply(event, AT)
    assert run.approvals == before


def test_what_an_amendment_withdrew_is_told_until_it_is_given_again():
    run = told({"said": [{"by": "ann", "before": "1h"}, {"by": "ben", "before": "1h"}, {"amended": "to-another"}]})
    assert [one.by for one in run.approvals.fallen[START]] == ["ann", "ben"]
    assert not run.approvals.standing
    run.apply(Approved(wave="first", gate="start", digest=OTHER, by="Ann", given=AT), AT)
    assert [one.by for one in run.approvals.fallen[START]] == ["ben"]
    assert [one.by for one in run.approvals.standing[START]] == ["Ann"]


def test_a_waiver_and_a_gate_of_the_same_names_are_two_things():
    run = told({"said": [{"by": "ann", "before": "1h"}]})
    run.apply(WaiverApproved(migration="first", guard="start", digest=THIS, by="ben", given=AT), AT)
    assert {subject.kind: [one.by for one in words] for subject, words in run.approvals.standing.items()} == {
        "gate": ["ann"],
        "waiver": ["ben"],
    }
    run.apply(WaiverWithdrawn(migration="first", guard="start", by="ben"), AT)
    assert list(run.approvals.standing) == [START]


# Signatures.

KEYS = {"ann": raw_of("ann"), "ben": line_of("ben")}
GATE = Approved(
    wave="first",
    gate="start",
    digest=THIS,
    by="ann",
    given=AT,
    clock="machine",
    reason="CHG1",
    principal="ann@CORP.EXAMPLE",
)
WAIVER = WaiverApproved(migration="dmsa-a", guard="recycle-bin", digest=THIS, by="ann", given=AT, reason="CHG1")
TAMPERED = {
    "wave": "second",
    "gate": "complete",
    "migration": "dmsa-b",
    "guard": "operator-rights",
    "digest": OTHER,
    "by": "ben",
    "given": AT + timedelta(seconds=1),
    "clock": "estate",
    "reason": "CHG2",
    "principal": "ben@CORP.EXAMPLE",
}


@pytest.mark.parametrize("approval", [GATE, WAIVER], ids=["gate", "waiver"])
def test_a_signature_is_of_everything_that_is_said(approval):
    signed = signed_by("ann", approval, "table")
    assert unsigned_because(signed, "table", KEYS) is None
    fields = set(type(signed).model_fields) - {"kind", "signature"}
    for name in fields:
        other = TAMPERED[name]
        assert getattr(signed, name) != other or name == "clock"
        forged = signed.model_copy(update={name: other if getattr(signed, name) != other else "machine"})
        assert unsigned_because(forged, "table", KEYS) == "has a signature that does not fit", name
    assert unsigned_because(signed, "another", KEYS) == "has a signature that does not fit"


def test_an_approval_of_a_waiver_is_none_of_a_gate():
    signed = signed_by("ann", WAIVER, "table")
    moved = GATE.model_copy(update={"signature": signed.signature, "reason": WAIVER.reason, "clock": "estate"})
    assert unsigned_because(moved, "table", KEYS) == "has a signature that does not fit"


@pytest.mark.parametrize("signature", ["", "AAAA", "nonsense!", "A" * 88, "ä", None])
def test_what_is_no_signature_at_all_is_none(signature):
    assert unsigned_because(GATE.model_copy(update={"signature": signature}), "table", KEYS) is not None
