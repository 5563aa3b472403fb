"""What is played of a matrix is enough: every two values meet, every value and every kind of moment is among it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import whole

WIDTHS = st.lists(st.integers(1, 4), min_size=2, max_size=4)


def met(rows: list[tuple[object, ...]]) -> set[tuple[tuple[int, object], ...]]:
    return {pair for row in rows for pair in itertools.combinations(enumerate(row), 2)}


@given(WIDTHS)
def test_the_pairs_of_all_rows_are_those_of_the_rows_that_are_played(widths: list[int]) -> None:
    dimensions = {f"d{number}": [f"{number}.{value}" for value in range(width)] for number, width in enumerate(widths)}
    played, every = whole.pairs(**dimensions), whole.all_of(**dimensions)
    assert len(every) == len(set(every)) == len(list(itertools.product(*dimensions.values())))
    assert set(played) <= set(every)
    assert len(played) == len(set(played))
    assert met(played) == met(every)


def test_some_of_many_are_befores_and_afters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "ALL", False)
    assert {at % 2 for at in whole.some(range(1, 171), 3)} == {0, 1}
    monkeypatch.setattr(whole, "ALL", True)
    assert whole.some(range(1, 171), 3) == range(1, 171)


def test_the_command_plays_all_of_each() -> None:
    """By their numbers alone: nothing is run here."""
    name = "tests/conductor/test_shared_host.py"
    counted = [
        subprocess.run(
            [sys.executable, "-m", module, "-q", "--collect-only", "-p", "no:cacheprovider", name],
            cwd=whole.HERE.parent,
            env={name: value for name, value in os.environ.items() if name != "DMSA_WHOLE"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.count("::test_the_value_goes_back")
        for module in ("pytest", "tests.whole")
    ]
    assert counted == [24, 72]


def test_it_finds_who_has_such_a_matrix() -> None:
    found = {file.relative_to(whole.HERE).as_posix() for file in whole.files()}
    assert found >= {"conductor/test_shared_host.py", "conductor/test_quickstart.py", "expectation/test_reconcile.py"}
