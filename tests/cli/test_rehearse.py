"""``rehearse``: what a person and a program are told, and with which exit code."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.rehearsal.judgements import Violation
from orchestrator.rehearsal.world import World
from orchestrator.views.rehearsal import rehearsal_schema
from tests.simulation.seeds import ROOT, SMALL


def rehearse(*words: str):
    return CliRunner().invoke(app, ["rehearse", *words])


def plan(name: str) -> str:
    return str(ROOT / "plans" / f"{name}.yaml")


def test_a_plan_of_a_lab_in_fair_weather():
    done = rehearse(plan("one-account"))
    assert done.exit_code == 0
    assert "dmsa-mail        switched -> completed" in done.stdout
    assert done.stdout.endswith("Every invariant held at every step.\n")


def test_a_plan_of_a_real_domain_is_played_on_an_estate_drawn_up_from_it():
    """Windows and blackouts are kept, and people approve when they are asked."""
    done = rehearse(plan("erp"))
    assert done.exit_code == 0
    told = [line.strip() for line in done.stdout.splitlines()]
    (pilot,) = [place for place, line in enumerate(told) if "wave pilot, before complete: approved by ann" in line]
    (completed,) = [place for place, line in enumerate(told) if "dmsa-report      switched -> completed" in line]
    assert pilot < completed
    assert [line.rpartition(" ")[2] for line in told if "wave main, before complete: approved by" in line] == [
        "rehearsed",
        "rehearsed",
    ]


@pytest.mark.parametrize("name", ["one-account", "reboot", "shared-host", "web-farm", "quickstart"])
def test_every_plan_that_ships_comes_to_its_end(name):
    assert rehearse(plan(name)).exit_code == 0


def test_for_machines_it_is_one_document_of_the_promised_shape():
    done = rehearse(str(ROOT / SMALL), "--seeds", "3", "--seed", "30", "--faults", "all", "--json")
    document = json.loads(done.stdout)
    Draft202012Validator(rehearsal_schema()).validate(document)
    assert [one["seed"] for one in document["seeds"]] == [30, 31, 32]
    assert document["exit"] == done.exit_code == 0
    assert all(one["faults"] for one in document["seeds"])


def test_faults_are_picked_by_number_and_by_kind():
    every = json.loads(rehearse(str(ROOT / SMALL), "--seed", "31", "--faults", "all", "--json").stdout)["seeds"][0]
    drawn = {one["number"]: one["kind"] for one in every["faults"]}
    number, kind = next(iter(drawn.items()))
    for word in (str(number), kind):
        shown = json.loads(rehearse(str(ROOT / SMALL), "--seed", "31", "--faults", word, "--json").stdout)["seeds"][0]
        assert number in {one["number"] for one in shown["faults"]}
        assert {one["kind"] for one in shown["faults"]} == {kind}


def test_a_fault_that_does_not_exist_is_refused():
    done = rehearse(plan("one-account"), "--faults", "earthquake")
    assert done.exit_code == 2
    assert "earthquake: no such fault" in done.output


def test_a_migration_may_be_left_out():
    done = rehearse(str(ROOT / SMALL), "--without", "dmsa-web")
    assert done.exit_code == 0
    assert "dmsa-web" not in done.stdout


def test_leaving_out_what_is_not_there_is_refused():
    done = rehearse(str(ROOT / SMALL), "--without", "dmsa-none")
    assert done.exit_code != 0
    assert "no such migration" in str(done.exception)


def test_a_violation_is_shown_as_its_shortest_history_and_how_to_play_it_again(monkeypatch):
    """Here everything that dies violates something: a crash is all that is left of the history."""
    ran = World.run

    def run(world: World, *given: object, **named: object) -> object:
        if world.processes:
            world.judge([Violation("a-second-process", "the run", "there was another")])
        return ran(world, *given, **named)

    monkeypatch.setattr(World, "run", run)
    done = rehearse(str(ROOT / SMALL), "--seed", "22", "--faults", "all")
    assert done.exit_code == 1
    assert "What must never be has happened" in done.stdout
    again = done.stdout.splitlines()[-1].strip()
    assert again.startswith(f"dmsa rehearse {ROOT / SMALL} --seed 22 --faults ")
    assert rehearse(*again.split()[2:]).exit_code == 1


def test_a_runner_that_froze_says_nothing_of_its_own():
    told = rehearse(str(ROOT / SMALL), "--seed", "5", "--faults", "frozen", "--verbose")
    assert "without a last word" in told.stderr, "in this seed one wakes and finds the journal taken"
    assert rehearse(str(ROOT / SMALL), "--seed", "5", "--faults", "frozen").stderr == ""
