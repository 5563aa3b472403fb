"""The simulation bites: each deliberate breach of a rule is found within a few seeds, by a rule that is about it."""

from __future__ import annotations

import pytest

from tests.simulation.seeds import played
from tests.simulation.teeth import TEETH

WITHIN = 150


@pytest.mark.parametrize("tooth", TEETH, ids=lambda tooth: tooth.name.replace(" ", "-"))
def test_a_breach_is_found(monkeypatch, tooth):
    tooth.breach(monkeypatch)
    others = []
    for seed in (*range(tooth.first, WITHIN), *range(1, tooth.first)):
        rules = {violation.rule for violation in played(seed, tooth.plan).violations}
        if rules & tooth.found_by:
            return
        others += rules
    pytest.fail(f"not found within {WITHIN} seeds; others violated: {others}")
