"""``dmsa cluster try``, as the page shows it: everything of a cluster on one machine, and nothing left of it."""

from __future__ import annotations

import doctest
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import Exit
from tests.cli.desk import COMMAND, Desk
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
    ended = subprocess.run(
        [*COMMAND, *words, str(ROOT / plan)], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert (ended.returncode, ended.stderr) == (Exit.DONE, ""), ended.stdout
    assert doctest.OutputChecker().check_output(shown, ended.stdout, doctest.ELLIPSIS), ended.stdout


def test_a_real_estate_is_not_for_trying_out(tmp_path: Path):
    ended = Desk(tmp_path).dmsa("cluster", "try", str(ROOT / "plans" / "erp.yaml"))
    assert ended.returncode == Exit.INVALID
    assert "Nothing was started" in ended.stderr
