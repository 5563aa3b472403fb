"""When a waiver counts: at a stage where the guard may be waived, with enough different people who have approved it.

On a lab their names are enough, and for time that passes where every pair is disposable.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from orchestrator.engine.verdicts import waited_for
from orchestrator.guards import _answer
from orchestrator.model.case import Case, Verdict
from orchestrator.model.driven import RunBegan, RunnerTook
from orchestrator.model.guard_ids import GUARDS, Stage
from orchestrator.model.words import Amended, WaiverApproved, WaiverWithdrawn
from tests.cases import AT, MIGRATION, situation

PEOPLE = (["ann"], ["ann", "ann"], ["ann", "bob"], ["ann", "bob", "cat"])


def waived(guard: str, stage: Stage, people: list[str], lab: str | None) -> bool:
    waiver = {"guard": guard, "reason": "rehearsed", "approved_by": people}
    facts = {"plan": {"waivers": [waiver]}, "state": {"snapshot": False}, "estate": {"lab": lab}}
    return situation(facts).case.waived(guard, stage)


@pytest.mark.parametrize("guard", GUARDS)
def test_a_waiver_counts_on_a_lab_where_the_rule_says_so_and_with_enough_people(guard):
    rule = GUARDS[guard]
    for stage, people in product(Stage, PEOPLE):
        enough = 0 < rule.approvers <= len(set(people))
        assert waived(guard, stage, people, "estate.yaml") is (enough and stage in rule.waivable_at)
        assert not waived(guard, stage, people, None)


# On a real estate.

DIGEST = "d" * 64
REAL = {"lab": None, "connections": [{"match": "*", "auth": "kerberos"}]}


def real(*said: Any, guard: str = "recycle-bin", people: tuple[str, ...] = ("ann",), **more: Any) -> Case:
    """Return the case of a migration with a waiver on a real estate, where people have said something."""
    waiver = {"guard": guard, "reason": "rehearsed", "approved_by": list(people)}
    migration = {"waivers": [waiver], **more.pop("plan", {})}
    case = situation({"plan": migration, "state": {"snapshot": False}, "estate": REAL}).case
    run = case.run
    run.apply(RunBegan(digest=DIGEST, plan={}, by="x", tool="1"), AT)
    for event in said:
        run.apply(event, AT)
    return replace(case, at=more.pop("at", AT))


def by(name: str, guard: str = "recycle-bin", hours: float = 1, digest: str = DIGEST) -> WaiverApproved:
    given = AT - timedelta(hours=hours)
    return WaiverApproved(migration=MIGRATION, guard=guard, digest=digest, by=name, given=given, clock="machine")


WAIVED = [
    ("nobody has approved", real(), False),
    ("the one it names has", real(by("ann")), True),
    ("the one it names has, in capitals", real(by("ANN")), True),
    ("somebody else has", real(by("ben")), False),
    ("a namesake in a domain is somebody else", real(by("CORP\\ann")), False),
    ("one of two", real(by("ann"), people=("ann", "ben")), False),
    ("both of two", real(by("ann"), by("ben"), people=("ann", "ben")), True),
    ("a third, too, though one would do", real(by("ann"), by("ben"), people=("ann", "ben", "cat")), False),
    ("taken back", real(by("ann"), WaiverWithdrawn(migration=MIGRATION, guard="recycle-bin", by="ann")), False),
    ("of another guard", real(by("ann", guard="encryption-aes")), False),
    ("of another plan", real(by("ann", digest="e" * 64)), False),
    ("expired", real(by("ann", hours=7 * 24)), False),
    ("just valid", real(by("ann", hours=7 * 24 - 1)), True),
    ("the time is not known", real(by("ann"), at=None), False),
    ("who drives", real(by("ann"), RunnerTook(by="CORP\\Ann", host="h", pid=1, tool="1")), False),
    ("another drives", real(by("ann"), RunnerTook(by="ben", host="h", pid=1, tool="1")), True),
    ("amended since", real(by("ann"), Amended(digest="e" * 64, plan={}, by="x", reason="x")), False),
    ("by name, a disposable pair", real(plan={"drill": True}), False),
    ("time, a disposable pair", real(guard="dwell-minimum", plan={"drill": True}), True),
    ("time, a pair that counts", real(guard="dwell-minimum"), False),
]


@pytest.mark.parametrize(("case", "counts"), [one[1:] for one in WAIVED], ids=[one[0] for one in WAIVED])
def test_on_a_real_estate_a_waiver_counts_once_each_of_those_it_names_has_approved_it(case, counts):
    guard = case.migration.waivers[0].guard
    stage = next(iter(GUARDS[guard].waivable_at))
    assert case.waived(guard, stage) is counts
    assert not any(case.waived(guard, other) for other in Stage if other not in GUARDS[guard].waivable_at)


def test_two_names_of_one_person_are_not_two_people():
    twice = real(by("ann", "ou-not-open"), by("CORP\\ann", "ou-not-open"), guard="ou-not-open", people=PAIR)
    assert not twice.waived("ou-not-open", Stage.PREFLIGHT)
    assert twice.waiver("ou-not-open", Stage.PREFLIGHT) is None


PAIR = ("ann", "CORP\\ann")


def test_a_refusal_that_people_may_still_waive_waits_for_them_and_says_who_they_are():
    waiting = _answer("recycle-bin", REFUSED, real(by("ben"), people=("ann", "ben")), Stage.PREFLIGHT)
    assert not waiting.lets_pass
    assert waiting.verdict.waits == ("approval:start", None)
    assert waiting.verdict.remedy == (
        f"it may be waived once ann has approved: `dmsa approve PLAN --waivers --only {MIGRATION}`"
    )
    expired = _answer("recycle-bin", REFUSED, real(by("ann", hours=200)), Stage.PREFLIGHT)
    assert expired.verdict.remedy.endswith("; that of ann has expired")
    late = _answer("no-unknown-host", REFUSED, real(guard="no-unknown-host"), Stage.COMPLETE)
    assert late.verdict.waits == ("approval:complete", None)
    approved = _answer("recycle-bin", REFUSED, real(by("ann")), Stage.PREFLIGHT)
    assert approved.waived
    assert approved.verdict.waits is None
    never = _answer("recycle-bin", replace(REFUSED, waivable=False), real(), Stage.PREFLIGHT)
    assert never.verdict.waits is None
    no_waiver = _answer("encryption-aes", REFUSED, real(), Stage.PREFLIGHT)
    assert no_waiver.verdict == REFUSED
    only_young = replace(REFUSED, waits=("ledger", None))
    assert _answer("ledger-flat", only_young, real(guard="ledger-flat"), Stage.COMPLETE).verdict == only_young


REFUSED = Verdict(False, "corp.example", "the recycle bin is off", "switch it on")


def test_who_is_asked_comes_before_what_time_brings():
    people = replace(REFUSED, waits=("approval:complete", None))
    later = replace(REFUSED, waits=("dwell", AT + timedelta(days=3)))
    wait = waited_for(real(), [later, people])
    assert (wait.waiting_for, wait.until, wait.again) == ("approval:complete", None, None)
    assert wait.detail == "corp.example: the recycle bin is off (switch it on)"


def test_a_host_out_of_reach_may_be_waived_for_start_only():
    assert [stage for stage in Stage if waived("host-reachable", stage, ["ann"], "estate.yaml")] == [Stage.START]


def test_the_password_risk_of_a_way_back_takes_its_own_word():
    stages = [stage for stage in Stage if waived("account-password-stable", stage, ["ann"], "estate.yaml")]
    assert stages == [Stage.PREFLIGHT, Stage.COMPLETE]


def test_no_waiver_no_pass():
    case = situation({"state": {"snapshot": False}}).case
    assert not any(case.waived(guard, stage) for guard, stage in product(GUARDS, Stage))
