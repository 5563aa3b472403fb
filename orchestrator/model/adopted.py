"""A migration that was begun elsewhere, from the moment on at which this journal takes it over.

What was read back is proved from now on: the dwell begins now, and whatever ran may have logged on as the dMSA, so that
a way back restarts all of it.
"""

from __future__ import annotations

from datetime import datetime

from orchestrator.model.before import SnapshotTaken
from orchestrator.model.lifecycle import PATH, Phase
from orchestrator.model.state import MigrationState
from orchestrator.model.state import replaced as replace

_SENT = ((Phase.STARTED, "Start"), (Phase.SWITCHED, "Complete"))


def taken_over(moved: MigrationState, at: datetime | None) -> MigrationState:
    """Return a migration that has just entered a phase by adoption."""

    def is_at(phase: Phase) -> bool:
        return PATH.index(moved.phase) >= PATH.index(phase)

    sent = frozenset(f"{verb}-ADServiceAccountMigration" for phase, verb in _SENT if is_at(phase))
    restarted = is_at(Phase.RESTARTED)
    return replace(
        moved,
        adopting=None,
        adopted=True,
        sent=sent,
        touched=_ran(moved.snapshot) if is_at(Phase.STARTED) else frozenset(),
        hosts={name: replace(host, restarted=restarted) for name, host in moved.hosts.items()},
        converged_at=at if is_at(Phase.LINKED) else None,
        registry_at=at if is_at(Phase.REGISTERED) else None,
        anew_at=at,
    )


def _ran(snapshot: SnapshotTaken | None) -> frozenset[tuple[str, str, str]]:
    """Return the services and pools that ran when they were written down."""
    hosts = snapshot.hosts.items() if snapshot else ()
    services = {(host, "service", n) for host, b in hosts for n, s in b.services.items() if s.state == "Running"}
    pools = {(host, "app-pool", n) for host, b in hosts for n, pool in b.app_pools.items() if pool.state == "Started"}
    return frozenset(services | pools)
