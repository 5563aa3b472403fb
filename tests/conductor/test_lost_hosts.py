"""A host that is gone for good: it counts as done in every step, forward and back, and what is left there is named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.model.event import Released, SubjectDone
from orchestrator.model.lifecycle import PATH, IllegalEvent, Phase, Way
from orchestrator.model.words import HostReleased
from orchestrator.views.status import status_document
from tests.conductor.test_amendment import ERP, ID, NEW, OLD, hosts, joins, restarts, short, third_host
from tests.whole import some
from tests.world import Crash, Doom, World

FROM_PREPARED = PATH[1:-1]


def two_hosts(plan: dict[str, Any]) -> None:
    short(plan)
    joins(plan)
    plan["policy"]["retry"] = {"attempts": 2}


def world() -> World:
    return World(change_plan=two_hosts, change_estate=third_host)


def gone(one: World, host: str) -> None:
    """Let a host be gone, and a second person say so."""
    one.estate.machines[host].down_until = one.estate.now + timedelta(days=4000)
    one.say(HostReleased(migration=ID, host=host, by="ann", reason="scrapped"))


@pytest.mark.parametrize("phase", FROM_PREPARED)
@pytest.mark.parametrize("back", [False, True])
def test_a_lost_host_counts_as_done_from_wherever_it_was_lost(phase, back):
    one = world()
    one.run([ID], until=phase)
    before = restarts(one)
    gone(one, OLD)
    if back:
        one.ask_back(Way.ROLLBACK, [ID])
    state = one.run([ID])
    assert state[ID].held is None
    assert one.phases()[ID] is (Phase.ROLLED_BACK if back else Phase.COMPLETED)
    assert restarts(one)["BatchRunner"] == before["BatchRunner"], "nothing is asked of it any longer"
    shown = {host["name"]: host for host in _migration(one)["hosts"]}
    assert shown[OLD]["registry"] == "lost"
    assert shown[OLD]["lost"] == {
        "by": "ann",
        "reason": "scrapped",
        "since": shown[OLD]["lost"]["since"],
        "before": None,
        "left": "pending" if phase in PATH[:4] else "set",
    }
    assert shown[NEW]["lost"] is None
    assert OLD.lower() not in state.switches.uses


def _migration(one: World) -> dict[str, Any]:
    document = status_document(one.state(), one.plan, "0" * 64, one.state().last_at)
    found: dict[str, Any] = document["waves"][0]["migrations"][0]
    return found


def test_a_hold_about_the_host_ends_with_it_and_another_does_not():
    one = world()
    one.run([ID], until=Phase.LINKED)
    one.estate.machines[OLD].down_until = one.estate.now + timedelta(days=4000)
    held = one.run([ID])[ID].held
    assert held is not None
    assert (held.reason, held.subject) == ("retries-spent", OLD)
    gone(one, OLD)
    assert one.state()[ID].held is None
    assert one.state()[ID].failure is None
    assert one.run([ID])[ID].phase is Phase.COMPLETED


@pytest.mark.parametrize("phase", [Phase.PREPARED, Phase.LINKED, Phase.REGISTERED, Phase.RESTARTED, Phase.SWITCHED])
def test_where_every_host_is_lost_the_rest_is_done_all_the_same(phase):
    one = world()
    one.run([ID], until=phase)
    for host in (OLD, NEW):
        gone(one, host)
    state = one.run([ID])[ID]
    assert state.phase is Phase.COMPLETED, state.held
    assert state.dwell_started is not None
    one.ask_back(Way.ROLLBACK, [ID])
    assert one.run([ID])[ID].phase is Phase.ROLLED_BACK
    last = [event for event in one.events() if isinstance(event, SubjectDone)][-1]
    assert set(last.evidence["lost"]) == {OLD, NEW}


def test_the_hosts_of_a_next_attempt_are_looked_at_again():
    one = world()
    one.run([ID], until=Phase.REGISTERED)
    gone(one, OLD)
    one.ask_back(Way.ROLLBACK, [ID])
    one.run([ID])
    one.estate.machines[OLD].down_until = None
    one.say(Released(migration=ID, by="ann", reason="it was built anew", forward=True))
    state = one.run([ID])[ID]
    assert state.phase is Phase.COMPLETED
    assert not state.lost
    assert restarts(one)["BatchRunner"] == 2


def test_a_lost_host_that_leaves_the_plan_is_still_named():
    one = world()
    one.run([ID], until=Phase.RESTARTED)
    gone(one, OLD)
    one.amend(lambda plan: hosts(plan).pop(0))
    assert {host["name"]: host["registry"] for host in _migration(one)["hosts"]} == {NEW: "set", OLD: "lost"}


def test_what_was_never_written_down_cannot_be_lost():
    one = world()
    one.run([ERP], until=Phase.PLANNED)
    with pytest.raises(IllegalEvent):
        gone(one, OLD)


@pytest.mark.parametrize("part", range(2))
def test_said_to_a_runner_at_any_moment_and_killed_at_any_moment(part):
    counting, doom = world(), Doom()
    counting.run([ID], doom=doom)
    for at in some(range(10, doom.passed + 1), 3)[part::2]:
        one = world()
        with pytest.raises(Crash):
            one.run([ID], doom=Doom(at))
        if one.state()[ID].snapshot is None:
            continue
        gone(one, OLD)
        state = one.run([ID])[ID]
        assert state.phase is Phase.COMPLETED, (at, state.held)
        assert len(one.arrived("Complete-ADServiceAccountMigration")) == 1
