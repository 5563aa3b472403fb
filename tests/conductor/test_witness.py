"""The second witness in whole runs: it is asked about every copy before anything is believed, and a lie holds."""

from typing import Any

import pytest

from orchestrator.model.event import Released, SubjectDone, WayBackAsked
from orchestrator.model.lifecycle import Phase, Way
from tests.endpoints import lay_out, registered
from tests.world import World

BATCH = "dmsa-batch"
DCS = ["dc01.corp.example", "dc02.corp.example"]
START, COMPLETE, UNDO, RESET = (f"{verb}-ADServiceAccountMigration" for verb in ("Start", "Complete", "Undo", "Reset"))
WAIVER = {"guard": "dwell-minimum", "reason": "the witness is the point of these tests", "approved_by": ["ann"]}


def world_of(
    *weather: dict[str, Any], lies: bool = False, witness: str = "ldap", waived: tuple[str, ...] = ()
) -> World:
    """One migration with a short dwell; ``lies``: every cmdlet answers from the first domain controller's copy."""

    def plan(data: dict[str, Any]) -> None:
        migrations = [one for wave in data["waves"] for one in wave["migrations"] if one["dmsa"]["name"] == BATCH]
        migrations[0]["waivers"] = [WAIVER, *({**WAIVER, "guard": guard} for guard in waived)]
        data["waves"] = [{"name": "only", "migrations": migrations}]
        data["policy"].update({"dwell": "2h", "flat_for": "2h", "ledger_every": "1h"})

    def estate(data: dict[str, Any]) -> None:
        data.update(weather=list(weather), reads_go_elsewhere=lies)

    return World(change_plan=plan, change_estate=estate, witness=witness)


def cut_off(after: str, lasts: str = "90m", host: str = "dc02.corp.example") -> dict[str, Any]:
    """A domain controller that hears nothing of a change."""
    return {"kind": "partition", "host": host, "when": {"cmdlet": after}, "lasts": lasts}


def asked(world: World) -> list[str]:
    """The domain controllers that were asked by LDAP, in order."""
    return [request.host for request in world.record if request.configuration == "ldap"]


def evidence(world: World, step: str) -> list[str]:
    done = [event for event in world.events() if isinstance(event, SubjectDone) and event.step == step]
    return done[0].evidence["witness"]


def test_every_copy_is_asked_by_both_ways_before_it_counts():
    world = world_of()
    assert world.run()[BATCH].phase is Phase.COMPLETED
    assert asked(world) == DCS * 2, "once for link, once for Complete"
    assert [line.split(" by LDAP")[0] for line in evidence(world, "link")] == DCS
    assert "account state 1, linked to CN=dmsa-batch" in evidence(world, "link")[1]
    assert "dMSA state 2" in evidence(world, "complete")[0]


def test_without_a_witness_nobody_is_asked():
    world = world_of(witness="none")
    assert world.run()[BATCH].phase is Phase.COMPLETED
    assert asked(world) == []


def test_a_lie_is_believed_where_there_is_no_witness():
    """Unless somebody asks how replication gets on, which is waived here."""
    world = world_of(cut_off(START, "20h"), lies=True, witness="none", waived=("replication-healthy",))
    assert world.run()[BATCH].phase is Phase.COMPLETED


@pytest.mark.parametrize(
    ("after", "phase", "said", "seen"),
    [
        (
            START,
            Phase.STARTED,
            "account's state: the cmdlet says 1, LDAP 0",
            "dMSA: the cmdlet shows it, LDAP none",
        ),
        (COMPLETE, Phase.SOAKED, "account's state: the cmdlet says 2, LDAP 1", "enabled flag: the cmdlet says False"),
    ],
)
def test_a_lie_holds_and_both_readings_are_named(after, phase, said, seen):
    world = world_of(cut_off(after, "20h"), lies=True)
    state = world.run()[BATCH]
    assert (state.held.reason, state.phase) == ("witness-disagrees", phase)
    assert f"dc02.corp.example: {said}" in state.held.detail
    assert seen in state.held.detail
    assert "dc01.corp.example" not in state.held.detail
    assert "second-witness.md" in state.held.release
    assert len(world.arrived(after)) == 1
    assert not world.arrived("New-ItemProperty") or after == COMPLETE


@pytest.mark.parametrize(("way", "cmdlet"), [(Way.UNDO, UNDO), (Way.RESET, RESET)])
def test_a_lie_on_the_way_back_holds_after_the_one_write(way, cmdlet):
    world = world_of(cut_off(cmdlet, "20h"), lies=True)
    world.run()
    world.say(WayBackAsked(migration=BATCH, way=way, by="operator"))
    state = world.run()[BATCH]
    assert (state.held.reason, state.phase) == ("witness-disagrees", Phase.COMPLETED)
    assert len(world.arrived(cmdlet)) == 1
    assert "dc02.corp.example: dMSA's state" in state.held.detail


def test_what_comes_right_in_time_is_no_contradiction():
    world = world_of(cut_off(START, "70s"), lies=True)
    assert world.run()[BATCH].phase is Phase.COMPLETED
    assert asked(world)[:4] == DCS * 2, "looked at again"


def test_a_release_looks_at_it_anew():
    world = world_of(cut_off(START, "20h"), lies=True)
    assert world.run()[BATCH].held.reason == "witness-disagrees"
    world.estate.advance_to(world.estate.now.replace(day=5))
    world.say(Released(migration=BATCH, by="operator", reason="replication was mended"))
    assert world.run()[BATCH].phase is Phase.COMPLETED


def test_a_witness_that_cannot_be_asked_is_no_yes():
    never = {"cmdlet": "ldapsearch", "host": "dc02.corp.example", "times": 9}
    world = world_of({"kind": "lost-request", "when": never})
    state = world.run()[BATCH]
    assert (state.held.reason, state.phase) == ("retries-spent", Phase.STARTED)
    assert not world.arrived("New-ItemProperty")


def test_a_witness_that_stumbles_is_asked_again():
    world = world_of({"kind": "busy", "when": {"cmdlet": "ldapsearch", "host": "dc02.corp.example", "times": 2}})
    assert world.run()[BATCH].phase is Phase.COMPLETED


@pytest.mark.parametrize(
    ("rights", "phase", "reason"),
    [
        (["read", "read-dmsa"], Phase.COMPLETED, None),
        (["read"], Phase.STARTED, "witness-disagrees"),
        ([], Phase.STARTED, "fault"),
    ],
)
def test_beside_jea_endpoints_the_one_who_logs_on_needs_rights_of_its_own(tmp_path, rights, phase, reason):
    def operator(estate: dict[str, Any]) -> None:
        estate["operator"] = {"name": "operator", "rights": rights, "domain_admin": False}

    world = World(change_estate=operator, registered=registered(lay_out(tmp_path)), witness="ldap")
    state = world.run([BATCH])[BATCH]
    assert state.phase is phase
    assert (state.held.reason if state.held else None) == reason
    assert reason != "witness-disagrees" or "dMSA: the cmdlet shows it, LDAP none" in state.held.detail


def test_a_witness_that_may_not_look_holds():
    world = world_of({"kind": "access-denied", "when": {"cmdlet": "ldapsearch"}})
    state = world.run()[BATCH]
    assert (state.held.reason, state.phase) == ("fault", Phase.STARTED)
    assert "denies access" in state.held.detail
