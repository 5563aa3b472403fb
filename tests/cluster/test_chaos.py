"""Two sites, real servers, and everything that may befall them: all done, once each, nothing at the wrong site.

The large one, 200 migrations, is ``python -m tests.bench.cluster``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.chaos import chaos
from tests.cluster.several import cluster
from tests.rabbit import needed


@pytest.mark.service
def test_a_cluster_to_which_everything_happens_does_everything_once(tmp_path: Path):
    needed()
    with cluster(tmp_path / "cluster", 8) as found:
        chaos(found)
