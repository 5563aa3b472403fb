"""Plans that share a journal: what of one cannot begin, because a migration of another has begun with the same thing.

It is what the cross-checks refuse within one plan (:mod:`orchestrator.planfile.crosschecks`), asked across plans, of
what has begun only: who begins first goes on, and a plan that nobody began is in nobody's way. Hosts may be shared, for
the switch is counted over every run of the journal (:mod:`orchestrator.model.switches`), and one runner drives at a
time; what cannot be shared is a workload, and a host that one of two would reboot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from orchestrator.model.dn import parse_dn
from orchestrator.model.lifecycle import Intention, Phase
from orchestrator.model.plan import Host, Migration, Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState


@dataclass(frozen=True)
class Collision:
    """A migration cannot begin: one of another plan, under way or completed, has what it is about."""

    migration: str
    plan: str
    other: str
    what: str

    def __str__(self) -> str:
        return f"{self.migration}: {self.what} of {self.plan}/{self.other}"


def collisions(
    plan: Plan, run: RunState, others: Iterable[tuple[Plan, RunState]], chosen: Collection[str]
) -> tuple[Collision, ...]:
    """Return what keeps migrations from beginning.

    Args:
        plan: the plan that is about to be driven.
        run: where it stands; what has begun there is not asked about any more.
        others: the plans of the journal's other runs, and where each stands.
        chosen: the migrations that may begin.
    """
    ours = [one for one in plan.migrations() if one.id in chosen and not has_begun(run[one.id])]
    begun = [
        (other.name, theirs, other.policy_of(theirs.id).reboot, state[theirs.id])
        for other, state in others
        for theirs in other.migrations()
        if has_begun(state[theirs.id])
    ]
    return tuple(
        Collision(one.id, name, theirs.id, what)
        for one in ours
        for name, theirs, reboot, state in begun
        for what in _shared(one, plan.policy_of(one.id).reboot, theirs, reboot, state)
    )


def has_begun(state: MigrationState) -> bool:
    """Whether a migration has an account and hosts: from its snapshot on, until it has gone all the way back."""
    return state.phase is not Phase.ROLLED_BACK and (state.phase is not Phase.PLANNED or state.snapshot is not None)


def _shared(one: Migration, reboot: str, theirs: Migration, theirs_reboot: str, state: MigrationState) -> Iterator[str]:
    ended = state.phase is Phase.COMPLETED and state.intention is Intention.FORWARD
    stands = "which is completed" if ended else "which is under way"
    if parse_dn(one.account) == parse_dn(theirs.account):
        yield f"{one.account} is the account, {stands},"
    if one.id.casefold() == theirs.id.casefold():
        yield f"{one.id} is the dMSA, {stands},"
    if ended:
        return
    hosts = {host.name.casefold(): host for host in theirs.hosts}
    for host in one.hosts:
        same = hosts.get(host.name.casefold())
        if same is None:
            continue
        if reboot != theirs_reboot:
            yield f"reboot of {host.name} is {reboot} here and {theirs_reboot} in the plan"
        for workload in sorted(_workloads(host) & _workloads(same)):
            yield f"{workload[1]} on {host.name} is a {workload[0]}"


def _workloads(host: Host) -> set[tuple[str, str]]:
    return {
        *(("service", name.casefold()) for name in host.services),
        *(("task", task.path.casefold()) for task in host.tasks),
        *(("app-pool", name.casefold()) for name in host.app_pools),
    }
