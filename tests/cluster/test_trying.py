"""``dmsa cluster try``, as the page shows it: everything of a cluster on one machine, and nothing left of it."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from orchestrator.errors import Exit
from tests.cli.desk import Desk
from tests.documents import RUNBOOKS
from tests.pages import blocks
from tests.rabbit import needed
from tests.world import ROOT


@pytest.mark.service
def test_what_the_page_says_is_what_one_sees(tmp_path: Path):
    needed()
    (block,) = [one for one in blocks(RUNBOOKS / "several-sites.md") if "cluster try" in one.text]
    ((command, shown),) = block.steps
    _, *words, plan = command.split()
    said = Desk(tmp_path).done(*words, str(ROOT / plan))
    assert doctest.OutputChecker().check_output(shown, said, doctest.ELLIPSIS), said


def test_a_real_estate_is_not_for_trying_out(tmp_path: Path):
    ended = Desk(tmp_path).dmsa("cluster", "try", str(ROOT / "plans" / "erp.yaml"))
    assert ended.returncode == Exit.INVALID
    assert "Nothing was started" in ended.stderr
