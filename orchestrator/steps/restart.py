"""restart: each workload logs on anew, and each host is found among the principals allowed to use the dMSA.

During the hold a log-on as the old account is what makes a capable host add itself (Microsoft Learn, dMSA
overview).
"""

from __future__ import annotations

from typing import ClassVar

from orchestrator.model.action import Answer, Done, Observe, Record
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.event import DIRECTORY
from orchestrator.model.host import HostSeen, host_reads
from orchestrator.model.ledger import ledger_reads, ledger_seen, worth_writing
from orchestrator.model.lifecycle import Pair, Phase, Trigger
from orchestrator.model.observation import Fault
from orchestrator.model.plan import Host
from orchestrator.steps.registration import missing_hosts, seen_through
from orchestrator.steps.step import Groups, Step, not_matching, original_missing
from orchestrator.steps.workloads import dependents_of, logging_on, not_running, restarted


def workload_reads(case: Case, subject: str) -> tuple[Read, ...]:
    """Ask a host about its workloads and the services that a restart takes along."""
    snapshot = case.state.snapshot
    also = dependents_of(snapshot.hosts[subject]) if snapshot and subject in snapshot.hosts else ()
    return host_reads(case.host(subject), also)


class Restart(Step):
    """Restart on every host, then wait until the directory shows every host."""

    trigger: ClassVar = Trigger.RESTART
    leads_to: ClassVar = Phase.RESTARTED

    def groups(self, case: Case) -> Groups:
        """Return the hosts, then the directory."""
        return (case.host_names, (DIRECTORY,))

    def reads(self, case: Case, subject: str) -> tuple[Read, ...]:
        """Ask a host about its workloads, or the directory for the ledger."""
        return ledger_reads(case) if subject == DIRECTORY else workload_reads(case, subject)

    def sees_through(self, case: Case, subject: str, endpoint: str, fault: Fault) -> bool:
        """A host that has not registered is asked why, and need not answer; another copy is waited for."""
        return seen_through(case, subject, endpoint, fault)

    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Restart what has not been restarted; then wait for registration."""
        if subject == DIRECTORY:
            return _registered(case, seen)
        host, found = case.migration.host(subject), seen.host(subject)
        return logging_on(case, seen, restarted(case, self.trigger, host, found, seen, _left(case, host, found)))


def _left(case: Case, host: Host, found: HostSeen) -> frozenset[str] | None:
    """Return what is still to be restarted on a host that was done before an amendment; None means everything."""
    progress = case.state.hosts.get(host.name)
    if progress is None or not progress.restarted:
        return None
    done = {workload.name.lower() for workload in progress.workloads}
    names = {*host.services, *(task.path for task in host.tasks), *host.app_pools}
    return frozenset({name.lower() for name in names} - done) | not_running(case, host, found)


def _registered(case: Case, seen: Seen) -> Answer:
    pair = seen.pair(case.endpoint, case.server)
    if pair.account is None:
        return original_missing(case, seen)
    if pair.pair is not Pair.STARTED:
        return not_matching(case, pair, Pair.STARTED)
    ledger = ledger_seen(case, seen)
    if isinstance(ledger, tuple):
        return Observe(ledger, more=True)
    if worth_writing(case, ledger):
        return Record((ledger.event(case.migration.id),))
    return missing_hosts(case, seen, ledger) or Done(
        pair=Pair.STARTED, evidence={"principals": list(ledger.principals)}
    )
