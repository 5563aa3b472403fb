"""Restored means compared: everything that the snapshot holds is read once more at the end of a way back, and judged.

Both objects, their descriptors and those of their containers, and every host with its switch and its workloads. A
migration is ``rolled_back`` where nothing is left that it would have to give back.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.model.action import Observe, Stop, Wait
from orchestrator.model.before import Compared, Difference
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.lifecycle import Pair
from orchestrator.model.observation import Unreadable
from orchestrator.steps import snapshot
from orchestrator.steps.comparison import booted_since, compared
from orchestrator.steps.convergence import converging, pair_reads_everywhere
from orchestrator.steps.inventory import host_before, read_too_early
from orchestrator.steps.restart import workload_reads
from orchestrator.steps.snapshot import Content
from orchestrator.steps.step import unprotected


def found_again(case: Case, seen: Seen, pairs: list[PairSeen]) -> Compared | Observe | Wait | Stop:
    """Return the comparison that lets a migration be ``rolled_back``, or what stands between.

    Args:
        case: a migration with a snapshot, whose pair is unlinked everywhere.
        seen: what was read so far.
        pairs: both objects as every domain controller shows them, the pinned one first; there the account is.
    """
    if any(read_too_early(case, name, seen) for name in case.hosts_back):
        return Observe(pair_reads_everywhere(case))
    now = _read_again(case, seen, pairs[0])
    if isinstance(now, Observe):
        return now
    before = _to_be_found_again(case)
    booted = booted_since(case, (seen.host(name) for name in case.hosts_back))
    result = compared(case, before, now, booted)
    failed = _failed(result)
    if failed:
        return _not_restored(case, result, failed)
    late = converging(case, pairs, Pair.UNLINKED, lambda copy: _given_back(case, before, now, copy))
    if late:
        return late
    bare = unprotected(pairs[0])
    return replace(bare, before=(result,)) if bare else result


def _failed(result: Compared) -> list[Difference]:
    return [one for one in result.differences if one.verdict == "failed"]


def _given_back(case: Case, before: Content, now: Content, copy: PairSeen) -> bool:
    """Whether a copy shows the account with everything again: what a person wrote at one of them takes its time."""
    return copy.account is None or not _failed(compared(case, before, snapshot.with_account(now, copy.account)))


def _not_restored(case: Case, result: Compared, failed: list[Difference]) -> Stop:
    said = "; ".join(f"{one.object}: {one.name} is {one.now!r}, was {one.before!r}" for one in failed)
    return Stop(
        "restored-by-hand",
        f"{case.migration.account} is unlinked, but not everything is as in the snapshot: {said}.",
        "; ".join(f"`{one.by_hand}`" for one in failed) + ", then `dmsa release`",
        before=(result,),
    )


def _read_again(case: Case, seen: Seen, pair: PairSeen) -> Content | Observe:
    """Return everything that a snapshot holds as it is now, or what must be read for that."""
    unasked = seen.unasked(read for name in case.hosts_back for read in workload_reads(case, name))
    if unasked:
        return Observe(unasked, more=True)
    hosts = {}
    for name in case.hosts_back:
        found = host_before(case.host(name), seen.host(name), seen)
        if isinstance(found, Observe):
            return found
        hosts[name] = found
    return snapshot.unread(case, seen, pair) or snapshot.content(case, seen, pair, hosts)


def _to_be_found_again(case: Case) -> Content:
    """Return the snapshot with each host's switch as it was before the first migration there."""
    taken = case.state.snapshot
    if taken is None:
        raise Unreadable(f"there is no snapshot of {case.migration.id}")
    hosts = {}
    for name in case.hosts_back:
        first = case.original(name) or taken.hosts[name]
        hosts[name] = taken.hosts[name].model_copy(update={"value": first.value, "key_exists": first.key_exists})
    return replace(Content.of(taken), hosts=hosts)
