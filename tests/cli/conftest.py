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
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """What `dmsa lab serve --json` says when it is ready; the lab ends with the tests."""
    desk = Desk.new(tmp_path_factory.mktemp("served"))
    with desk.running("lab", "serve", "estates/quickstart.yaml", "--state", "lab", "--json") as lab:
        yield json.loads(lab.until_line(1))
