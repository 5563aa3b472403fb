"""Whose rules a state was made by: every byte of the rules counts, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import orchestrator.model
from orchestrator.journal.program import identity, program

ROOM = Path(orchestrator.model.__file__).parent


@pytest.fixture
def room(tmp_path):
    return Path(shutil.copytree(ROOM, tmp_path / "model"))


def test_a_copy_of_the_same_rules_has_the_same_identity(room):
    assert identity(room) == program()
    assert len(program()) == 64


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("state.py", "    adopted: bool = False\n", "    adopted: bool = False\n    blessed: bool = False\n"),
        ("state.py", "    attempt: int = 1\n", "    attempt: str = '1'\n"),
        ("fold.py", "landed=frozenset(),\n        baselines={},", "baselines={},"),
        ("before.py", "    late: bool = False\n", ""),
        ("event.py", "VERSION = 4\n", "VERSION = 40\n"),
        ("claims.py", "have begun", "have  begun"),
        ("security/__init__.py", "", "\n"),
    ],
)
def test_a_change_of_a_field_a_type_or_a_fold_is_another(file, old, new, room):
    text = (room / file).read_text(encoding="utf-8")
    changed = text.replace(old, new, 1) if old else text + new
    assert changed != text, "the case is about nothing"
    (room / file).write_text(changed, encoding="utf-8")
    assert identity(room) != program()


def test_a_new_file_or_one_less_or_another_name_is_another(room):
    found = {program()}
    (room / "security" / "words.py").rename(room / "words_of.py")
    found.add(identity(room))
    (room / "words_of.py").unlink()
    found.add(identity(room))
    (room / "new.py").write_text("", encoding="utf-8")
    found.add(identity(room))
    assert len(found) == 4


def test_what_is_no_source_does_not_count(room):
    (room / "__pycache__").mkdir(exist_ok=True)
    (room / "__pycache__" / "state.cpython-311.pyc").write_bytes(b"x")
    (room / "notes.txt").write_text("x", encoding="utf-8")
    assert identity(room) == program()


def test_without_sources_there_is_none(tmp_path):
    assert identity(tmp_path) is None
