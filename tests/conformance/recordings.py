"""Exchanges with real Windows that the authors of pypsrp recorded, out of the source package of pypsrp on PyPI.

The package is fetched by name, version and hash into ``.cache/`` when it is not there; nothing of it is committed.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tests.services import fetch

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache"
WANTED = Path(__file__).with_name("pypsrp.txt")
PACKAGE = next(line for line in WANTED.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
NAME = PACKAGE.split()[0].replace("==", "-")


@dataclass(frozen=True)
class Exchange:
    """One request and what Windows answered; ``reply`` is None where the recording has none."""

    request: str
    reply: str | None
    status: int


@dataclass(frozen=True)
class Recording:
    """One conversation, in order."""

    name: str
    exchanges: tuple[Exchange, ...]


def source() -> Path:
    """Return the folder of the unpacked source package; where it cannot be fetched, the test skips or fails."""
    place = CACHE / NAME
    if not place.exists():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation")
            wanted = ("--no-binary", ":all:", "--require-hashes", "-r", str(WANTED), "-d", folder)
            fetch(*pip, *wanted)
            with tarfile.open(next(Path(folder).glob("*.tar.gz"))) as archive:
                archive.extractall(folder, filter="data")
            _put(Path(folder) / NAME, place)
    return place


def _put(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:
        if not place.exists():  # else another process was faster
            raise


@cache
def recordings(pattern: str = "test_*") -> tuple[Recording, ...]:
    """Return the recordings whose names match, in the order of their names."""
    folder = source() / "tests" / "tests_pypsrp" / "responses"
    return tuple(_read(file) for file in sorted(folder.glob(f"{pattern}.yml")))


def _read(file: Path) -> Recording:
    messages = yaml.load(file.read_bytes(), yaml.CSafeLoader)["messages"]
    return Recording(file.stem.removeprefix("test_"), tuple(_exchange(message) for message in messages))


def _exchange(message: dict[str, object]) -> Exchange:
    reply = str(message["response"]) if message.get("response") else None
    is_fault = reply is not None and "fault</a:Action>" in reply
    return Exchange(str(message["request"]), reply, 500 if is_fault else 200)
