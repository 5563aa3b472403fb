"""Many histories: whatever goes wrong, no invariant is ever violated, and everything comes to an end."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml

from orchestrator.conductor import flights
from orchestrator.rehearsal.disturbance import KINDS, draw, selected
from orchestrator.rehearsal.play import play
from tests.simulation.seeds import APPROVED, FOUND, QUICK, RESET, ROOT, SMALL, failures, played, rehearsed

SEEDS, CHUNK = 60, 10
"""As many as are played with the ordinary tests; ``python -m tests.simulation`` plays ten thousand."""
PINNED = yaml.safe_load((ROOT / "tests/simulation/pinned.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_seeds(first):
    found = failures(range(first, first + CHUNK))
    assert not found, "\n\n".join(failure.text for failure in found)


@pytest.mark.parametrize("case", PINNED, ids=lambda case: f"{case['plan']}-{case['seed']}")
def test_what_a_seed_once_found_stays_mended(case):
    on = rehearsed(case["plan"])
    came = play(on, case["seed"], selected(draw(on.plan, on.spec, case["seed"]), str(case["faults"])))
    assert not came.violations, case["found"]


@pytest.mark.parametrize("plan", [SMALL, RESET, FOUND, QUICK])
def test_in_fair_weather_everything_is_completed_by_one_process(plan):
    came = play(rehearsed(plan), 1)
    assert not came.violations
    assert {state.phase for state in came.state.migrations.values()} == {"completed"}
    assert came.processes == 1


def test_in_fair_weather_people_approve_once_each_time_they_are_asked():
    came = play(rehearsed(APPROVED), 1)
    assert not came.violations
    assert {state.phase for state in came.state.migrations.values()} == {"completed"}
    told = [(event.wave, event.gate, event.by) for event in came.world.events() if event.kind == "approved"]
    assert told == [
        *(("first", "start", "ann"), ("second", "start", "ann"), ("second", "start", "ben")),
        *(("first", "complete", "ann"), ("first", "complete", "ben")),
        *(("second", "complete", "ann"), ("second", "complete", "ben")),
    ]


@pytest.mark.parametrize("seed", [7, 12, 31])
def test_one_seed_decides_everything(seed):
    one, other = (journal(seed) for _ in range(2))
    assert one == other
    assert one.count("\n") > 50


def test_one_seed_decides_everything_in_another_process_too():
    """What a set or a dict happens to begin with there, or who runs it, decides nothing."""
    code = "import sys; from tests.simulation.test_seeds import journal; sys.stdout.write(journal(31))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT)}
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert other.stdout.decode() == journal(31)


def journal(seed: int) -> str:
    """Return the journal of a seed as it would stand on disk, every hash included."""
    return "".join(f"{record}\n" for record in played(seed, SMALL).world.journal.read())


def test_every_kind_of_disturbance_is_drawn():
    on = rehearsed(SMALL)
    drawn = {one.kind for seed in range(400) for one in draw(on.plan, on.spec, seed)}
    assert drawn == set(KINDS)


@pytest.mark.parametrize("first", range(1, 21, CHUNK))
def test_seeds_where_there_is_hardly_room_for_calls(first, monkeypatch):
    monkeypatch.setattr(flights, "ROOM", 1)
    found = failures(range(first, first + CHUNK))
    assert not found, "\n\n".join(failure.text for failure in found)
