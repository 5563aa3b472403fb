"""Which migrations a drill may begin with, by which rules it goes, and how far each came."""

import pytest

from orchestrator.engine.drill import furthest, is_over, not_free, rules_of, turned
from orchestrator.engine.waves import Go, NotYet, admissible
from orchestrator.model.lifecycle import PATH, Intention, Phase, Trigger
from orchestrator.model.plan import Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import Hold, MigrationState, Waiting
from tests.cases import AT, plan_of

ONE = "dmsa-app"
HELD = Hold("guard:host-capable", "It is old.", "upgrade it", AT)


def plan(**policy: object) -> Plan:
    return plan_of({"plan": policy})


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({}, None),
        ({"phase": Phase.ROLLED_BACK, "intention": Intention.BACK}, None),
        ({"phase": Phase.ROLLED_BACK}, None),
        ({"phase": Phase.PREPARED}, "is prepared"),
        ({"phase": Phase.COMPLETED}, "is completed"),
        ({"phase": Phase.UNLINKED, "intention": Intention.BACK}, "is unlinked"),
        ({"held": HELD}, "is held (guard:host-capable): It is old."),
    ],
)
def test_only_what_is_untouched_or_all_the_way_back_is_free(state, said):
    why = not_free(MigrationState(id=ONE, **state))
    assert (why or "").startswith(said or ""), why
    assert (why is None) == (said is None)


@pytest.mark.parametrize(
    ("policy", "patient", "to"),
    [
        ({}, True, Phase.COMPLETED),
        ({}, False, Phase.RESTARTED),
        ({"approvals": {"complete": 1}}, True, Phase.SOAKED),
        ({"approvals": {"complete": 1}}, False, Phase.RESTARTED),
        ({"approvals": {"start": 1}}, True, Phase.PREPARED),
        ({"approvals": {"start": 2, "complete": 2}}, False, Phase.PREPARED),
    ],
)
def test_by_itself_it_goes_as_far_as_nobody_is_needed(policy, patient, to):
    assert furthest(plan(**policy), [ONE], patient=patient) is to


def two_waves() -> Plan:
    whole = plan().model_dump(mode="json", by_alias=True, exclude_unset=True)
    more = whole["waves"][0]["migrations"][0] | {
        "account": "CN=svc-late,OU=Service Accounts,DC=corp,DC=example",
        "dmsa": {"name": "dmsa-late", "dns_host_name": "dmsa-late.corp.example"},
        "approvals": {"start": 1},
    }
    whole["waves"].append({"name": "late", "migrations": [more]})
    return Plan.model_validate(whole)


def test_the_slowest_decides_for_all():
    assert furthest(two_waves(), [ONE, "dmsa-late"], patient=True) is Phase.PREPARED
    assert furthest(two_waves(), [ONE], patient=True) is Phase.COMPLETED


def test_no_wave_waits_for_another():
    run = RunState("cases")
    assert isinstance(admissible(run, two_waves(), AT)["dmsa-late"], NotYet)
    assert admissible(run, rules_of(two_waves()), AT)["dmsa-late"] == Go(Trigger.PREPARE)


def test_who_is_not_there_is_not_waited_for():
    run = RunState("cases")
    run.migrations["dmsa-late"] = MigrationState(id="dmsa-late", phase=Phase.PREPARED)
    assert isinstance(admissible(run, rules_of(two_waves()), AT)["dmsa-late"], NotYet)
    alone = rules_of(two_waves(), unattended=True)
    assert admissible(run, alone, AT)["dmsa-late"] == Go(Trigger.START, admits=True)
    assert furthest(alone, [ONE, "dmsa-late"], patient=True) is Phase.COMPLETED


WAITS = Waiting("window", None, "the window is closed")


@pytest.mark.parametrize(
    ("state", "waiting", "why"),
    [
        ({"phase": Phase.RESTARTED}, None, ""),
        ({"phase": Phase.COMPLETED}, None, ""),
        ({"phase": Phase.LINKED, "held": HELD}, None, "held (guard:host-capable): It is old."),
        ({"phase": Phase.RESTARTED, "held": HELD}, None, ""),
        ({"phase": Phase.LINKED}, WAITS, "waits for window: the window is closed"),
        ({"phase": Phase.LINKED}, Waiting("dwell", None), "waits for dwell"),
        ({"phase": Phase.LINKED}, None, "it was not moved any further"),
        ({"phase": Phase.ROLLED_BACK}, WAITS, "waits for window: the window is closed"),
        ({"phase": Phase.UNLINKED, "intention": Intention.BACK}, None, "it went back before the drill turned"),
    ],
)
def test_what_came_short_says_why(state, waiting, why):
    assert turned(MigrationState(id=ONE, **state), Phase.RESTARTED, waiting).why == why


@pytest.mark.parametrize("phase", [*PATH, Phase.REOPENED, Phase.UNLINKED, Phase.RESTORED, Phase.ROLLED_BACK])
def test_a_way_back_is_over_where_nothing_is_under_way_or_a_person_is_needed(phase):
    free = MigrationState(id=ONE, phase=phase, intention=Intention.BACK)
    assert is_over(free) == (phase in {Phase.PLANNED, Phase.ROLLED_BACK})
    assert is_over(MigrationState(id=ONE, phase=phase, intention=Intention.BACK, held=HELD))
