"""Pages that tell a developer how to add something are followed to the letter, in a copy of the program."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT, RUNBOOKS
from tests.pages import walkthrough

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


def put(file: Path, after: str, text: str) -> None:
    """Write a file of a walkthrough, or put its lines after a line that is there once."""
    if not after:
        assert not file.exists(), f"{file} is there already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    (where,) = (number for number, line in enumerate(lines) if line.strip() == after)
    file.write_text("".join([*lines[: where + 1], text, *lines[where + 1 :]]), encoding="utf-8")


def run(command: str, folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert words[0] == "python"
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_tells_to_write_and_run_works(page: Path, tmp_path: Path):
    folder = copy(tmp_path / "clone")
    for placed in walkthrough(page):
        if placed.where == "run":
            for command in placed.text.splitlines():
                run(command, folder)
        else:
            put(folder / placed.where, placed.after, placed.text)
    for name in ("ruff check", "ruff format --check"):
        run(f"python -m {name} orchestrator", folder)


def test_without_its_guard_the_page_s_cases_fail(tmp_path: Path):
    """The walkthrough's command can fail: cases of a guard that is not there are an error."""
    folder = copy(tmp_path / "clone")
    placed = walkthrough(RUNBOOKS / "add-a-guard.md")
    for each in placed:
        if each.where != "run" and not each.where.startswith("orchestrator/guards/"):
            put(folder / each.where, each.after, each.text)
    (command,) = (line for each in placed if each.where == "run" for line in each.text.splitlines() if "pytest" in line)
    with pytest.raises(AssertionError, match="no-protocol-transition"):
        run(command, folder)
