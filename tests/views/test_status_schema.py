"""Every status document has the shape that is promised, wherever a run stands."""

import jsonschema
import pytest

from orchestrator.model.lifecycle import PATH, Phase, Way
from orchestrator.views.status import status_document
from orchestrator.views.status_schema import status_schema
from tests.world import World

VALIDATOR = jsonschema.Draft202012Validator(status_schema())


def document(world: World) -> dict:
    state = world.state()
    found = status_document(state, world.plan, world.digest, state.last_at)
    VALIDATOR.validate(found)
    return found


def short(plan: dict) -> None:
    plan["policy"] = {"dwell": "2h", "flat_for": "2h"}
    plan["estate"] = {"lab": "x"}
    for wave in plan["waves"]:
        for migration in wave["migrations"]:
            waiver = {"guard": "dwell-minimum", "reason": "a test of something else", "approved_by": ["a"]}
            migration.setdefault("waivers", []).append(waiver)


def test_before_anything_began():
    found = document(World())
    assert found["estate_time"] is None
    assert found["exit"] == 7
    assert {wave["state"] for wave in found["waves"]} == {"pending"}


@pytest.mark.parametrize("phase", PATH[1:])
def test_at_every_phase(phase):
    world = World(change_plan=short)
    world.run(until=phase)
    found = document(world)
    assert phase in {m["phase"] for m in found["waves"][0]["migrations"]}


def test_on_the_way_back_and_after():
    world = World(change_plan=short)
    world.run()
    assert document(world)["exit"] == 0
    world.ask_back(Way.UNDO, ["dmsa-web"])
    world.run()
    found = document(world)
    assert found["exit"] == 4
    held = [m["held"] for wave in found["waves"] for m in wave["migrations"] if m["held"]]
    assert [one["reason"] for one in held] == ["undone"]
    world.ask_back(Way.ROLLBACK)
    world.run()
    found = document(world)
    assert found["exit"] == 5
    assert {m["phase"] for wave in found["waves"] for m in wave["migrations"]} == {Phase.ROLLED_BACK}


def test_a_document_with_a_word_nobody_promised_is_refused():
    found = document(World())
    found["waves"][0]["state"] = "resting"
    assert not VALIDATOR.is_valid(found)
