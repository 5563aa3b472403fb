"""Every example plan is sound, and ends well on its estate."""

from pathlib import Path

import pytest
import yaml

from orchestrator.engine.outcome import exit_of
from orchestrator.lab.estate.spec import load_spec
from orchestrator.model.lifecycle import Phase
from orchestrator.planfile import load_plan
from orchestrator.rehearsal.approvers import Approvers
from tests.bench import generate
from tests.world import ROOT, World

PLANS = sorted((ROOT / "plans").glob("*.yaml"))
REHEARSED = [path for path in PLANS if load_plan(path).plan.estate.lab]


def test_there_are_examples_of_every_size():
    sizes = {path.stem: len(list(load_plan(path).plan.migrations())) for path in PLANS}
    assert len(sizes) >= 7
    assert min(sizes.values()) == 1
    assert max(sizes.values()) == 200


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_an_example_says_what_it_shows(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ") or "\ndescription: " in text


@pytest.mark.parametrize("path", REHEARSED, ids=lambda path: path.stem)
def test_an_example_ends_well_on_its_estate(path):
    lab = f"plans/{load_plan(path).plan.estate.lab}"
    load_spec((ROOT / lab).read_text(encoding="utf-8"))
    world = World(f"plans/{path.name}", lab)
    state, people = world.run(), Approvers(world, None)
    while people.act():
        state = world.run()
    held = {id_: state[id_].held for id_ in world.ids if state[id_].held}
    assert not held
    assert set(world.phases().values()) == {Phase.COMPLETED}
    assert exit_of(state, world.plan) == 0


def test_the_programme_is_what_the_generator_makes():
    made = generate.plan("programme", 200, 2, 6)
    assert made == (ROOT / "plans" / "programme.yaml").read_text(encoding="utf-8")
    made = generate.estate("programme", 200, 2)
    assert made == (ROOT / "plans" / "estates" / "programme.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("accounts", "each", "waves"), [(1, 1, 1), (7, 3, 2), (30, 4, 5)])
def test_a_generated_programme_is_sound(tmp_path: Path, accounts, each, waves):
    file = tmp_path / "p.yaml"
    file.write_text(generate.plan("p", accounts, each, waves), encoding="utf-8")
    loaded = load_plan(file)
    assert len(list(loaded.plan.migrations())) == accounts
    spec = load_spec(generate.estate("p", accounts, each))
    hosts = {host.name for host in spec.hosts}
    assert {host.name for m in loaded.plan.migrations() for host in m.hosts} == hosts
    assert yaml.safe_load(generate.estate("p", accounts, each))["name"] == "p"
