"""What was begun elsewhere: recognised, taken over at the phase that the read-back proves, and finished."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.engine.outcome import exit_of
from orchestrator.model.before import SnapshotTaken
from orchestrator.model.event import AttemptStarted, Moved
from orchestrator.model.lifecycle import PATH, IllegalEvent, Phase, Trigger, Way
from tests.conductor.test_amendment import ERP, ID, OLD, short
from tests.conductor.test_by_hand import start
from tests.whole import some
from tests.world import Crash, Doom, World

ENTERS = {
    Phase.PREPARED: Phase.PREPARED,
    Phase.STARTED: Phase.STARTED,
    Phase.LINKED: Phase.LINKED,
    Phase.REGISTERED: Phase.REGISTERED,
    Phase.RESTARTED: Phase.RESTARTED,
    Phase.SOAKED: Phase.RESTARTED,
    Phase.SWITCHED: Phase.SWITCHED,
    Phase.COMPLETED: Phase.SWITCHED,
}
"""Where a migration stood when its journal was lost, and where it enters another: never soaked, always confirmed."""


def world() -> World:
    return World(change_plan=short)


def lost_at(phase: Phase) -> World:
    one = world()
    one.run([ID], until=phase)
    one.lose_journal()
    return one


def moves(one: World) -> list[tuple[Trigger, Phase]]:
    return [(e.trigger, e.dest) for e in one.events() if isinstance(e, Moved) and e.migration == ID]


@pytest.mark.parametrize("phase", ENTERS)
def test_a_lost_journal_is_recognised_then_adopted_and_the_run_finishes(phase):
    one = lost_at(phase)
    sent = len(one.arrived("Start-ADServiceAccountMigration")), len(one.arrived("Complete-ADServiceAccountMigration"))
    held = one.run([ID])[ID].held
    assert held is not None
    assert held.reason == "guard:run-is-ours"
    assert f"`dmsa adopt PLAN --only {ID} --reason TEXT`" in held.release

    one.adopt(ID)
    entered = one.estate.now
    state = one.run([ID], until=ENTERS[phase])[ID]
    assert moves(one) == [(Trigger.ADOPT, ENTERS[phase])]
    assert not any(isinstance(event, AttemptStarted) for event in one.events()), "nothing is written"
    assert state.snapshot is not None
    assert (state.snapshot.late, state.adopted) == (True, True)
    state = one.run()[ID]
    assert set(one.phases().values()) == {Phase.COMPLETED}
    assert exit_of(one.state(), one.plan) == 0
    started, completed = sent
    assert len(one.arrived("Start-ADServiceAccountMigration")) == started + (started == 0) + 1
    assert len(one.arrived("Complete-ADServiceAccountMigration")) == completed + (completed == 0) + 1
    if ENTERS[phase] is not Phase.SWITCHED:
        assert state.dwell_started is not None
        assert state.dwell_started >= entered - timedelta(seconds=1), "the dwell begins anew"


@pytest.mark.parametrize("phase", ENTERS)
@pytest.mark.parametrize("way", [Way.RESET, Way.ROLLBACK])
def test_what_was_adopted_can_go_back(phase, way):
    one = lost_at(phase)
    one.adopt(ID)
    one.run([ID], until=ENTERS[phase])
    one.ask_back(way, [ID])
    one.run([ID])
    one.ask_back(Way.ROLLBACK, [ID])
    state = one.run([ID])[ID]
    assert state.phase is Phase.ROLLED_BACK, state.held
    account = one.estate.directory.replicas["dc01.corp.example"].account("svc-batch")
    assert not account.number("userAccountControl") & 2
    assert all(service.running for service in one.estate.machines[OLD].services.values())


def test_an_account_with_spns_comes_back_with_them_where_only_the_completed_pair_was_seen():
    one = World(change_plan=short)
    one.run()
    one.lose_journal()
    one.adopt(ERP)
    one.run([ERP], until=Phase.SWITCHED)
    one.run([ERP])
    one.ask_back(Way.ROLLBACK, [ERP])
    state = one.run([ERP])[ERP]
    assert state.phase is Phase.ROLLED_BACK, state.held
    account = one.estate.directory.replicas["dc01.corp.example"].account("svc-erp")
    assert set(account.texts("servicePrincipalName")) == {"ERP/app02.corp.example", "ERP/app02.corp.example:8443"}


def test_the_switch_of_a_shared_host_is_kept_for_what_was_adopted():
    one = World(change_plan=short)
    one.run()
    one.lose_journal()
    one.adopt(ID, ERP)
    one.run()
    one.ask_back(Way.ROLLBACK, [ERP])
    state = one.run([ERP])
    assert state[ERP].hosts[OLD].registry == "kept"


def test_a_pair_started_by_hand_is_protected_and_taken_over():
    one = world()
    one.run([ID], until=Phase.PREPARED)
    one.lose_journal()
    start(one)
    from tests.guards.test_seeded import unprotect

    unprotect(one)
    one.adopt(ID)
    one.run([ID], until=Phase.LINKED)
    assert moves(one) == [(Trigger.ADOPT, Phase.LINKED)]
    written = [event for event in one.events() if isinstance(event, AttemptStarted)]
    assert [(event.step, event.cmdlet) for event in written] == [(Trigger.ADOPT, "Set-ADObject")]
    kinds = [event.kind for event in one.events()]
    assert kinds.index("snapshot-taken") < kinds.index("attempt-started")


def test_what_was_begun_here_is_not_adopted():
    one = world()
    one.run([ID], until=Phase.PREPARED)
    with pytest.raises(IllegalEvent, match="it was begun here"):
        one.adopt(ID)


def test_nothing_to_adopt_is_said_and_a_release_begins_it():
    one = world()
    one.adopt(ID)
    state = one.run([ID])[ID]
    assert state.held is not None
    assert (state.held.reason, state.adopting) == ("operator", None)
    assert "there is nothing to adopt" in state.held.detail
    from orchestrator.model.event import Released

    one.say(Released(migration=ID, by="ann", reason="begin it"))
    assert one.run([ID])[ID].phase is Phase.COMPLETED
    assert not one.state()[ID].adopted


@pytest.mark.parametrize("phase", [Phase.REGISTERED, Phase.COMPLETED])
def test_killed_at_any_moment_of_an_adoption(phase):
    counting, doom = lost_at(phase), Doom()
    counting.adopt(ID)
    counting.run([ID], doom=doom)
    for at in some(range(1, doom.passed + 1), 3):
        one = lost_at(phase)
        one.adopt(ID)
        with pytest.raises(Crash):
            one.run([ID], doom=Doom(at))
        one.run([ID])
        assert one.phases()[ID] is Phase.COMPLETED, at
        assert moves(one)[0] == (Trigger.ADOPT, ENTERS[phase])
        assert sum(isinstance(event, SnapshotTaken) for event in one.events()) == 1


def test_every_phase_of_the_way_forward_was_tried():
    assert set(ENTERS) == set(PATH) - {Phase.PLANNED}
