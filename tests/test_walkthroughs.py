"""Pages that tell a developer how to add something are followed to the letter, in a copy of the program."""

from __future__ import annotations

import doctest
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT, RUNBOOKS
from tests.pages import Placed, walkthrough

PAGES = [page for page in sorted(RUNBOOKS.glob("*.md")) if walkthrough(page)]
COPIED = ("orchestrator", "plans", "runbooks", "tests", "README.md", "CHANGELOG.md", "pyproject.toml")


def copy(folder: Path) -> Path:
    """Copy what the tests of the program need, as a developer has it in a clone."""
    folder.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def put(placed: Placed, folder: Path) -> None:
    """Write a file of a walkthrough, or put its lines after, or instead of, a line that is there once."""
    file = folder / placed.where
    if not placed.line:
        assert not file.exists(), f"{file} is there already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(placed.block.text, encoding="utf-8")
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    (where,) = (number for number, line in enumerate(lines) if line.strip() == placed.line)
    kept = lines[: where if placed.instead else where + 1]
    file.write_text("".join([*kept, placed.block.text, *lines[where + 1 :]]), encoding="utf-8")


def run(command: str, folder: Path, shown: str = "...") -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert words[0] == "python"
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert doctest.OutputChecker().check_output(shown, done.stdout, doctest.ELLIPSIS), f"{command}\n{done.stdout}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_tells_to_write_and_run_works(page: Path, tmp_path: Path):
    folder = copy(tmp_path / "clone")
    for placed in walkthrough(page):
        if placed.where == "run":
            for command, shown in placed.block.steps:
                run(command, folder, shown)
        else:
            put(placed, folder)
    for name in ("ruff check", "ruff format --check"):
        run(f"python -m {name} orchestrator", folder)


def test_without_its_guard_the_page_s_cases_fail(tmp_path: Path):
    """The walkthrough's command can fail: cases of a guard that is not there are an error."""
    folder = copy(tmp_path / "clone")
    placed = walkthrough(RUNBOOKS / "add-a-guard.md")
    for each in placed:
        if each.where != "run" and not each.where.startswith("orchestrator/guards/"):
            put(each, folder)
    asked = [command for each in placed if each.where == "run" for command, _ in each.block.steps]
    (command,) = (command for command in asked if "pytest" in command)
    with pytest.raises(AssertionError, match="no-protocol-transition"):
        run(command, folder)
