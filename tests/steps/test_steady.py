"""The steady state of a migration: a case is one file, ``steady/<what is there>.yaml``."""

from pathlib import Path

import pytest

from orchestrator.model.case import Seen
from orchestrator.remote.gate import check
from orchestrator.steps.steady import steady_reads, steady_state
from tests.cases import MIGRATION, files, ident, load

CASES = files(Path(__file__).parent / "steady")


@pytest.mark.parametrize("path", CASES, ids=ident)
def test_case(path):
    facts, case, far, _ = load(path)
    seen = Seen(MIGRATION)
    while reads := steady_reads(case, seen):
        for read in reads:
            check(read)
        seen = far.seen(MIGRATION, reads, seen)
    found = steady_state(case, seen)
    assert list(found.troubles) == facts["troubles"], facts["why"]
    assert found.account == facts.get("account", found.account)
    assert found.workloads == facts.get("workloads", found.workloads)


def test_a_host_that_was_never_asked_is_not_well():
    _, case, far, _ = load(Path(__file__).parent / "steady" / "all-is-well.yaml")
    only_pair = far.seen(MIGRATION, steady_reads(case)[:1])
    assert steady_state(case, only_pair).troubles == ("app01.corp.example did not answer for Win32_OperatingSystem",)
