"""No guard refuses a healthy estate, whatever else is in its domain (``python -m tests.guards.healthy`` for more)."""

import pytest

from tests.guards.healthy import refusals
from tests.whole import some


@pytest.mark.parametrize("seed", some(range(1, 31), 3))
def test_nothing_is_refused(seed):
    assert refusals(seed) == []
