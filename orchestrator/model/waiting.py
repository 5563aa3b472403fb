"""Why a migration stands still, and what it may wait for: one set of words for journal and status."""

from __future__ import annotations

from typing import Literal, TypeAlias

HoldReason: TypeAlias = str
"""``guard:<id>``, or one of ``fault``, ``retries-spent``, ``unknown-outcome``, ``operator``, ``undone``,
``original-missing``, ``restored-by-hand``, ``clock``, ``budget-spent``, ``not-converged``, ``hosts-missing``,
``witness-disagrees``."""

WaitFor: TypeAlias = Literal[
    "dwell",
    "ledger",
    "window",
    "blackout",
    "approval:start",
    "approval:complete",
    "replication",
    "retry",
    "needs",
    "at-once",
    "task-run",
    "reboot",
    "settle",
    "registration",
    "witness",
]
