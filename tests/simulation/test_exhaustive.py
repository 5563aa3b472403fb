"""Every state of a small world is visited, none breaks the law, and breaches of the rules are found in it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from orchestrator.model.state import MigrationState
from tests.simulation.exhaustive import form
from tests.simulation.exhaustive.search import Search
from tests.simulation.exhaustive.world import HOSTS, IDS, Size
from tests.simulation.teeth import TEETH

ONE = Size(ids=IDS[:1], hosts=HOSTS[:1], at_once=1)
ONE_FAULT = Size(ids=IDS[:1], hosts=HOSTS[:1], at_once=1, faults=1)
TWO = Size(at_once=1)


@pytest.mark.parametrize(
    ("size", "states", "transitions"),
    [(ONE, 23, 35), (TWO, 281, 547), (ONE_FAULT, 166, 407)],
    ids=["undisturbed", "two-migrations", "one-fault"],
)
def test_no_state_of_a_small_world_breaks_the_law(size, states, transitions):
    found = Search(size).run()
    assert [str(one) for one in found.violations] == []
    assert found.ended
    assert (found.states, found.transitions) == (states, transitions)


BITES = {
    "repeat after an unknown outcome": (ONE_FAULT, "is not settled"),
    "repeat without deleting the shell": (ONE_FAULT, "settles before the settling time"),
    "forget convergence": (ONE, "the directory shows"),
    "look before the settling time is over": (ONE_FAULT, "settles before the settling time"),
}


@pytest.mark.parametrize("name", BITES)
def test_a_breach_is_found(monkeypatch, name):
    size, says = BITES[name]
    next(tooth for tooth in TEETH if tooth.name == name).breach(monkeypatch)
    found = Search(size).run(most=20_000)
    assert [says in one.what for one in found.violations] == [True], found


def test_the_form_speaks_of_every_field_of_a_migration():
    source = Path(form.__file__).read_text(encoding="utf-8")
    missing = [one.name for one in fields(MigrationState) if not re.search(rf"\bstate\.{one.name}\b", source)]
    assert missing == []
