"""How much of a window a step needs: what it restarts one after the other on one host; hosts go side by side."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from orchestrator.model.lifecycle import Trigger
from orchestrator.model.plan import Host, Migration, Plan
from orchestrator.model.restarts import Expected, Restarts
from orchestrator.model.state import HostProgress, MigrationState
from orchestrator.model.written import write_duration
from orchestrator.model.written_down import as_written_down


@dataclass(frozen=True)
class Stretch:
    """Restarts one after the other; after a reboot where there is one."""

    count: int
    each: Expected
    reboot: timedelta | None = None

    @property
    def lasts(self) -> timedelta:
        """How long all of it is expected to take."""
        return self.count * self.each.takes + (self.reboot or timedelta(0))

    def __str__(self) -> str:
        """Say it, with the number that was used."""
        each = f"{write_duration(self.each.takes)} by {self.each.basis}"
        restarts = f"a restart takes {each}"
        if self.count > 1:
            total = write_duration(self.count * self.each.takes)
            restarts = f"{self.count} restarts one after the other take {total}, each {each}"
        if self.reboot is None:
            return restarts
        reboot = f"a reboot takes {write_duration(self.reboot)} by restart_takes"
        return f"{reboot}, and then {restarts}" if self.count else reboot


class Ahead(NamedTuple):
    """What a step that begins now would restart, whatever was measured of others."""

    times: int
    own: Expected | None
    """What one restart takes, by the migration's own restarts; None while too few were measured."""
    planned: timedelta
    """What one takes by the plan."""
    reboots: bool

    def stretch(self, restarts: Restarts) -> Stretch:
        """Return what all of it takes, as far as is known now."""
        each = self.own or restarts.expected_of_any(self.planned)
        return Stretch(self.times, each, self.planned if self.reboots else None)


def ahead_of(state: MigrationState, plan: Plan, step: Trigger, restarts: Restarts) -> Ahead | None:
    """Return what a step that begins now would restart; None if nothing.

    Complete is followed by the restarts of confirm. A host that reboots has its workloads restarted after it, and what
    does not start by itself is down until then. What other migrations restart at the same host is not counted.
    """
    policy = plan.policy_of(state.id)
    reboots = step is Trigger.REGISTRY and policy.reboot == "after_registry"
    confirms = step is Trigger.COMPLETE and policy.restart_after_complete
    if step is not Trigger.RESTART and not reboots and not confirms:
        return None
    migration = as_written_down(plan.migration(state.id), state)
    count = most_at_one_host(migration, state, afresh=confirms)
    if not count and not reboots:
        return None
    return Ahead(count, restarts.expected_by_its_own(state.id, policy.restart_takes), policy.restart_takes, reboots)


def stretch_of(state: MigrationState, plan: Plan, step: Trigger, restarts: Restarts) -> Stretch | None:
    """Return how much of a window a step needs that begins now; None if it restarts nothing."""
    ahead = ahead_of(state, plan, step, restarts)
    return ahead.stretch(restarts) if ahead else None


def one_restart(state: MigrationState, plan: Plan, restarts: Restarts) -> Stretch:
    """Return the next restart of a step that is in its midst: each begins only if it can end."""
    return Stretch(1, restarts.expected(state.id, plan.policy_of(state.id).restart_takes))


def most_at_one_host(migration: Migration, state: MigrationState, *, afresh: bool) -> int:
    """Return how many restarts the host needs that needs the most; *afresh*: whatever was restarted before."""
    left = (host for host in migration.hosts if host.name not in state.lost and (afresh or host.name not in state.done))
    return max((_count(host, state, afresh) for host in left), default=0)


def _count(host: Host, state: MigrationState, afresh: bool) -> int:
    if not (host.services or host.app_pools or host.tasks):
        return 1  # it will say itself what runs there, and has not been asked yet
    known = state.snapshot.hosts.get(host.name) if state.snapshot else None
    names = {name.lower() for name in (*host.services, *host.app_pools)}
    if known is not None:
        idle = (name for name, one in known.services.items() if one.state != "Running")
        stopped = (name for name, one in known.app_pools.items() if one.state != "Started")
        names -= {name.lower() for name in (*idle, *stopped)}
    progress = state.hosts.get(host.name, HostProgress())
    if progress.restarted and not afresh:
        names -= {workload.name.lower() for workload in progress.workloads}
    return len(names)
