"""confirm: every workload logs on once more, now as the dMSA, and is healthy.

After Complete a log-on needs DelegatedMSAEnabled, a capable host and membership in the dMSA's principals; where
one is missing the service does not start (error 1069). Finding that out now is the point of this step.
"""

from __future__ import annotations

from typing import ClassVar

from orchestrator.model.action import Answer
from orchestrator.model.call import Read
from orchestrator.model.case import Case, Seen
from orchestrator.model.lifecycle import Phase, Trigger
from orchestrator.steps.restart import workload_reads
from orchestrator.steps.step import Groups, Step
from orchestrator.steps.workloads import logging_on, not_running, restarted


class Confirm(Step):
    """Restart on every host, or, where the plan says so, only see that everything runs."""

    trigger: ClassVar = Trigger.CONFIRM
    leads_to: ClassVar = Phase.COMPLETED

    def groups(self, case: Case) -> Groups:
        """Return the hosts, side by side."""
        return (case.host_names,)

    def reads(self, case: Case, subject: str) -> tuple[Read, ...]:
        """Ask a host about its workloads."""
        return workload_reads(case, subject)

    def judge(self, case: Case, subject: str, seen: Seen) -> Answer:
        """Restart what has not been restarted since Complete."""
        host, found = case.migration.host(subject), seen.host(subject)
        only = None if case.policy.restart_after_complete else not_running(case, host, found)
        return logging_on(case, seen, restarted(case, self.trigger, host, found, seen, only))
