"""A runner of a site is told to end while a host of it restarts something: that ends first, and nobody has to guess."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.cli.desk import assert_once_each
from tests.cluster.several import DIRECTORY, cluster, host_of
from tests.patience import PATIENCE
from tests.rabbit import needed

RESTART = "Restart-Service"
SLOW = {"kind": "slow", "takes": "10s", "when": {"cmdlet": RESTART, "host": host_of(0)}}


@pytest.mark.service
def test_what_is_under_way_ends_and_the_next_runner_goes_on(tmp_path: Path):
    needed()
    with cluster(tmp_path / "cluster", 1, SLOW) as found:
        first, driver = found.start("emea-1"), found.start(f"{DIRECTORY}-1")
        found.until_arrived(RESTART, 1)
        found.signal("emea-1", signal.SIGTERM)
        assert found.outcomes()[-1] == (RESTART, None), "it was told while the restart was under way"
        assert first.wait(PATIENCE) == 0, found.said("emea-1")
        assert found.said("emea-1").endswith("nothing is under way\n")
        found.start("emea-2")
        assert driver.wait(PATIENCE) == 0, found.said(f"{DIRECTORY}-1")
        assert {outcome for _, outcome in found.outcomes()} == {"succeeded"}
        assert_once_each(found.lab.state, 1)
