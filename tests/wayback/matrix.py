"""The dimensions of the matrix, and the cases in which every two of their values meet."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

from orchestrator.lab.estate.spec import Switches
from tests.wayback.covering import Row, covering
from tests.wayback.shapes import ACCOUNT, SWITCHES, WORKLOADS
from tests.wayback.way import HOW
from tests.wayback.weather import WEATHER

MOMENTS: dict[str, int] = {
    "prepared": 10,
    "started": 6,
    "linked": 56,
    "registered": 36,
    "restarted": 4,
    "soaked": 12,
    "switched": 34,
    "completed": 3,
    "completed, going back": 41,
    "reopened, going back": 24,
    "unlinked, going back": 22,
    "restored, going back": 40,
}
"""How many moments lie in a phase: before and after each append and each write, where there is most to do.

The first is the one at which the phase is reached, the others are in the middle of the step that leaves it. From
``planned`` there is no way back: nothing was written, or prepare is not over.
"""

DIMENSIONS: dict[str, tuple[Any, ...]] = {
    "phase": tuple(MOMENTS),
    "moment": tuple(range(max(MOMENTS.values()))),
    "weather": WEATHER,
    "how": HOW,
    "word": ("undo", "reset", "rollback-by-undo", "rollback-by-reset"),
    "account": tuple(ACCOUNT),
    "workloads": tuple(WORKLOADS),
    "registry": ("no-key", "absent", 0, 1),
    "neighbour": ("none", "goes-on", "goes-back"),
    "protected": (False, True),
    "dmsa-before": (False, True),
    "dcs": (1, 2),
    "second-host": (False, True),
    "reboot": (False, True),
    "together": (1, None),
    "directory-keeps": (False, True),
    **{name: get_args(Switches.model_fields[name].annotation) or (True, False) for name in SWITCHES},
}


@cache
def cases() -> tuple[Row, ...]:
    """Return every case, in an order that is always the same."""
    rows = covering(DIMENSIONS)
    return tuple(row | {"moment": row["moment"] % MOMENTS[row["phase"]]} for row in rows)
