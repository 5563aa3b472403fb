"""restart, on the way back: workloads log on as the original account again; then everything is compared.

Only what this attempt restarted, what is down, and what has come up since Complete is restarted. Then both objects,
their descriptors and every host are read once more; a migration is ``rolled_back`` where nothing is left that it would
have to give back.
"""

from __future__ import annotations

from typing import Any, ClassVar

from orchestrator.model.action import Answer, Done, Stop
from orchestrator.model.before import Compared
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.directory import PairSeen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Fault
from orchestrator.steps.by_hand import resetting
from orchestrator.steps.convergence import agreed, awaited, pair_reads_everywhere, pairs_everywhere
from orchestrator.steps.found_again import found_again
from orchestrator.steps.restart import workload_reads
from orchestrator.steps.step import Groups, Step, original_missing
from orchestrator.steps.workloads import logging_on, not_running, restarted, running_besides


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

    def sees_through(self, case: Case, subject: str, endpoint: str, fault: Fault) -> bool:
        """A copy that cannot be read is waited for like one that is late."""
        return subject == DIRECTORY and awaited(case, endpoint, fault)

    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Restart what this attempt touched, what is down, and what may run as the dMSA; then compare."""
        if subject == DIRECTORY:
            return _equals_snapshot(case, seen)
        host, found = case.host(subject), seen.host(subject)
        touched = {name.lower() for where, _, name in case.state.touched if where == subject}
        as_dmsa = running_besides(case, host, found) if case.state.complete_sent else frozenset()
        only = frozenset(touched | not_running(case, host, found) | as_dmsa)
        return logging_on(case, seen, restarted(case, self.trigger, host, found, seen, only))


def _equals_snapshot(case: Case, seen: Seen) -> Answer:
    pinned = seen.pair(case.endpoint, case.server)
    if pinned.account is None:
        return original_missing(case, seen)
    if pinned.pair is not Pair.UNLINKED:
        return _linked_again(case, pinned)
    late = agreed(case, seen, Pair.UNLINKED)
    if late:
        return late
    pairs = pairs_everywhere(case, seen)
    found = found_again(case, seen, pairs)
    if not isinstance(found, Compared):
        return found
    evidence = {"read": [str(pair) for pair in pairs], "equal": found.equal, **_lost(case)}
    return Done(pair=Pair.UNLINKED, evidence=evidence, before=(found,))


def _linked_again(case: Case, pair: PairSeen) -> Stop:
    """Say that somebody else linked what this way back had unlinked: it is theirs, so a person takes it back."""
    both = pair.dmsa and pair.account and (pair.dmsa.dn, pair.account.dn)
    by_hand = f"`{resetting(*both, case.server)}`, wait for replication" if both else "mend it"
    return Stop(
        "guard:pair-matches",
        f"{case.migration.id} was unlinked, and since then somebody changed the pair: {pair}. Nothing was changed.",
        f"find out who it was; to end this way back, as a person, {by_hand}, then `dmsa release`",
    )


def _lost(case: Case) -> dict[str, Any]:
    """Return what nobody could look at: hosts that are gone for good, and what was written down of them."""
    known = case.state.snapshot.hosts if case.state.snapshot else {}
    return {"lost": {host: known[host].model_dump(mode="json") for host in case.state.lost}} if case.state.lost else {}
