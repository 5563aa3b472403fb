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


@pytest.fixture(params=["memory", "sqlite"])
def opener(request: pytest.FixtureRequest, path: Path) -> Iterator[Opener]:
    """Each call returns another handle on the same journal, as another process would have it."""
    opened: list[Journal] = []
    first = MemoryJournal()

    def open_another() -> Journal:
        opened.append(first.another() if request.param == "memory" else open_journal(path, create=True))
        return opened[-1]

    yield open_another
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(opener: Opener) -> Journal:
    return opener()
