"""People and the conductor: who is waited for, what their word sets going, and what goes on without them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from orchestrator.engine.waves import NotYet, admissible
from orchestrator.model.event import Admitted, GuardsAsked
from orchestrator.model.lifecycle import Phase
from orchestrator.model.state import Waiting
from orchestrator.model.words import ApprovalWithdrawn, Approved, WaiverApproved
from tests.world import World

REPORT = "dmsa-report"
START, COMPLETE = "Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration"


def peopled(plan: dict[str, Any]) -> None:
    plan["policy"] = {**plan.get("policy", {}), "approvals": {"start": 1, "complete": 2, "valid_for": "2d"}}


def approve(world: World, *people: str, gate: Any = "start", wave: str = "pilot") -> None:
    given = {"digest": world.digest, "given": world.estate.now}
    world.say(*(Approved(wave=wave, gate=gate, by=by, **given) for by in people))


def test_nothing_is_admitted_before_people_have_approved_and_everything_is_prepared_meanwhile():
    world = World(change_plan=peopled)
    state = world.run(["dmsa-report", "dmsa-batch"])
    assert {state[id_].phase for id_ in ("dmsa-report", "dmsa-batch")} == {Phase.PREPARED}
    assert not world.arrived(START)
    assert not [event for event in world.events() if isinstance(event, Admitted)]
    approve(world, "rehearsal")
    assert world.run([REPORT])[REPORT].phase is Phase.PREPARED
    approve(world, "ann")
    state = world.run([REPORT])
    assert state[REPORT].phase is Phase.SOAKED
    assert len(world.arrived(START)) == 1
    approve(world, "ann", "ANN", gate="complete")
    assert world.run([REPORT])[REPORT].phase is Phase.SOAKED
    approve(world, "ben", gate="complete")
    assert world.run([REPORT])[REPORT].phase is Phase.COMPLETED
    assert len(world.arrived(COMPLETE)) == 1


def test_what_is_admitted_goes_on_without_the_approval_that_let_it_in():
    world = World(change_plan=peopled)
    world.run([REPORT], Phase.PREPARED)
    approve(world, "ann")
    world.run([REPORT], Phase.STARTED)
    assert world.phases()[REPORT] is Phase.STARTED
    world.say(ApprovalWithdrawn(wave="pilot", gate="start", by="ann"))
    assert world.run([REPORT])[REPORT].phase is Phase.SOAKED


def test_an_approval_that_has_expired_lets_nobody_in():
    world = World(change_plan=peopled)
    world.run([REPORT], Phase.PREPARED)
    approve(world, "ann")
    world.estate.advance_to(world.estate.now + timedelta(days=2))
    state = world.run([REPORT])
    assert state[REPORT].phase is Phase.PREPARED
    answer = admissible(state, world.plan, world.estate.now)[REPORT]
    assert isinstance(answer, NotYet)
    assert "that of ann has expired" in answer.detail
    assert not world.arrived(START)


# A waiver on a real estate.


def real(world: World) -> None:
    """Let the estate count as a real one: what people must approve, they must."""
    estate = world.plan.estate.model_copy(update={"lab": None})
    world.plan = world.plan.model_copy(update={"estate": estate})


def agree(world: World, by: str) -> None:
    word = WaiverApproved(
        migration=REPORT, guard="workload-supported", digest=world.digest, by=by, given=world.estate.now
    )
    world.say(word)


def test_a_guard_that_people_may_still_waive_makes_the_migration_wait_for_them_before_anything_is_written():
    world = World()
    real(world)
    state = world.run([REPORT])
    waiting = state[REPORT].waits["directory"]
    assert (state[REPORT].phase, state[REPORT].held) == (Phase.PLANNED, None)
    assert isinstance(waiting, Waiting)
    assert (waiting.waiting_for, waiting.until) == ("approval:start", None)
    asked = f"it may be waived once ad-lead has approved: `dmsa approve PLAN --waivers --only {REPORT}`"
    assert waiting.detail.endswith(f"({asked})")
    assert not world.arrived("New-ADServiceAccount")
    agree(world, "ben")
    assert world.run([REPORT])[REPORT].phase is Phase.PLANNED
    agree(world, "Ad-Lead")
    state = world.run([REPORT], Phase.PREPARED)
    assert state[REPORT].phase is Phase.PREPARED
    answers = [one for event in world.events() if isinstance(event, GuardsAsked) for one in event.answers]
    assert {one.guard for one in answers if one.waived} == {"workload-supported"}


def test_a_refusal_that_no_waiver_is_about_holds_whatever_people_are_asked_besides():
    def old_host(estate: dict[str, Any]) -> None:
        next(one for one in estate["hosts"] if one["name"].startswith("app01"))["build"] = 20348

    world = World(change_estate=old_host)
    real(world)
    held = world.run([REPORT])[REPORT].held
    assert held is not None
    assert held.reason == "guard:host-capable"
