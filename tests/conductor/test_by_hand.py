"""Steps that people do by hand: accepted where the read-back agrees; else held, and nothing is done on the word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from orchestrator.engine.asserted import why_not
from orchestrator.lab.command import Command, Request
from orchestrator.lab.estate.estate import Estate
from orchestrator.model.event import AttemptStarted, Released
from orchestrator.model.lifecycle import PATH, IllegalMove, Intention, Phase, Trigger, Way
from orchestrator.model.words import AssertedDone
from tests.conductor.test_amendment import ID, OLD, restarts, short
from tests.world import DC, World

DMSA = f"CN={ID},OU=Managed,DC=corp,DC=example"
ACCOUNT = "CN=svc-batch,OU=Service Accounts,DC=corp,DC=example"
KEY = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System\Kerberos"
MINUTE = timedelta(minutes=1)


def world(**policy: Any) -> World:
    return World(change_plan=lambda plan: (short(plan), plan["policy"].update(policy)))


def by_hand(one: World, host: str, name: str, **parameters: object) -> None:
    """Let a person do something at a console, and replication follow."""
    one.estate.advance_to(one.estate.now + MINUTE)
    request = Request(host, UUID(int=9), UUID(int=9), one.principal, ((Command(name, parameters),),))
    result = Estate.execute(one.estate, request)
    assert not result.errors, result.errors
    one.estate.advance_to(one.estate.now + MINUTE)


def migrate(one: World, verb: str) -> None:
    by_hand(one, DC, f"{verb}-ADServiceAccountMigration", Identity=DMSA, SupersededAccount=ACCOUNT, Server=DC)


def start(one: World) -> None:
    migrate(one, "Start")


def switch(one: World) -> None:
    for path in (KEY, KEY + r"\Parameters"):
        by_hand(one, OLD, "New-Item", Path=path)
    by_hand(
        one,
        OLD,
        "New-ItemProperty",
        LiteralPath=KEY + r"\Parameters",
        Name="DelegatedMSAEnabled",
        Value=1,
        PropertyType="DWord",
        Force=True,
    )


def restart(one: World) -> None:
    by_hand(one, OLD, "Restart-Service", Name="BatchRunner", Force=True, PassThru=True)


def complete(one: World) -> None:
    migrate(one, "Complete")


def undo(one: World) -> None:
    migrate(one, "Undo")


def reset(one: World) -> None:
    migrate(one, "Reset")


def reset_and_enable(one: World) -> None:
    """A Reset alone need not enable the account again; a person who does it by hand does all of it."""
    reset(one)
    by_hand(one, DC, "Enable-ADAccount", Identity=ACCOUNT, Server=DC)


def put_back(one: World) -> None:
    by_hand(one, OLD, "Remove-ItemProperty", LiteralPath=KEY + r"\Parameters", Name="DelegatedMSAEnabled")


STEPS = [
    (Phase.PREPARED, Trigger.START, start, Phase.STARTED),
    (Phase.LINKED, Trigger.REGISTRY, switch, Phase.REGISTERED),
    (Phase.REGISTERED, Trigger.RESTART, restart, Phase.RESTARTED),
    (Phase.SOAKED, Trigger.COMPLETE, complete, Phase.SWITCHED),
    (Phase.SWITCHED, Trigger.CONFIRM, restart, Phase.COMPLETED),
    (Phase.STARTED, Trigger.UNDO, undo, Phase.UNLINKED),
    (Phase.RESTARTED, Trigger.UNDO, undo, Phase.UNLINKED),
    (Phase.COMPLETED, Trigger.UNDO, undo, Phase.REOPENED),
    (Phase.RESTARTED, Trigger.RESET, reset, Phase.UNLINKED),
    (Phase.COMPLETED, Trigger.RESET, reset_and_enable, Phase.UNLINKED),
]


def say(one: World, step: Trigger) -> None:
    one.say(AssertedDone(migration=ID, step=step, by="ann", reason="at the console"))


def intents(one: World) -> int:
    return sum(isinstance(event, AttemptStarted) for event in one.events())


@pytest.mark.parametrize(("phase", "step", "do", "reached"), STEPS, ids=lambda value: str(getattr(value, "value", "")))
def test_what_was_done_by_hand_counts_and_is_not_done_again(phase, step, do, reached):
    one = world()
    one.run([ID], until=phase)
    do(one)
    sent = intents(one)
    say(one, step)
    state = one.run([ID], until=reached if reached in PATH else None)[ID]
    assert state.phase is reached, state.held
    assert state.asserted is None
    assert intents(one) == sent, "nothing was sent for it"
    if step in (Trigger.UNDO, Trigger.RESET):
        assert state.held is not None
        assert (state.held.reason, state.intention, state.way) == ("undone", Intention.BACK, Way(step))
        one.ask_back(Way.ROLLBACK, [ID])
        assert one.run([ID])[ID].phase is Phase.ROLLED_BACK
        return
    one.run([ID])
    assert one.phases()[ID] is Phase.COMPLETED
    assert len(one.arrived("Start-ADServiceAccountMigration")) == (step is not Trigger.START)
    one.ask_back(Way.ROLLBACK, [ID])
    assert one.run([ID])[ID].phase is Phase.ROLLED_BACK
    assert one.estate.machines[OLD].kerberos == "absent"


@pytest.mark.parametrize(("phase", "step", "do", "reached"), STEPS, ids=lambda value: str(getattr(value, "value", "")))
def test_what_was_not_is_held_with_what_was_seen_and_then_the_program_does_what_is_next(phase, step, do, reached):
    del do, reached
    one = world()
    one.run([ID], until=phase)
    before, sent = one.state()[ID], intents(one)
    say(one, step)
    state = one.run([ID])[ID]
    assert state.held is not None
    assert state.held.reason == "operator"
    assert state.held.detail.startswith(f"ann said that {step} was done by hand (at the console), and it is not so. ")
    assert "would still be needed. Nothing was done." in state.held.detail
    assert (state.phase, state.intention, state.asserted, state.failure) == (phase, before.intention, None, None)
    assert intents(one) == sent
    one.say(Released(migration=ID, by="ann", reason="so be it"))
    one.run([ID])
    assert one.phases()[ID] is Phase.COMPLETED
    assert restarts(one)["BatchRunner"] == 2


def test_restored_by_hand():
    one = world()
    one.run([ID], until=Phase.RESTARTED)
    one.ask_back(Way.RESET, [ID])
    one.run([ID])
    one.ask_back(Way.ROLLBACK, [ID])
    put_back(one)
    sent = len(one.arrived("Remove-ItemProperty"))
    say(one, Trigger.RESTORE)
    assert one.run([ID])[ID].phase is Phase.ROLLED_BACK
    assert len(one.arrived("Remove-ItemProperty")) == sent


def test_a_reboot_that_the_plan_wants_must_have_been_done_too():
    one = world(reboot="after_registry")
    one.run([ID], until=Phase.LINKED)
    switch(one)
    say(one, Trigger.REGISTRY)
    held = one.run([ID])[ID].held
    assert held is not None
    assert "Restart-Computer" in held.detail
    by_hand(one, OLD, "Restart-Computer", Force=True)
    one.estate.advance_to(one.estate.now + 10 * MINUTE)
    say(one, Trigger.REGISTRY)
    assert one.run([ID], until=Phase.REGISTERED)[ID].phase is Phase.REGISTERED
    assert one.state()[ID].hosts[OLD].rebooted is True
    assert not any(event.cmdlet == "Restart-Computer" for event in one.events() if isinstance(event, AttemptStarted))


def test_a_pair_started_by_hand_under_a_prepared_migration_is_held_and_the_word_lifts_it():
    one = world()
    one.run([ID], until=Phase.PREPARED)
    start(one)
    held = one.run([ID])[ID].held
    assert held is not None
    assert held.reason == "guard:run-is-ours"
    assert f"`dmsa assert-done PLAN --only {ID} --step start --reason TEXT`" in held.release
    say(one, Trigger.START)
    assert one.run([ID])[ID].phase is Phase.COMPLETED


def test_what_is_not_next_cannot_be_asserted():
    one = world()
    one.run([ID], until=Phase.LINKED)
    state = one.state()[ID]
    assert why_not(state, Trigger.REGISTRY, Way.UNDO) is None
    assert why_not(state, Trigger.RESET, Way.UNDO) is None
    for step in (Trigger.PREPARE, Trigger.LINK, Trigger.SOAK, Trigger.COMPLETE, Trigger.RESTORE, Trigger.RELEASE):
        assert why_not(state, step, Way.UNDO)
    with pytest.raises(IllegalMove):
        say(one, Trigger.COMPLETE)
    planned = world()
    planned.run([ID], until=Phase.PLANNED)
    assert why_not(planned.state()[ID], Trigger.UNDO, Way.UNDO)
