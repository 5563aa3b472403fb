"""pypsrp's own tests for a real Windows pass against the lab's wire, but for those that need what the lab has not."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conformance.live import live_tests, outcomes

PINNED = yaml.safe_load(Path(__file__).with_name("live.yaml").read_text(encoding="utf-8"))

pytestmark = pytest.mark.service


def test_those_that_need_no_powershell_engine_pass(tmp_path):
    found = outcomes(tmp_path)
    assert found.keys() == {test for tests in live_tests().values() for test in tests}
    assert {name for name, passed in found.items() if passed} == set(PINNED["passes"])
    assert {name for name, passed in found.items() if not passed} == {
        name for names in PINNED["fails"].values() for name in names
    }
