"""When a waiver counts: on a lab, at a stage where the guard may be waived, with enough different people."""

from itertools import product

import pytest

from orchestrator.model.guard_ids import GUARDS, Stage
from tests.cases import situation

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


def test_a_host_out_of_reach_may_be_waived_for_start_only():
    assert [stage for stage in Stage if waived("host-reachable", stage, ["ann"], "estate.yaml")] == [Stage.START]


def test_the_password_risk_of_a_way_back_takes_its_own_word():
    stages = [stage for stage in Stage if waived("account-password-stable", stage, ["ann"], "estate.yaml")]
    assert stages == [Stage.PREFLIGHT, Stage.COMPLETE]


def test_no_waiver_no_pass():
    case = situation({"state": {"snapshot": False}}).case
    assert not any(case.waived(guard, stage) for guard, stage in product(GUARDS, Stage))
