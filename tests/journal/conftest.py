"""Places where journals are kept, so that one test can ask all of them the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.journal import Journal, MemoryJournal, lock, open_journal

Opener = Callable[[], Journal]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Where a mirror may be, on what stands for a second disk."""
    (tmp_path / "second disk").mkdir()
    return tmp_path / "second disk" / "journal.jsonl"


@pytest.fixture(params=["memory", "sqlite", "mirrored"])
def opener(request: pytest.FixtureRequest, path: Path, mirror: Path) -> Iterator[Opener]:
    """Each call returns another handle on the same journal, as another process would have it."""
    opened: list[Journal] = []
    first = MemoryJournal()

    def open_another() -> Journal:
        if request.param == "memory":
            opened.append(first.another())
        else:
            opened.append(open_journal(path, create=True, mirror=mirror if request.param == "mirrored" else None))
        return opened[-1]

    yield open_another
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(opener: Opener) -> Journal:
    return opener()
