"""Desks: a fresh one, ones on which something was done already, and a lab that is served.

What takes long is done once for all tests, also where several workers (pytest-xdist) share them out, and then copied.
"""

import contextlib
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.journal.lock import FileLock
from tests.cli.desk import Desk
from tests.patience import PATIENCE

Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Once:
    """Fill a folder once for all workers; whoever comes second waits for the first, and gets the same folder."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if hasattr(request.config, "workerinput") else own

    def folder(name: str, fill: Callable[[Path], None]) -> Path:
        lock = FileLock(shared / f"{name}.lock")
        assert lock.take(patience=2 * PATIENCE)
        with contextlib.ExitStack() as afterwards:
            afterwards.callback(lock.free)
            done = shared / f"{name}.done"
            if not done.exists():
                fill(shared / name)
                done.touch()
        return shared / name

    return folder


@pytest.fixture(scope="session")
def stages(once: Once) -> Path:
    """A folder of desks on which dmsa-batch stands at a phase, by that phase; never to be used but as a copy."""

    def fill(folder: Path) -> None:
        desk = Desk.new(folder / "desk")
        for phase in ("prepared", "restarted", "completed"):
            desk.done("run", "plan.yaml", "--only", "dmsa-batch", "--until", phase)
            desk.copy(folder / phase)

    return once("stages", fill)


@pytest.fixture(scope="session")
def finished(once: Once) -> Desk:
    """The quick start as it ships, after `dmsa run`; the untouched estate and what was printed lie beside it."""

    def fill(folder: Path) -> None:
        desk = Desk.new(folder, change=None)
        with desk.running(
            "lab", "serve", "estates/quickstart.yaml", "--state", str(desk.lab), "--json", forked=True
        ) as lab:
            assert lab.until_line(1)
            lab.signal(signal.SIGTERM)
            assert lab.end().returncode == 143
        shutil.copytree(desk.lab, folder / "untouched")
        (folder / "printed").write_text(desk.done("run", "plan.yaml"))

    return Desk(once("quickstart", fill))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with the quick start, whose hold time is two hours."""
    return Desk.new(tmp_path)


@pytest.fixture
def prepared(stages: Path, tmp_path: Path) -> Desk:
    """A desk on which dmsa-batch is prepared."""
    return Desk(stages / "prepared").copy(tmp_path / "prepared")


@pytest.fixture
def restarted(stages: Path, tmp_path: Path) -> Desk:
    """A desk on which dmsa-batch is linked, and its workloads were restarted."""
    return Desk(stages / "restarted").copy(tmp_path / "restarted")


@pytest.fixture
def completed(stages: Path, tmp_path: Path) -> Desk:
    """A desk on which dmsa-batch is completed."""
    return Desk(stages / "completed").copy(tmp_path / "completed")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What `dmsa lab serve --json` says when it is ready; the lab ends with the test."""
    desk = Desk.new(tmp_path / "served")
    with desk.running("lab", "serve", "estates/quickstart.yaml", "--state", "lab", "--json", forked=True) as lab:
        assert lab.until_line(1)
        yield json.loads(lab.lines[0])
