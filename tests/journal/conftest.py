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


@pytest.fixture(autouse=True)
def _somewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What lies beside a journal in a database lies in the working directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """Where a mirror may be, on what stands for a second disk."""
    (tmp_path / "second disk").mkdir()
    return tmp_path / "second disk" / "journal.jsonl"


SERVED = tuple(pytest.param(name, marks=pytest.mark.service) for name in ("postgres", "postgres-mirrored"))


@pytest.fixture(params=["memory", "sqlite", "mirrored", *SERVED])
def opener(request: pytest.FixtureRequest, path: Path, mirror: Path) -> Iterator[Opener]:
    """Each call returns another handle on the same journal, as another process would have it."""
    opened: list[Journal] = []
    first = MemoryJournal()
    place = request.getfixturevalue("database") if "postgres" in request.param else path

    def open_another() -> Journal:
        if request.param == "memory":
            opened.append(first.another())
        else:
            opened.append(open_journal(place, create=True, mirror=mirror if "mirrored" in request.param else None))
        return opened[-1]

    yield open_another
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(opener: Opener) -> Journal:
    return opener()
