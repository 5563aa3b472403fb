"""restart, on the way back: workloads log on as the original account again; then everything is compared.

Only what this attempt restarted, or what is down, is restarted. Then both objects, their descriptors and every host are
read once more; a migration is ``rolled_back`` where nothing is left that it would have to give back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from orchestrator.model.action import Answer, Done, Observe, Stop
from orchestrator.model.before import Compared, Difference
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Unreadable
from orchestrator.steps import snapshot
from orchestrator.steps.comparison import compared
from orchestrator.steps.inventory import host_before, read_too_early
from orchestrator.steps.restart import workload_reads
from orchestrator.steps.snapshot import Content
from orchestrator.steps.step import (
    Groups,
    Step,
    converging,
    original_missing,
    pair_reads_everywhere,
    pairs_everywhere,
    unprotected,
)
from orchestrator.steps.workloads import logging_on, not_running, restarted


class RestartBack(Step):
    """The last step of a way back: workloads as the original account, everything as in the snapshot."""

    trigger: ClassVar = Trigger.RESTART
    leads_to: ClassVar = Phase.ROLLED_BACK

    def groups(self, case: Case) -> Groups:
        """Return the hosts, then the directory for the comparison."""
        return (case.hosts_back, (DIRECTORY,))

    def reads(self, case: Case, subject: str) -> tuple[Read, ...]:
        """Ask a host about its workloads, or every domain controller for the pair."""
        return pair_reads_everywhere(case) if subject == DIRECTORY else workload_reads(case, subject)

    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Restart what this attempt touched or what is down; then compare."""
        if subject == DIRECTORY:
            return _equals_snapshot(case, seen)
        host, found = case.host(subject), seen.host(subject)
        touched = {name.lower() for where, _, name in case.state.touched if where == subject}
        only = frozenset(touched | _down(case, subject, seen))
        return logging_on(case, seen, restarted(case, self.trigger, host, found, seen, only))


def _down(case: Case, subject: str, seen: Seen) -> frozenset[str]:
    return not_running(case, case.host(subject), seen.host(subject))


def _equals_snapshot(case: Case, seen: Seen) -> Answer:
    pairs = pairs_everywhere(case, seen)
    if pairs[0].account is None:
        return original_missing(case, seen)
    late = converging(case, pairs, Pair.UNLINKED)
    if late:
        return late
    if any(read_too_early(case, name, seen) for name in case.hosts_back):
        return Observe(pair_reads_everywhere(case))
    now = _read_again(case, seen, pairs[0])
    if isinstance(now, Observe):
        return now
    before = _to_be_found_again(case)
    result = compared(case, before, now)
    failed = _failed(result)
    if failed:
        return _not_restored(case, result, failed)
    late = converging(case, pairs, Pair.UNLINKED, lambda copy: _given_back(case, before, now, copy))
    if late:
        return late
    bare = unprotected(pairs[0])
    if bare:
        return replace(bare, before=(result,))
    evidence = {"read": [str(pair) for pair in pairs], "equal": result.equal, **_lost(case)}
    return Done(pair=Pair.UNLINKED, evidence=evidence, before=(result,))


def _failed(result: Compared) -> list[Difference]:
    return [one for one in result.differences if one.verdict == "failed"]


def _given_back(case: Case, before: Content, now: Content, copy: PairSeen) -> bool:
    """Whether a copy shows the account with everything again: what a person wrote at one of them takes its time."""
    return copy.account is None or not _failed(compared(case, before, snapshot.with_account(now, copy.account)))


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


def _not_restored(case: Case, result: Compared, failed: list[Difference]) -> Stop:
    said = "; ".join(f"{one.object}: {one.name} is {one.now!r}, was {one.before!r}" for one in failed)
    return Stop(
        "restored-by-hand",
        f"{case.migration.account} is unlinked, but not everything is as in the snapshot: {said}.",
        "; ".join(f"`{one.by_hand}`" for one in failed) + ", then `dmsa release`",
        before=(result,),
    )


def _lost(case: Case) -> dict[str, Any]:
    """Return what nobody could look at: hosts that are gone for good, and what was written down of them."""
    known = case.state.snapshot.hosts if case.state.snapshot else {}
    return {"lost": {host: known[host].model_dump(mode="json") for host in case.state.lost}} if case.state.lost else {}
