"""What a migration writes, step by step, and which events that leaves: what lies ahead, and what the journal has done.

Sources of the events: Microsoft Learn, Windows security auditing: "Audit Directory Service Changes" (5136 to 5141; only
where a SACL asks), "Audit User Account Management" and "Audit Computer Account Management" (4722, 4725, 4738, 4741,
4742), "Audit Kerberos Authentication Service" and "Audit Kerberos Service Ticket Operations" (4768, 4769), "Audit
Registry" (4657). That a dMSA's creation is logged as a computer's too, and 2946 when its keys are issued, was seen by
researchers. None of these events is promised by anybody: only the directory's change events are ever missed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.expectation.history import History
from orchestrator.expectation.leaves import Leaves
from orchestrator.expectation.row import Expectation
from orchestrator.expectation.sent import Writes
from orchestrator.expectation.values import PairKnown
from orchestrator.model.dn import domain_dn
from orchestrator.model.plan import Migration, Plan
from orchestrator.model.run import RunState
from orchestrator.model.state import MigrationState


def pair_known(plan: Plan, migration: Migration, state: MigrationState | None) -> PairKnown:
    """Return what plan and journal know of a pair; the snapshot's names where there is one."""
    snapshot = state.snapshot if state else None
    below = f"CN=Managed Service Accounts,{domain_dn(plan.estate.domain or '')}"
    planned = f"CN={migration.dmsa.name},{migration.dmsa.path or below}"
    account = str(snapshot.account.get("dn", migration.account)) if snapshot else migration.account
    dmsa = str(snapshot.dmsa.get("dn", planned)) if snapshot and snapshot.dmsa else planned
    return PairKnown(migration.id, account, dmsa, snapshot.account if snapshot else None)


def expected(plan: Plan, ids: Sequence[str], run: RunState | None, told: History) -> list[Expectation]:
    """Return everything that is expected of some migrations, in their order and that of the steps.

    Args:
        plan: with its domain controller named.
        ids: the migrations.
        run: where everything stands by the journal; None without one.
        told: the journal's attempts.
    """
    return [one for id_ in ids for one in _of(plan, run[id_] if run is not None else MigrationState(id=id_), told)]


def expected_of_sent(plan: Plan, state: MigrationState, told: History) -> Iterator[Expectation]:
    """Yield what is expected of the writes that one migration has sent, by the journal; nothing of those ahead."""
    leaves = Leaves(plan, state, pair_known(plan, plan.migration(state.id), state))
    for sent in Writes(plan, state, told).done():
        yield from leaves.of(sent)


def _of(plan: Plan, state: MigrationState, told: History) -> Iterator[Expectation]:
    yield from expected_of_sent(plan, state, told)
    leaves = Leaves(plan, state, pair_known(plan, plan.migration(state.id), state))
    for sent in Writes(plan, state, told).ahead():
        yield from leaves.of(sent)
