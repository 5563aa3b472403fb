"""``preflight`` as it is typed, over the wire and without one: exit codes, the document, and how often is asked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import Result

from orchestrator.cli.readings import Readings
from orchestrator.engine.preflight import Asked, asked, asks, next_gate, strays
from orchestrator.engine.waves import admissible
from orchestrator.lab.memory import MemoryTransport
from orchestrator.model.case import Case
from orchestrator.model.guard_ids import GUARDS, Stage
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.state import MigrationState
from orchestrator.remote.inline import InlinePool
from orchestrator.views.preflight_schema import preflight_schema
from tests.cli.desk import DC, record
from tests.cli.inside import DMSA, HOST, inside
from tests.guards.test_seeded import put
from tests.world import World


def document(ended: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ended.stdout)
    Draft202012Validator(preflight_schema()).validate(found)
    assert found["exit"] == ended.exit_code
    return found


def guards(found: dict[str, Any]) -> list[dict[str, Any]]:
    (wave,) = found["waves"]
    (migration,) = wave["migrations"]
    return list(migration["guards"])


def test_a_healthy_estate_is_told_so_and_only_read(tmp_path: Path):
    with inside(tmp_path) as estate:
        ended = estate.dmsa("preflight")
        assert ended.exit_code == 0, ended.output
        assert "Nothing stands in the way. Nothing was changed." in ended.stdout
        found = document(estate.dmsa("preflight", "--json"))
        assert {one["guard"] for one in guards(found)} >= {id_ for id_, rule in GUARDS.items() if "P" in rule.stages}
        assert found["stray_links"] == []
        came = record(estate.lab)
        assert not [row for row in came if row["write"] or row["script"]]
        assert {row["host"] for row in came} == {DC, "dc02.corp.example", HOST}
        assert estate.sessions() == {}, "every session is closed"
        assert not (tmp_path / "journal.db").exists(), "nothing is written"


def test_what_passed_is_shown_where_it_is_asked_for(tmp_path: Path):
    with inside(tmp_path) as estate:
        assert "kds-root-key" not in estate.dmsa("preflight").stdout
        assert "pass    kds-root-key" in estate.dmsa("preflight", "--all").stdout


def test_before_complete_only_time_is_missing(tmp_path: Path):
    with inside(tmp_path) as estate:
        assert estate.dmsa("run", "--until", "restarted").exit_code == 0
        ended = estate.dmsa("preflight")
        assert ended.exit_code == 7, ended.output
        assert "restarted, before complete" in ended.stdout
        assert "waiting dwell-minimum" in ended.stdout


def test_what_was_completed_has_no_gate_ahead(tmp_path: Path):
    with inside(tmp_path) as estate:
        assert estate.dmsa("run").exit_code == 0
        ended = estate.dmsa("preflight")
        assert ended.exit_code == 0
        assert f"{DMSA}  completed: no gate is ahead of it" in ended.stdout


# Without a wire.


def preflown(world: World) -> tuple[dict[str, Asked], MemoryTransport]:
    transport = MemoryTransport(world.estate, world.principal, registered=world.rehearsed.registered)
    run, at = world.state(), world.estate.now
    cases = {id_: Case.of(run, world.plan, id_, at, at - at) for id_ in world.ids}
    gates = {id_: gate for id_ in cases if (gate := next_gate(run[id_]))}
    readings = Readings(transport, InlinePool(transport))
    seen = readings.all_of(tuple(gates), lambda id_, known: asks(cases[id_], gates[id_], known), at)
    assert seen is not None
    waves = admissible(run, world.plan, at)
    return {id_: asked(cases[id_], gate, seen[id_], waves.get(id_)) for id_, gate in gates.items()}, transport


def test_it_says_of_each_migration_what_a_run_finds():
    """A preflight that knew better than the run, or less, would be worth nothing."""
    account = "CN=svc-web,OU=Service Accounts,DC=corp,DC=example"
    change = put("users", value=[{"dn": account, "enabled": False}])

    def unwell(estate: dict[str, Any]) -> None:
        kept = [user for user in estate["users"] if user["dn"] != account]
        change(estate)
        estate["users"] = [*kept, *estate["users"]]

    world = World(change_estate=unwell)
    found, _ = preflown(world)
    refused = {id_: {one.guard for one in each.answers if not one.lets_pass} for id_, each in found.items()}
    assert {id_: names for id_, names in refused.items() if names} == {"dmsa-web": {"account-enabled"}}
    state = world.run()
    held = {id_: state[id_].held for id_ in world.ids if state[id_].held}
    assert {id_: hold.reason for id_, hold in held.items()} == {"dmsa-web": "guard:account-enabled"}


def test_what_several_want_to_know_of_an_endpoint_is_asked_once():
    world = World()
    preflown(world)
    came = Counter(
        (request.host, command.name, repr(sorted(command.parameters.items(), key=str)))
        for request in world.record
        for statement in request.statements
        for command in statement[:1]
    )
    assert came
    assert {call: many for call, many in came.items() if many > 1} == {}


def test_a_half_link_anywhere_in_the_domain_is_reported():
    def attack(estate: dict[str, Any]) -> None:
        estate["users"].append({"dn": "CN=boss,OU=Service Accounts,DC=corp,DC=example"})
        linked = {"dn": "CN=evil,OU=Managed,DC=corp,DC=example", "state": 2, "linked_by": "dmsa"}
        estate["dmsas"] = [{**linked, "supersedes": "CN=boss,OU=Service Accounts,DC=corp,DC=example"}]

    world = World(change_estate=attack)
    transport = MemoryTransport(world.estate, world.principal, registered=world.rehearsed.registered)
    case = Case.of(world.state(), world.plan, world.ids[0], world.estate.now)
    readings = Readings(transport, InlinePool(transport))
    seen = readings.all_of((case.migration.id,), lambda _id, known: asks(case, Stage.PREFLIGHT, known))
    assert seen is not None
    (stray,) = strays(case, seen[case.migration.id])
    assert stray.dn == "CN=evil,OU=Managed,DC=corp,DC=example"


@pytest.mark.parametrize(
    ("phase", "intention", "gate"),
    [
        (Phase.PLANNED, Intention.FORWARD, Stage.PREFLIGHT),
        (Phase.ROLLED_BACK, Intention.BACK, Stage.PREFLIGHT),
        (Phase.PREPARED, Intention.FORWARD, Stage.START),
        (Phase.PREPARED, Intention.BACK, None),
        (Phase.LINKED, Intention.FORWARD, Stage.COMPLETE),
        (Phase.SOAKED, Intention.FORWARD, Stage.COMPLETE),
        (Phase.SWITCHED, Intention.FORWARD, None),
        (Phase.COMPLETED, Intention.FORWARD, None),
    ],
)
def test_the_gate_ahead(phase: Phase, intention: Intention, gate: Stage | None):
    assert next_gate(MigrationState(id="a", phase=phase, intention=intention)) is gate
