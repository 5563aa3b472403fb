"""Every two values of two dimensions meet, and every moment of every phase is one at which a way back begins."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.lab.estate.spec import Switches
from tests.wayback.covering import Row, covering
from tests.wayback.matrix import DIMENSIONS, MOMENTS, cases
from tests.wayback.shapes import SWITCHES
from tests.wayback.way import moments

CASES = 2072
PHASES = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(1, 5), min_size=1, max_size=6)


def met(rows: list[Row]) -> set[tuple[tuple[str, object], tuple[str, object]]]:
    return {pair for row in rows for pair in itertools.combinations(sorted(row.items()), 2)}


def wanted(dimensions: dict[str, tuple[object, ...]]) -> set[tuple[tuple[str, object], tuple[str, object]]]:
    pairs = itertools.combinations(sorted(dimensions), 2)
    return {((a, x), (b, y)) for a, b in pairs for x in dimensions[a] for y in dimensions[b]}


@settings(max_examples=60, deadline=None)
@given(PHASES)
def test_every_pair_is_covered_and_no_row_is_idle(widths):
    dimensions = {name: tuple(range(width)) for name, width in widths.items()}
    rows = covering(dimensions)
    if len(dimensions) > 1:
        assert met(rows) == wanted(dimensions)
    seen: set[object] = set()
    for row in rows:
        new = met([row]) - seen
        assert new
        seen |= new


def test_every_pair_of_the_matrix_is_covered():
    rows = covering(DIMENSIONS)
    assert len(rows) == len(cases()) == CASES
    assert met(rows) == wanted(DIMENSIONS)


def test_every_moment_of_every_phase_is_one_at_which_a_way_back_begins():
    assert {(case["phase"], case["moment"]) for case in cases()} == {
        (phase, number) for phase, many in MOMENTS.items() for number in range(many)
    }


FULLEST = {name: values[0] for name, values in DIMENSIONS.items()} | {
    "account": "everything",
    "workloads": "all",
    "registry": "no-key",
    "second-host": True,
    "reboot": True,
    "dcs": 2,
    "undo_enables_account": False,
    "undo_restores_spns": False,
}


@pytest.mark.parametrize("phase", MOMENTS)
def test_no_phase_has_more_moments_than_the_matrix_knows(phase):
    words = ("rollback-by-undo", "reset") if phase.endswith("back") else ("rollback-by-undo",)
    assert max(moments(FULLEST | {"phase": phase, "word": word}) for word in words) == MOMENTS[phase]


def test_every_position_of_every_switch_is_in_the_matrix():
    assert set(SWITCHES) == Switches.model_fields.keys()
    for name, field in Switches.model_fields.items():
        assert set(DIMENSIONS[name]) == set(get_args(field.annotation) or (True, False))
