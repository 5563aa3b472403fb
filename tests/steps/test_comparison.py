"""Laws of the comparison: nothing is missed, nothing made up, and what is ours to restore is never called another's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.before import HostBefore, PoolBefore, ServiceBefore, TaskBefore
from orchestrator.model.directory import ACCOUNT_LINK, ACCOUNT_STATE
from orchestrator.model.lifecycle import Phase, Way
from orchestrator.steps.comparison import compared, facts_of
from orchestrator.steps.snapshot import DESCRIPTOR, Content
from tests.cases import situation
from tests.world import World

ACCOUNT, OU = "CN=svc-app,OU=Service Accounts,DC=corp,DC=example", "OU=Service Accounts,DC=corp,DC=example"
SDDL = "O:DAG:DAD:AI(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;DA)"
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)
STATES = st.sampled_from(["Running", "Stopped", "Started", "Disabled", "Ready"])
HOSTS = st.builds(
    HostBefore,
    computer_name=NAMES,
    key_exists=st.booleans(),
    value=st.sampled_from([None, 0, 1, "x"]),
    services=st.dictionaries(
        NAMES, st.builds(ServiceBefore, state=STATES, start_mode=NAMES, start_name=st.none() | NAMES), max_size=2
    ),
    tasks=st.dictionaries(NAMES, st.builds(TaskBefore, state=STATES, log_on=st.none() | NAMES), max_size=2),
    app_pools=st.dictionaries(NAMES, st.builds(PoolBefore, state=STATES, log_on=st.none() | NAMES), max_size=2),
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["servicePrincipalName", "memberOf", "msDS-AllowedToDelegateTo"]), st.lists(NAMES, max_size=2)
) | st.dictionaries(st.sampled_from(["userAccountControl", "pwdLastSet", "lockoutTime"]), st.integers(0, 2**25))
CONTENTS = st.builds(
    Content,
    account=ATTRIBUTES.map(lambda some: {"dn": ACCOUNT, "enabled": True, DESCRIPTOR: SDDL, **some}),
    dmsa=st.none() | ATTRIBUTES.map(lambda some: {"dn": "CN=dmsa-app", "guid": "1", DESCRIPTOR: SDDL, **some}),
    containers=st.just({OU: SDDL}),
    hosts=st.dictionaries(st.sampled_from(["app01.corp.example", "app02.corp.example"]), HOSTS, max_size=2),
)
DONE = situation(
    {"state": {"phase": "restored", "intention": "back", "way": "rollback", "sent": ["Start", "Complete"]}}
)
NEVER = situation({"state": {"phase": "restored", "intention": "back", "way": "rollback", "sent": ["Start"]}})


@given(CONTENTS)
def test_what_is_as_it_was_has_no_difference(content: Content):
    result = compared(DONE.case, content, content)
    assert result.differences == ()
    assert result.snapshot == result.now == content.sha256
    assert result.equal == len(facts_of(content))


@given(CONTENTS, CONTENTS)
def test_every_fact_is_equal_or_one_difference(before: Content, now: Content):
    result = compared(DONE.case, before, now)
    facts, present = facts_of(before), facts_of(now)
    named = {(one.object, one.name) for one in result.differences}
    assert len(named) == len(result.differences)
    assert all(facts.get(key) != present.get(key) for key in named)
    of_dmsa = (("dmsa", "dn") in facts) == (("dmsa", "dn") in present)
    passed_over = {
        key
        for key in facts.keys() | present.keys()
        if facts.get(key) != present.get(key) and key not in named and (of_dmsa or key[0] != "dmsa")
    }
    assert all(name.startswith("state of task ") for _, name in passed_over), "a task that is on is on"
    assert (result.snapshot == result.now) == (before.canonical == now.canonical)


@given(CONTENTS, CONTENTS)
def test_without_complete_nothing_of_the_account_can_be_ours_to_restore(before: Content, now: Content):
    result = compared(NEVER.case, before, now)
    failed = [one for one in result.differences if one.verdict == "failed"]
    assert all(one.object.startswith("host ") for one in failed)


@given(CONTENTS, CONTENTS)
def test_whatever_failed_has_its_command_and_nothing_else_has_one(before: Content, now: Content):
    for one in compared(DONE.case, before, now).differences:
        assert bool(one.by_hand) == (one.verdict == "failed"), one
        assert "task " not in one.name or one.verdict == "foreign", "nothing here starts or stops a task for good"
        assert one.why


@pytest.mark.parametrize(("name", "unset"), [(ACCOUNT_STATE, 0), (ACCOUNT_LINK, "")])
def test_an_account_that_still_points_somewhere_is_never_restored(name: str, unset: Any):
    before = Content({"dn": ACCOUNT}, None, {}, {})
    linked = replace(before, account={"dn": ACCOUNT, name: "CN=dmsa-app" if name == ACCOUNT_LINK else 1})
    (one,) = compared(NEVER.case, before, linked).differences
    assert (one.verdict, one.by_hand.endswith(f"-Clear '{name}'")) == ("failed", True)
    cleared = replace(before, account={"dn": ACCOUNT, name: unset})
    assert compared(NEVER.case, before, cleared).differences == ()


def test_a_whole_way_back_leaves_nothing_but_what_is_declared():
    world = World()
    world.run()
    world.ask_back(Way.ROLLBACK)
    world.run()
    assert set(world.phases().values()) == {Phase.ROLLED_BACK}
    for id_ in world.ids:
        result = world.state()[id_].compared
        assert result is not None
        assert {one.verdict for one in result.differences} == {"declared"}
        assert result.equal > 15
