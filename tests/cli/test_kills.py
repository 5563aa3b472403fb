"""A sample of the kill matrix (``python -m tests.bench.kills`` is the whole): one account, one moment of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.kills import BACK, FORWARD, End, copied, killed, undisturbed
from tests.cli.mortal import KINDS

ONE = 1


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the plan of one account is run undisturbed; never to be used but as a copy."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def forward(place: Path) -> tuple[End, list[str]]:
    """How that ends, and at which moments it could have died."""
    return undisturbed(place, FORWARD, ONE)


def test_there_are_moments_of_every_kind_and_each_write_has_all_of_its_own(forward):
    end, moments = forward
    kinds = [moment.split("\t")[0] for moment in moments]
    assert set(kinds) == {*KINDS}
    around = [kind for kind in KINDS if "append" not in kind]
    assert {kinds.count(kind) for kind in around} == {sum(end.arrived.values())}


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_a_moment_and_run_again_it_ends_as_if_nothing_had_happened(forward, kind):
    expected, moments = forward
    these = [moment for moment in moments if moment.split("\t")[0] == kind]
    one = killed(f"{kind}\t:{len(these) // 2}", None, FORWARD, expected, ONE)
    assert one.what.split("\t")[0] == kind
    assert (one.wrong, one.extra) == ([], 0)


def test_so_does_the_way_back(place, forward, tmp_path):
    assert forward
    expected, moments = undisturbed(copied(place, tmp_path / "back"), BACK, ONE)
    undoing = "taken by the far side\tUndo-ADServiceAccountMigration"
    assert undoing in moments
    one = killed(f"{undoing}:1", place, BACK, expected, ONE)
    assert one.what == undoing
    assert (one.wrong, one.extra) == ([], 0)
