"""An installation without an extra: what needs it says so, and how it is had."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import Exit
from tests.cli.desk import COMMAND
from tests.world import ROOT

DATABASE = ("--journal", "postgresql:///dmsa")
BROKER = ("--broker", "amqp://dmsa@localhost/dmsa")
SITES, REAL = str(ROOT / "plans" / "several-sites.yaml"), str(ROOT / "plans" / "erp.yaml")


@pytest.mark.parametrize(
    ("missing", "words", "code", "remedy"),
    [
        ("psycopg", ("status", SITES, *DATABASE), Exit.INVALID, "dmsa-orchestrator[postgres]"),
        ("psycopg", ("journal", "create", *DATABASE), Exit.INVALID, "dmsa-orchestrator[postgres]"),
        ("psycopg", ("cluster", "status", SITES, *DATABASE), Exit.INVALID, "dmsa-orchestrator[postgres]"),
        (
            "psycopg",
            ("runner", REAL, "--site", "main", *DATABASE, *BROKER),
            Exit.INVALID,
            "dmsa-orchestrator[postgres]",
        ),
        ("psycopg", ("run", SITES, *DATABASE, *BROKER), Exit.INVALID, "dmsa-orchestrator[postgres]"),
        ("psycopg", ("cluster", "try", SITES), Exit.INVALID, "dmsa-orchestrator["),
        ("celery", ("cluster", "try", SITES), Exit.HELD, "dmsa-orchestrator[cluster]"),
    ],
)
def test_what_is_missing_is_named_with_how_it_is_had(
    missing: str, words: tuple[str, ...], code: Exit, remedy: str, tmp_path: Path
):
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    ended = subprocess.run(
        [*COMMAND, *words], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path, "DMSA_BROKER_PASSWORD": "x"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert remedy in ended.stderr, ended.stderr
    assert "a defect in the program" not in ended.stderr
    assert ended.returncode == code, ended.stderr
