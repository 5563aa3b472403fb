"""Desks, and the one run of the quick start that several tests look at."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with the quick start, whose hold time is one day."""
    return Desk.new(tmp_path)


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Desk]:
    """Desks on which dmsa-batch stands at a phase, by that phase; never to be used but as a copy."""
    folder = tmp_path_factory.mktemp("stages")
    desk, kept = Desk.new(folder / "desk"), {}
    for phase in ("prepared", "restarted", "completed"):
        desk.done("run", "plan.yaml", "--only", "dmsa-batch", "--until", phase)
        kept[phase] = desk.copy(folder / phase)
    return kept


@pytest.fixture
def prepared(stages: dict[str, Desk], tmp_path: Path) -> Desk:
    """A desk on which dmsa-batch is prepared."""
    return stages["prepared"].copy(tmp_path / "prepared")


@pytest.fixture
def restarted(stages: dict[str, Desk], tmp_path: Path) -> Desk:
    """A desk on which dmsa-batch is linked, and its workloads were restarted."""
    return stages["restarted"].copy(tmp_path / "restarted")


@pytest.fixture
def completed(stages: dict[str, Desk], tmp_path: Path) -> Desk:
    """A desk on which dmsa-batch is completed."""
    return stages["completed"].copy(tmp_path / "completed")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """What `dmsa lab serve --json` says when it is ready; the lab ends with the tests."""
    desk = Desk.new(tmp_path_factory.mktemp("served"))
    with desk.running("lab", "serve", "estates/quickstart.yaml", "--state", "lab", "--json") as lab:
        assert lab.until_line(1)
        yield json.loads(lab.out[0])
