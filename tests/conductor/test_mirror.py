"""Nothing is sent that the mirror does not announce, also where the mirror fails; and then the run goes on."""

from __future__ import annotations

import json

import pytest

from orchestrator.journal import MemoryJournal, MirrorUnusable, line_of
from orchestrator.journal.mirror import Mirror
from orchestrator.journal.mirrored import MirroredJournal
from orchestrator.remote.catalogue import CATALOGUE
from orchestrator.remote.rows import Effect
from tests.world import World

ONE = ["dmsa-batch"]
FEW = 37


class Failing(Mirror):
    """A mirror whose disk fails from an append on."""

    def __init__(self, path, at):
        super().__init__(path)
        self.left = at

    def extend(self, journal):
        self.left -= 1
        if self.left < 0:
            raise MirrorUnusable(self.path, "the disk failed", "Mend it")
        super().extend(journal)


@pytest.fixture
def world():
    return World(journal=MemoryJournal())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


def announced(path):
    """Return the pipelines that the mirror announces now."""
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    return {row["body"]["pipeline"] for row in rows if row["kind"] == "attempt-started"}


def watch(world, path):
    """Hold every write, when it arrives at the far side, against the mirror as it is then."""
    execute = world.estate.execute

    def watched(request):
        commands = [command.name for statement in request.statements for command in statement]
        if any(name in CATALOGUE and CATALOGUE[name].effect is not Effect.READS for name in commands):
            assert str(request.pipeline) in announced(path), commands
            arrived.append(commands)
        return execute(request)

    arrived = []
    world.estate.execute = watched
    return arrived


def run(world, mirror):
    """Run a process that writes the mirror."""
    rows = world.journal
    world.journal = MirroredJournal(rows.another(), mirror)
    try:
        world.run(ONE)
    finally:
        world.journal.close()
        world.journal = rows


def test_every_write_is_announced_in_the_mirror_before_it_arrives(world, path):
    arrived = watch(world, path)
    run(world, Mirror(path))
    assert len(arrived) > 5
    assert world.phases()["dmsa-batch"] == "completed"
    assert path.read_bytes() == b"".join(map(line_of, world.journal.read()))


@pytest.mark.parametrize("at", range(1, FEW, 2))
def test_a_mirror_that_fails_stops_the_run_before_the_write_and_the_next_one_finishes(world, path, at):
    arrived = watch(world, path)
    with pytest.raises(MirrorUnusable, match="the disk failed"):
        run(world, Failing(path, at))
    before = len(arrived)
    assert len(announced(path)) == before, "what the mirror has not was not sent, and nothing was after it"
    run(world, Mirror(path))
    assert world.phases()["dmsa-batch"] == "completed"
    for name in ("Start-ADServiceAccountMigration", "Complete-ADServiceAccountMigration"):
        assert len(world.arrived(name)) == 1
    assert path.read_bytes() == b"".join(map(line_of, world.journal.read()))
